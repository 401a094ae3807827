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
    /// The channel for the answer. Dropped: the controller cannot answer now.
    pub reply: oneshot::Sender<Vec<Finding>>,
}

/// An object as a user wants it to be.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckedObject {
    /// A policy.
    CorsPolicy(Box<Object>),
    /// Origins that policies share.
    OriginSet {
        /// Its key.
        key: Key,
        /// Its content.
        written: RawObject,
    },
    /// Guardrails.
    ClusterCorsPolicy {
        /// Its name.
        name: String,
        /// Its content.
        written: RawObject,
    },
}
