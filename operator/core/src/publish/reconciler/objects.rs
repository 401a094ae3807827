//! Objects of the operator: as the cluster has them, as they are written, and those of a kind that the current one replaces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::core::ApiResource;
use serde_json::Value;

use crate::bundle::Bundle;
use crate::cluster_state::Key;
use crate::publish::output::{BundleRef, held};

/// Time between a deletion that failed and a new grace period, after which it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// An object of ours as the cluster has it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Its bundle; `None` if that is unknown: the object was copied, or its annotation changed.
    pub(super) held: Option<BundleRef>,
    pub(super) uid: String,
    pub(super) version: Option<u64>,
    pub(super) object: ObjectText,
}

/// An object as its JSON text. The policies of a bundle are most of it, and are kept once: with the bundle.
#[derive(Clone, Debug, Default)]
pub(super) struct ObjectText {
    head: Box<str>,
    compiled: Option<Arc<str>>,
    tail: Box<str>,
}

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
    /// Delete this leftover.
    DeleteLeftover(Leftover),
}

/// An object of a kind that is not written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its kind.
    pub resource: ApiResource,
    /// Its name.
    pub place: Key,
    /// Its `metadata.uid`: a new object of that name is not meant.
    pub uid: String,
}

/// The leftovers of all namespaces.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    namespaces: BTreeMap<String, Namespace>,
    /// The `metadata.uid` of each object that was deleted, or is to be deleted now: a list may still name it.
    retired: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Namespace {
    objects: Vec<Leftover>,
    /// The time since which their replacements have been there.
    replaced: Option<Instant>,
}

// === impl Seen ===

impl Seen {
    /// The object at `place`. It holds the bundle `wanted`, most often: what both say is kept once.
    pub(super) fn of(place: &Key, object: &Value, wanted: Option<&Bundle>) -> Self {
        let mut held = held(place, object);
        if let Some((held, wanted)) = held.as_mut().zip(wanted) {
            if held.key == wanted.key {
                held.key = wanted.key.clone();
            }
            if held.digest.as_ref() == Some(&wanted.digest) {
                held.digest = Some(Arc::clone(&wanted.digest));
            }
        }
        let metadata = object.get("metadata");
        let text = |name: &str| metadata.and_then(|metadata| metadata.get(name)?.as_str());
        let uid = text("uid").unwrap_or_default().to_owned();
        let version = text("resourceVersion").and_then(|version| version.parse().ok());
        Self { held, uid, version, object: ObjectText::of(object, wanted) }
    }

    pub(super) fn is_younger_than(&self, other: &Self) -> bool {
        let both = self.version.zip(other.version);
        self.uid == other.uid && both.is_some_and(|(ours, theirs)| ours > theirs)
    }

    pub(super) fn says_digest(&self, bundle: &Bundle) -> bool {
        self.held.as_ref().and_then(|held| held.digest.as_ref()) == Some(&bundle.digest)
    }
}

// === impl ObjectText ===

impl ObjectText {
    fn of(object: &Value, wanted: Option<&Bundle>) -> Self {
        let (text, compiled) = (object.to_string(), wanted.map(|wanted| &wanted.compiled));
        let without = compiled.and_then(|compiled| {
            let (head, tail) = text.split_once(&Value::from(&**compiled).to_string())?;
            let compiled = Some(Arc::clone(compiled));
            Some(Self { head: head.into(), compiled, tail: tail.into() })
        });
        without.unwrap_or_else(|| Self { head: text.into(), ..Self::default() })
    }

    pub(super) fn value(&self) -> Value {
        let Self { head, compiled, tail } = self;
        let compiled = compiled.as_ref().map(|compiled| Value::from(&**compiled).to_string());
        let text = format!("{head}{}{tail}", compiled.unwrap_or_default());
        serde_json::from_str(&text).unwrap_or_default()
    }
}

// === impl ObjectWrite ===

impl ObjectWrite {
    /// The object.
    pub fn place(&self) -> &Key {
        match self {
            Self::Apply { place, .. }
            | Self::Delete { place, .. }
            | Self::DeleteLeftover(Leftover { place, .. }) => place,
        }
    }
}

// === impl Leftovers ===

impl Leftovers {
    /// Takes in an object; `true`: it was not known.
    pub(super) fn add(&mut self, object: Leftover) -> bool {
        if self.retired.contains(&object.uid) {
            return false;
        }
        let namespace = self.namespaces.entry(object.place.namespace.clone()).or_default();
        let is_new = !namespace.objects.contains(&object);
        namespace.objects.extend(is_new.then_some(object));
        is_new
    }

    pub(super) fn is_in(&self, namespace: &str) -> bool {
        self.namespaces.contains_key(namespace)
    }

    /// Takes in whether the replacements of a namespace are there.
    pub(super) fn settle(&mut self, namespace: &str, replaced: bool, now: Instant) {
        if let Some(namespace) = self.namespaces.get_mut(namespace) {
            namespace.replaced = replaced.then(|| namespace.replaced.unwrap_or(now));
        }
    }

    /// Takes an object that is to be deleted now.
    pub(super) fn next(&mut self, grace: Duration, now: Instant) -> Option<Leftover> {
        let mut namespaces = self.namespaces.iter_mut();
        let (name, namespace) = namespaces
            .find(|(_, namespace)| namespace.deadline(grace).is_some_and(|end| end <= now))?;
        let object = namespace.objects.pop();
        if namespace.objects.is_empty() {
            let name = name.clone();
            self.namespaces.remove(&name);
        }
        self.retired.extend(object.as_ref().map(|object| object.uid.clone()));
        object
    }

    /// Takes back an object that could not be deleted.
    pub(super) fn failed(&mut self, object: Leftover, now: Instant) {
        let namespace = object.place.namespace.clone();
        self.retired.remove(&object.uid);
        self.add(object);
        if let Some(namespace) = self.namespaces.get_mut(&namespace) {
            namespace.replaced = now.checked_add(RETRY_INTERVAL);
        }
    }

    /// The ends of the grace periods.
    pub(super) fn deadlines(&self, grace: Duration) -> impl Iterator<Item = Instant> {
        self.namespaces.values().filter_map(move |namespace| namespace.deadline(grace))
    }
}

// === impl Namespace ===

impl Namespace {
    fn deadline(&self, grace: Duration) -> Option<Instant> {
        self.replaced?.checked_add(grace)
    }
}
