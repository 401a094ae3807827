//! Pending: what is still to be written in a namespace, and in which order.

use std::collections::BTreeMap;

use crate::cluster_state::Key;
use crate::json_text::JsonText;

/// The pending writes of a namespace.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) updates: BTreeMap<Key, JsonText>,
    /// Only after all updates.
    pub(super) creations: BTreeMap<Key, JsonText>,
}

// === impl Pending ===

impl Pending {
    /// The writes that may start now.
    pub(super) fn open(&self) -> impl Iterator<Item = (&Key, &JsonText)> {
        let creations = self.updates.is_empty().then_some(&self.creations);
        self.updates.iter().chain(creations.into_iter().flatten())
    }

    /// May it be written now?
    pub(super) fn is_open(&self, place: &Key) -> bool {
        self.updates.contains_key(place)
            || (self.updates.is_empty() && self.creations.contains_key(place))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Key, &JsonText)> {
        self.updates.iter().chain(&self.creations)
    }

    pub(super) fn get(&self, place: &Key) -> Option<&JsonText> {
        self.updates.get(place).or_else(|| self.creations.get(place))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.updates.is_empty() && self.creations.is_empty()
    }

    pub(super) fn remove(&mut self, place: &Key) -> bool {
        self.updates.remove(place).is_some() || self.creations.remove(place).is_some()
    }

    pub(super) fn has(&self, place: &Key) -> bool {
        self.updates.contains_key(place) || self.creations.contains_key(place)
    }
}
