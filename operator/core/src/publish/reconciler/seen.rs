//! Seen: an object of the operator, as the cluster has it.

use serde_json::Value;

use crate::bundle::Bundle;
use crate::cluster_state::Key;
use crate::json_text::JsonText;
use crate::publish::output::{BundleRef, held};

/// An object of ours as the cluster has it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Its bundle; `None` if that is unknown: the object was copied, or its annotation changed.
    pub(super) held: Option<BundleRef>,
    pub(super) uid: String,
    pub(super) version: Option<u64>,
    pub(super) object: JsonText,
}

// === impl Seen ===

impl Seen {
    pub(super) fn of(place: &Key, object: &Value) -> Self {
        let held = held(place, object);
        let metadata = object.get("metadata");
        let text = |name: &str| metadata.and_then(|metadata| metadata.get(name)?.as_str());
        let uid = text("uid").unwrap_or_default().to_owned();
        let version = text("resourceVersion").and_then(|version| version.parse().ok());
        Self { held, uid, version, object: JsonText::of(object) }
    }

    pub(super) fn is_younger_than(&self, other: &Self) -> bool {
        let both = self.version.zip(other.version);
        self.uid == other.uid && both.is_some_and(|(ours, theirs)| ours > theirs)
    }

    pub(super) fn says_digest(&self, bundle: &Bundle) -> bool {
        self.held.as_ref().and_then(|held| held.digest.as_ref()) == Some(&bundle.digest)
    }
}
