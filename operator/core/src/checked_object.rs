//! Checked object: an object that is not there yet, as an admission check asks about it.

use crate::cluster_state::{Key, RawObject};
use crate::object::Object;

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
