//! Object write: one step of a reconciliation, as an API server is asked for it.

use std::sync::Arc;

use serde_json::Value;

use crate::cluster_state::Key;

/// A write of one object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ObjectWrite {
    /// Say this.
    Apply {
        /// Which object.
        place: Key,
        /// All of it that is ours.
        object: Arc<Value>,
        /// It said this before, and somebody changed it.
        repair: bool,
        /// None of ours is there: what has its name is somebody else's.
        new: bool,
    },
    /// Delete it.
    Delete {
        /// Which object.
        place: Key,
        /// Its `metadata.uid`: another of that name is not meant.
        uid: String,
    },
}

// === impl ObjectWrite ===

impl ObjectWrite {
    pub(crate) fn place(&self) -> &Key {
        match self {
            Self::Apply { place, .. } | Self::Delete { place, .. } => place,
        }
    }
}
