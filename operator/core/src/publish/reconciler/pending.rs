//! Pending writes: what is still to be written in a namespace and in which order, and when what failed, or is changed again and again, is
//! tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::cluster_state::Key;
use crate::json_text::JsonText;

/// The first wait; each after it is twice as long.
const INITIAL_DELAY: Duration = Duration::from_millis(500);
/// The longest wait.
const MAX_DELAY: Duration = Duration::from_mins(1);
/// Interval of checks for a free name.
const NAME_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Number of immediate repairs of an object; further ones wait.
const IMMEDIATE_REPAIRS: u32 = 2;
/// Time without a foreign change that ends an object's backoff.
const RESET_AFTER: Duration = Duration::from_mins(10);

/// The pending writes of a namespace.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) updates: BTreeMap<Key, JsonText>,
    /// Only after all updates.
    pub(super) creations: BTreeMap<Key, JsonText>,
    /// The objects that wait for a served module.
    pub(super) waiting: BTreeSet<Key>,
    /// The unwanted objects, with the time since which the namespace is in its desired state.
    pub(super) retiring: BTreeMap<Key, Option<Instant>>,
}

/// The reason of a failed write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// The API server refuses this object.
    Here(String),
    /// A foreign object has its name.
    Taken(String),
    /// The API server does not answer, or refuses everything.
    Everywhere(String),
}

/// The failed writes.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    objects: BTreeMap<Key, Waiting>,
    repairs: BTreeMap<Key, RepairHistory>,
    everywhere: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    attempts: u32,
    until: Instant,
    error: String,
}

#[derive(Debug)]
struct RepairHistory {
    count: u32,
    last: Instant,
    until: Instant,
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

    /// Is the namespace in its desired state, but for deletions?
    pub(super) fn is_settled(&self) -> bool {
        self.updates.is_empty() && self.creations.is_empty() && self.waiting.is_empty()
    }

    /// Takes out the write of an object; `true`: there was one.
    pub(super) fn remove(&mut self, place: &Key) -> bool {
        self.waiting.remove(place);
        self.updates.remove(place).is_some() || self.creations.remove(place).is_some()
    }

    pub(super) fn has(&self, place: &Key) -> bool {
        self.updates.contains_key(place) || self.creations.contains_key(place)
    }
}

// === impl Backoff ===

impl Backoff {
    pub(super) fn failed(&mut self, place: &Key, error: ApplyError, now: Instant) {
        match error {
            ApplyError::Here(error) => {
                self.everywhere = None;
                let known = self.objects.remove(place);
                self.objects.insert(place.clone(), Waiting::after(known.as_ref(), error, now));
            }
            ApplyError::Taken(error) => {
                self.everywhere = None;
                let until = now.checked_add(NAME_CHECK_INTERVAL).unwrap_or(now);
                self.objects.insert(place.clone(), Waiting { attempts: 0, until, error });
            }
            ApplyError::Everywhere(error) => {
                let waiting = Waiting::after(self.everywhere.as_ref(), error, now);
                // Several writes that were under way fail together: that is one failure.
                if self.everywhere.as_ref().is_none_or(|known| known.until <= now) {
                    self.everywhere = Some(waiting);
                }
            }
        }
    }

    pub(super) fn succeeded(&mut self, place: &Key) {
        self.everywhere = None;
        self.objects.remove(place);
    }

    /// Notes a foreign change of an object that was in its desired state.
    pub(super) fn changed(&mut self, place: &Key, now: Instant) {
        let fresh = RepairHistory { count: 0, last: now, until: now };
        let repairs = self.repairs.entry(place.clone()).or_insert(fresh);
        if now.saturating_duration_since(repairs.last) > RESET_AFTER {
            repairs.count = 0;
        }
        let wait = repairs.count.checked_sub(IMMEDIATE_REPAIRS).map(wait).unwrap_or_default();
        repairs.count = repairs.count.saturating_add(1);
        repairs.last = now;
        repairs.until = now.checked_add(wait).unwrap_or(now);
    }

    /// Drops the errors of an object with a new desired state.
    pub(super) fn forget(&mut self, place: &Key) {
        self.objects.remove(place);
        self.repairs.remove(place);
    }

    /// May anything be tried?
    pub(super) fn may_try(&self, now: Instant) -> bool {
        self.pause().is_none_or(|until| until <= now)
    }

    /// Until when nothing is tried.
    pub(super) fn pause(&self) -> Option<Instant> {
        Some(self.everywhere.as_ref()?.until)
    }

    /// The objects that are not tried for a while, or were not.
    pub(super) fn places(&self) -> impl Iterator<Item = &Key> {
        self.objects.keys().chain(self.repairs.keys())
    }

    /// Until when this is not tried.
    pub(super) fn until(&self, place: &Key) -> Option<Instant> {
        let failed = self.objects.get(place).map(|waiting| waiting.until);
        failed.max(self.repairs.get(place).map(|repairs| repairs.until))
    }

    /// The error of an object, in its desired state or not.
    pub(super) fn error(&self, place: &Key, is_pending: bool) -> Option<String> {
        if let Some(waiting) = self.objects.get(place) {
            return Some(waiting.error.clone());
        }
        if !is_pending {
            return None;
        }
        if let Some(waiting) = &self.everywhere {
            return Some(waiting.error.clone());
        }
        let repairs =
            self.repairs.get(place).filter(|repairs| repairs.count > IMMEDIATE_REPAIRS)?;
        let count = repairs.count;
        Some(format!(
            "a foreign field manager has changed the object `{}/{}` {count} times after the operator wrote it: find the manager in `metadata.managedFields`; repairs become less and less frequent",
            place.namespace, place.name
        ))
    }
}

// === impl Waiting ===

impl Waiting {
    fn after(known: Option<&Self>, error: String, now: Instant) -> Self {
        let attempts = known.map_or(0, |known| known.attempts.saturating_add(1));
        let until = now.checked_add(wait(attempts)).unwrap_or(now);
        Self { attempts, until, error }
    }
}

fn wait(attempts: u32) -> Duration {
    INITIAL_DELAY.saturating_mul(2_u32.saturating_pow(attempts)).min(MAX_DELAY)
}
