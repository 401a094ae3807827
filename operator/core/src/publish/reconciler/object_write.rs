//! Object write: one step of a reconciliation, as an API server is asked for it.

use std::sync::Arc;

use serde_json::Value;

use crate::cluster_state::Key;
use crate::publish::reconciler::former::FormerObject;

/// A write of one object.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectWrite {
    /// Say this.
    Apply {
        /// The object.
        place: Key,
        /// All of it that is ours.
        object: Arc<Value>,
        /// Whether it repairs a foreign change.
        repair: bool,
        /// Whether no object of the operator exists there: an object of that name is foreign.
        new: bool,
    },
    /// Delete it.
    Delete {
        /// The object.
        place: Key,
        /// Its `metadata.uid`: a new object of that name is not meant.
        uid: String,
    },
    /// Delete this object of a former kind.
    Retire(FormerObject),
}

// === impl ObjectWrite ===

impl ObjectWrite {
    /// The object.
    #[must_use]
    pub fn place(&self) -> &Key {
        match self {
            Self::Apply { place, .. }
            | Self::Delete { place, .. }
            | Self::Retire(FormerObject { place, .. }) => place,
        }
    }
}
