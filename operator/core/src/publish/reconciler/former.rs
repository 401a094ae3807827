//! Former objects: those of a kind that the current one replaces. One is deleted when the desired objects of its namespace have been there
//! for the grace period; without a desired object there is no replacement.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::core::ApiResource;

use crate::cluster_state::Key;

/// Time between a deletion that failed and a new grace period, after which it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// An object of a kind that is not written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerObject {
    /// Its kind.
    pub resource: ApiResource,
    /// Its name.
    pub place: Key,
    /// Its `metadata.uid`: a new object of that name is not meant.
    pub uid: String,
}

/// The former objects of all namespaces.
#[derive(Debug, Default)]
pub(super) struct Former(BTreeMap<String, Namespace>);

#[derive(Debug, Default)]
struct Namespace {
    objects: Vec<FormerObject>,
    /// The time since which their replacements have been there.
    replaced: Option<Instant>,
}

// === impl Former ===

impl Former {
    pub(super) fn add(&mut self, object: FormerObject) {
        self.0.entry(object.place.namespace.clone()).or_default().objects.push(object);
    }

    pub(super) fn is_in(&self, namespace: &str) -> bool {
        self.0.contains_key(namespace)
    }

    /// Takes in whether the replacements of a namespace are there.
    pub(super) fn settle(&mut self, namespace: &str, replaced: bool, now: Instant) {
        if let Some(namespace) = self.0.get_mut(namespace) {
            namespace.replaced = replaced.then(|| namespace.replaced.unwrap_or(now));
        }
    }

    /// Takes an object that is to be deleted now.
    pub(super) fn next(&mut self, grace: Duration, now: Instant) -> Option<FormerObject> {
        let mut namespaces = self.0.iter_mut();
        let (name, namespace) = namespaces
            .find(|(_, namespace)| namespace.deadline(grace).is_some_and(|end| end <= now))?;
        let object = namespace.objects.pop();
        if namespace.objects.is_empty() {
            let name = name.clone();
            self.0.remove(&name);
        }
        object
    }

    /// Takes back an object that could not be deleted.
    pub(super) fn failed(&mut self, object: FormerObject, now: Instant) {
        let namespace = object.place.namespace.clone();
        self.add(object);
        if let Some(namespace) = self.0.get_mut(&namespace) {
            namespace.replaced = now.checked_add(RETRY_INTERVAL);
        }
    }

    /// The ends of the grace periods.
    pub(super) fn deadlines(&self, grace: Duration) -> impl Iterator<Item = Instant> {
        self.0.values().filter_map(move |namespace| namespace.deadline(grace))
    }
}

// === impl Namespace ===

impl Namespace {
    fn deadline(&self, grace: Duration) -> Option<Instant> {
        self.replaced?.checked_add(grace)
    }
}
