//! Admission check: the findings about an object that is not there yet. The loop answers, for it alone knows everything else.

use corsward_policy::Finding;
use tokio::sync::oneshot;

use crate::cluster_state::{Key, RawObject};
use crate::object::Object;

/// What would the status say?
#[derive(Debug)]
pub struct AdmissionCheck {
    /// Of what.
    pub object: CheckedObject,
    /// Where the answer goes. Dropped: it cannot be said now.
    pub reply: oneshot::Sender<Vec<Finding>>,
}

/// An object as somebody wants it to be.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckedObject {
    /// A policy.
    CorsPolicy(Box<Object>),
    /// Origins that policies share.
    OriginSet {
        /// Whose.
        key: Key,
        /// What it says.
        written: RawObject,
    },
    /// Guardrails.
    ClusterCorsPolicy {
        /// Whose.
        name: String,
        /// What they say.
        written: RawObject,
    },
}
