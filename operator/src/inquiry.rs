//! Inquiries: what would be said about an object that is not there yet. The loop answers, for it alone knows everything else.

use corsward_policy::Finding;
use tokio::sync::oneshot;

use crate::object::Object;
use crate::surroundings::{Key, Written};

/// What would the status say?
#[derive(Debug)]
pub struct Inquiry {
    /// Of what.
    pub object: ReviewedObject,
    /// Where the answer goes. Dropped: it cannot be said now.
    pub reply: oneshot::Sender<Vec<Finding>>,
}

/// An object as somebody wants it to be.
#[derive(Clone, Debug, PartialEq)]
pub enum ReviewedObject {
    /// A policy.
    CorsPolicy(Box<Object>),
    /// Origins that policies share.
    OriginSet {
        /// Whose.
        key: Key,
        /// What it says.
        written: Written,
    },
    /// Guardrails.
    ClusterCorsPolicy {
        /// Whose.
        name: String,
        /// What they say.
        written: Written,
    },
}
