//! Reconciler: the desired objects of a cluster beside the observed ones, and the next write. Without IO.
//!
//! In each namespace the existing objects are updated first, then new ones are created. Last, superseded ones are deleted: `settle` starts
//! their grace (`--grace`, 10 s) when all writes of the namespace are done, a new write starts it anew, and `next` deletes them at its end. So a proxy may have two filters
//! for a moment, but never none. The plan says which bundles retire (`DesiredBundles::desire` of `operator/core/src/plan.rs`); objects of a
//! former kind go in the same way where a desired object of their namespace is there (`Leftovers`), and copies without a readable bundle.
//! Nothing of a namespace is deleted while a bundle of it exceeds the size bound, or while a foreign field changes the meaning of one of its
//! objects. A `ConfigMap` is never deleted: an Envoy may have mounted it.

mod objects;
mod pending;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bundle::{Bundle, BundleKey, Desired, PublishStatus};
use crate::cluster_state::{Key, within};
use crate::json_text::JsonText;
use crate::publish::output::{Output, foreign_field, is_as};

pub use self::objects::{Leftover, ObjectWrite};
use self::objects::{Leftovers, Seen};
pub use self::pending::ApplyError;
use self::pending::{Backoff, Pending};

/// The desired state beside the observed state.
#[derive(Debug)]
pub struct Reconciler {
    output: Output,
    /// For how long proxies take what replaces an object before it goes.
    grace: Duration,
    desired: Option<Arc<Desired>>,
    leading: bool,
    /// Whether the existing objects have been listed once.
    listed: bool,
    wanted: BTreeMap<Key, Wanted>,
    seen: BTreeMap<Key, Seen>,
    /// By namespace; none of them is empty.
    pending: BTreeMap<String, Pending>,
    /// The objects of a replaced kind.
    leftovers: Leftovers,
    /// The writes in flight.
    in_flight: BTreeMap<Key, InFlight>,
    /// The reason why the current module cannot be named yet.
    module_readiness: Option<String>,
    /// The last write that failed as if all did: others have their turn before it.
    behind: Option<Key>,
    backoff: Backoff,
    publish_statuses: PublishStatuses,
}

/// A write without a response so far.
#[derive(Debug)]
enum InFlight {
    Apply {
        /// The content sent.
        sent: JsonText,
        /// As of when the watch has told meanwhile that the object is gone.
        gone: Option<u64>,
    },
    Delete {
        uid: String,
    },
}

/// The desired state of an object.
#[derive(Debug)]
struct Wanted {
    bundle: Arc<Bundle>,
    retiring: bool,
    /// It was there like this once.
    was_there: bool,
    /// It exists in its desired state, beside a foreign field that changes its meaning.
    foreign_field: Option<String>,
}

/// The last report on each bundle, and the bundles to report anew.
#[derive(Debug, Default)]
struct PublishStatuses {
    told: BTreeMap<BundleKey, PublishStatus>,
    stale: BTreeMap<BundleKey, Key>,
}

// === impl Reconciler ===

impl Reconciler {
    /// A reconciler of the objects of `output`, which deletes what is replaced after `grace`.
    pub fn new(output: Output, grace: Duration) -> Self {
        Self {
            output,
            grace,
            desired: None,
            leading: false,
            listed: false,
            wanted: BTreeMap::new(),
            seen: BTreeMap::new(),
            pending: BTreeMap::new(),
            leftovers: Leftovers::default(),
            in_flight: BTreeMap::new(),
            module_readiness: None,
            behind: None,
            backoff: Backoff::default(),
            publish_statuses: PublishStatuses::default(),
        }
    }

    /// Takes in what is wanted now, and says of which bundles something else is wanted.
    pub fn want(&mut self, desired: &Arc<Desired>, now: Instant) -> BTreeSet<BundleKey> {
        let before = self.desired.replace(Arc::clone(desired)).unwrap_or_default();
        let mut changed = before.bundles.differing(&desired.bundles);
        changed.append(&mut before.retiring.differing(&desired.retiring));
        for key in &changed {
            let Some(place) = place(key) else { continue };
            let wanted = desired.bundles.get(key).map(|bundle| (bundle, false));
            let retiring = || desired.retiring.get(key).map(|bundle| (bundle, true));
            // The errors were about other bytes.
            self.backoff.forget(&place);
            if let Some((bundle, retiring)) = wanted.or_else(retiring) {
                let bundle = Arc::clone(bundle);
                let wanted = Wanted { bundle, retiring, was_there: false, foreign_field: None };
                self.wanted.insert(place.clone(), wanted);
            } else {
                self.wanted.remove(&place);
                if !self.seen.contains_key(&place) {
                    self.publish_statuses.told.remove(key);
                }
            }
            self.reconcile(&place, None, now);
        }
        for namespace in before.frozen.symmetric_difference(&desired.frozen) {
            self.settle(namespace, now);
        }
        changed
    }

    /// Takes in whether this replica writes. A former leader drops its writes in flight.
    pub fn lead(&mut self, leading: bool) {
        self.leading = leading;
        if !leading {
            self.in_flight.clear();
            self.leftovers = Leftovers::default();
        }
    }

    /// Takes in the objects of a kind that the current one replaces; returns the number of those that were not known.
    pub fn add_leftovers(&mut self, objects: Vec<Leftover>, now: Instant) -> usize {
        let mut added: usize = 0;
        for object in objects {
            let namespace = object.place.namespace.clone();
            added = added.saturating_add(self.leftovers.add(object).into());
            self.settle(&namespace, now);
        }
        added
    }

    /// A leftover could not be deleted.
    pub fn leftover_failed(&mut self, object: Leftover, now: Instant) {
        self.leftovers.failed(object, now);
    }

    /// Takes in everything that is there.
    pub fn reset(&mut self, objects: Vec<(Key, Value)>, now: Instant) {
        self.listed = true;
        let mut gone = mem::take(&mut self.seen);
        for (place, object) in objects {
            let seen = self.seen_at(&place, &object);
            let known = gone.remove(&place);
            // The answer to a write of ours may be younger than the list.
            if let Some(known) = known.as_ref().filter(|known| known.is_younger_than(&seen)) {
                self.seen.insert(place, known.clone());
                continue;
            }
            let same = known.as_ref().is_some_and(|known| {
                known.version.is_some() && known.version == seen.version && known.uid == seen.uid
            });
            self.seen.insert(place.clone(), seen);
            // Thousands of objects are listed when a watch begins anew, and most are as they were.
            if !same {
                self.publish_statuses.gone(&place, known);
                self.reconcile(&place, Some(&object), now);
            }
        }
        for (place, seen) in gone {
            self.publish_statuses.gone(&place, Some(seen));
            self.reconcile(&place, None, now);
        }
    }

    fn seen_at(&self, place: &Key, object: &Value) -> Seen {
        let wanted = self.wanted.get(place).map(|wanted| &*wanted.bundle);
        Seen::of(place, object, wanted)
    }

    /// Takes in what an object says now, and `None` where it is gone as of `version`.
    pub fn see(&mut self, place: &Key, version: Option<u64>, object: Option<&Value>, now: Instant) {
        let known = self.seen.get(place).and_then(|seen| seen.version);
        // A watch may tell what was before the answer to a write of ours.
        if known.zip(version).is_some_and(|(known, version)| version < known) {
            return;
        }
        if let (None, Some(InFlight::Apply { gone, .. })) = (&object, self.in_flight.get_mut(place))
        {
            *gone = version;
        }
        let known = match object {
            Some(object) => self.seen.insert(place.clone(), self.seen_at(place, object)),
            None => self.seen.remove(place),
        };
        self.publish_statuses.gone(place, known);
        self.reconcile(place, object, now);
    }

    /// Takes in whether the module of today may be named, and why not.
    pub fn module_readiness(&mut self, module_readiness: Option<String>, now: Instant) {
        if self.module_readiness == module_readiness {
            return;
        }
        self.module_readiness = module_readiness;
        let pending = self.pending.values_mut();
        let waiting: Vec<Key> = pending.flat_map(|it| mem::take(&mut it.waiting)).collect();
        for place in waiting {
            // That it names the previous module is no foreign change.
            if let Some(wanted) = self.wanted.get_mut(&place) {
                wanted.was_there = false;
            }
            self.reconcile(&place, None, now);
        }
    }

    /// The next write; `None` if every write is done, in flight or not due. The caller reports its result later.
    pub fn next(&mut self, now: Instant) -> Option<ObjectWrite> {
        if !self.leading || !self.listed || self.desired.is_none() || !self.backoff.may_try(now) {
            return None;
        }
        let due = |is_next: &dyn Fn(&Key) -> bool| {
            let mut open = self.pending.values().flat_map(Pending::open);
            open.find(|(place, _)| is_next(place) && self.is_due(place, now))
        };
        let in_turn = self.behind.as_ref().and_then(|behind| due(&|place| place > behind));
        let due = in_turn.or_else(|| due(&|_| true));
        if let Some((place, text)) = due.map(|(place, text)| (place.clone(), text.clone())) {
            let object = Arc::new(text.value());
            let repair = self.wanted.get(&place).is_some_and(|wanted| wanted.was_there);
            let new = !self.seen.contains_key(&place);
            let in_flight = InFlight::Apply { sent: text, gone: None };
            self.in_flight.insert(place.clone(), in_flight);
            return Some(ObjectWrite::Apply { place, object, repair, new });
        }
        if !self.output.is_deleted() {
            return None;
        }
        let due = |(place, since): (&Key, &Option<Instant>)| {
            let ends = (*since)?.checked_add(self.grace)?;
            let uid = self.seen.get(place)?.uid.clone();
            (ends <= now && self.is_due(place, now)).then(|| (place.clone(), uid))
        };
        let mut retiring = self.pending.values().flat_map(|pending| &pending.retiring);
        let Some((place, uid)) = retiring.find_map(due) else {
            return self.leftovers.next(self.grace, now).map(ObjectWrite::DeleteLeftover);
        };
        self.in_flight.insert(place.clone(), InFlight::Delete { uid: uid.clone() });
        Some(ObjectWrite::Delete { place, uid })
    }

    /// The next deadline without an event.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let is_open = |place: &&Key| {
            let pending = self.pending.get(&place.namespace);
            pending.is_some_and(|it| it.is_open(place) || it.retiring.contains_key(*place))
        };
        // Thousands may be open, and few of them wait.
        let tries = self.backoff.places().filter(is_open);
        let tries = tries.filter_map(|place| self.backoff.until(place));
        let pending = self.pending.values().filter(|_| self.output.is_deleted());
        let ends = pending.flat_map(|pending| pending.retiring.values());
        let ends = ends.filter_map(|since| (*since)?.checked_add(self.grace));
        let ends = ends.chain(self.leftovers.deadlines(self.grace));
        tries.chain(ends).chain(self.backoff.pause()).filter(|at| *at > now).min()
    }

    /// It was written, and this is what the cluster says it is now.
    pub fn wrote(
        &mut self,
        place: &Key,
        version: Option<u64>,
        object: Option<&Value>,
        now: Instant,
    ) {
        let in_flight = self.in_flight.remove(place);
        self.backoff.succeeded(place);
        if self.is_outdated(place, in_flight.as_ref(), version) {
            // What the watch has told since is what there is.
            self.reconcile(place, None, now);
            return;
        }
        self.see(place, version, object, now);
        let sent = match &in_flight {
            Some(InFlight::Apply { sent, .. }) => Some(sent),
            Some(InFlight::Delete { .. }) | None => None,
        };
        let waits = self.pending.get(&place.namespace).and_then(|pending| pending.get(place));
        // A webhook changes it on its way: sending it again and again does not help.
        if sent.is_some() && sent == waits {
            let error =
                "the API server stores a changed object: look for a webhook that changes it";
            self.failed(place, ApplyError::Here(error.to_owned()), now);
        }
    }

    /// True if the watch already delivered a newer version (deleted or recreated) than this response.
    fn is_outdated(&self, place: &Key, in_flight: Option<&InFlight>, version: Option<u64>) -> bool {
        match in_flight {
            Some(InFlight::Apply { gone, .. }) => {
                gone.zip(version).is_some_and(|(gone, version)| version < gone)
            }
            // It has been made anew under that name.
            Some(InFlight::Delete { uid }) => {
                self.seen.get(place).is_some_and(|seen| seen.uid != *uid)
            }
            None => false,
        }
    }

    /// It could not be written.
    pub fn failed(&mut self, place: &Key, error: ApplyError, now: Instant) {
        self.in_flight.remove(place);
        let everywhere = matches!(error, ApplyError::Everywhere(_));
        if everywhere {
            self.behind = Some(place.clone());
        }
        self.backoff.failed(place, error, now);
        let waits = |namespace: &String| everywhere || *namespace == place.namespace;
        let pending = self.pending.iter().filter(|(namespace, _)| waits(namespace));
        let open = pending.flat_map(|(_, pending)| pending.all());
        let places: Vec<Key> = open.map(|(place, _)| place.clone()).collect();
        for place in places.iter().chain([place]) {
            self.tell(place);
        }
    }

    /// Takes the new publish statuses.
    pub fn drain_updates(&mut self) -> Vec<PublishStatus> {
        let stale = mem::take(&mut self.publish_statuses.stale);
        stale
            .into_iter()
            .filter_map(|(key, place)| {
                let publish_status = self.publish_status(key, &place);
                let told = self.publish_statuses.told.get(&publish_status.key);
                // The controller waits for the report that a retiring bundle is gone.
                let awaited = self.wanted.get(&place).is_some_and(|wanted| wanted.retiring);
                let nothing =
                    publish_status.digest.is_none() && publish_status.error.is_none() && !awaited;
                if told.map_or(nothing, |told| *told == publish_status) {
                    return None;
                }
                if nothing {
                    self.publish_statuses.told.remove(&publish_status.key);
                } else {
                    self.publish_statuses
                        .told
                        .insert(publish_status.key.clone(), publish_status.clone());
                }
                Some(publish_status)
            })
            .collect()
    }

    /// Compares what is wanted of an object with what is there: `there`, if that was just seen.
    fn reconcile(&mut self, place: &Key, there: Option<&Value>, now: Instant) {
        self.tell(place);
        let pending = self.pending.entry(place.namespace.clone()).or_default();
        let was_pending = pending.remove(place);
        let wanted = self.wanted.get_mut(place);
        let retires = wanted.as_ref().is_some_and(|wanted| wanted.retiring);
        let inert = wanted.as_ref().and_then(|wanted| self.output.inert(&wanted.bundle.key));
        let says_nothing = |seen: &&Seen| inert.is_some_and(|inert| seen.says_digest(&inert));
        // What is to go and says nothing has gone.
        let seen = self.seen.get(place).filter(|seen| !(retires && says_nothing(seen)));
        // An object with a readable bundle retires with the plan, which knows nothing of one without.
        let is_stray = wanted.is_none() && seen.is_some_and(|seen| seen.held.is_none());
        if (retires && seen.is_some()) || (is_stray && self.output.is_deleted()) {
            pending.retiring.entry(place.clone()).or_default();
        } else {
            pending.retiring.remove(place);
        }
        if let Some(wanted) = wanted
            && (!retires || seen.is_some())
        {
            let there = there.map(Cow::Borrowed);
            let there = there.or_else(|| seen.map(|seen| Cow::Owned(seen.object.value())));
            let module_not_ready = self.module_readiness.is_some();
            wanted.reconcile(place, there.as_deref(), &self.output, module_not_ready, pending);
            if wanted.was_there && self.leading && !was_pending && pending.has(place) {
                self.backoff.changed(place, now);
            }
        }
        self.settle(&place.namespace, now);
    }

    /// Says since when a namespace has been as it should be.
    fn settle(&mut self, namespace: &str, now: Instant) {
        let settled = self.pending.get(namespace).is_none_or(Pending::is_settled);
        let whole = settled && self.is_whole(namespace);
        if self.leftovers.is_in(namespace) {
            let replaced = whole && self.kept(namespace).next().is_some();
            self.leftovers.settle(namespace, replaced, now);
        }
        let Some(pending) = self.pending.get_mut(namespace) else { return };
        for since in pending.retiring.values_mut() {
            *since = whole.then(|| since.unwrap_or(now));
        }
        if settled && pending.retiring.is_empty() {
            self.pending.remove(namespace);
        }
    }

    /// Does every bundle of the settled namespace have its object, none of them with a foreign field that changes its meaning?
    fn is_whole(&self, namespace: &str) -> bool {
        let is_frozen = |desired: &Arc<Desired>| desired.frozen.contains(namespace);
        !self.desired.as_ref().is_some_and(is_frozen)
            && self.kept(namespace).all(|wanted| wanted.foreign_field.is_none())
    }

    /// The desired objects of a namespace that stay.
    fn kept(&self, namespace: &str) -> impl Iterator<Item = &Wanted> {
        let wanted = within(namespace, &self.wanted).map(|(_, wanted)| wanted);
        wanted.filter(|wanted| !wanted.retiring)
    }

    fn is_due(&self, place: &Key, now: Instant) -> bool {
        !self.in_flight.contains_key(place)
            && self.backoff.until(place).is_none_or(|until| until <= now)
    }

    fn tell(&mut self, place: &Key) {
        let wanted = self.wanted.get(place).map(|wanted| &wanted.bundle.key);
        let held = self.seen.get(place).and_then(|seen| seen.held.as_ref());
        if let Some(key) = held.map(|held| &held.key).or(wanted) {
            self.publish_statuses.stale.insert(key.clone(), place.clone());
        }
    }

    fn publish_status(&self, key: BundleKey, place: &Key) -> PublishStatus {
        let wanted = self.wanted.get(place);
        let kept = wanted.is_some_and(|wanted| !wanted.retiring);
        let inert = self.output.inert(&key).filter(|_| !kept);
        let seen = self.seen.get(place).filter(|seen| {
            // A file that says nothing, and of which nothing is wanted, is as good as none.
            let holds_it = seen.held.as_ref().is_some_and(|held| held.key == key);
            holds_it && !inert.is_some_and(|inert| seen.says_digest(&inert))
        });
        let pending = self.pending.get(&place.namespace);
        let is_pending = pending.is_some_and(|pending| pending.has(place));
        // What goes on with the module it names, and says what it should, need not worry anybody.
        let is_right = seen.zip(wanted).is_some_and(|(s, w)| s.says_digest(&w.bundle));
        let waits = pending.is_some_and(|pending| !is_right && pending.waiting.contains(place));
        let waits = self.module_readiness.as_ref().filter(|_| waits);
        let error = |place: &Key| self.backoff.error(place, true);
        // What is new waits for what exists.
        let behind = || {
            let updates = &pending.filter(|pending| pending.creations.contains_key(place))?.updates;
            let (first, error) = updates.keys().find_map(|place| Some((place, error(place)?)))?;
            let Key { namespace, name } = first;
            Some(format!("waiting for the object `{namespace}/{name}`, which comes first: {error}"))
        };
        // A refusal is over where nothing is left to do: the answer that it was done was lost, or another leader did it.
        let is_open =
            is_pending || pending.is_some_and(|pending| pending.retiring.contains_key(place));
        let refused = self.backoff.error(place, is_pending).filter(|_| is_open);
        let error = refused.or_else(|| waits.cloned());
        // It is there, and for other proxies or with another meaning: nothing of it counts as published.
        let foreign_field =
            wanted.filter(|_| kept && is_right).and_then(|w| w.foreign_field.as_ref());
        let error = error.or_else(behind).or_else(|| {
            let (field, Key { namespace, name }) = (foreign_field?, place);
            Some(format!(
                "a foreign field manager has added `{field}` to the object `{namespace}/{name}`, which changes its meaning: remove the field"
            ))
        });
        let seen = seen.filter(|_| foreign_field.is_none());
        let digest = seen.and_then(|seen| seen.held.as_ref()?.digest.clone());
        PublishStatus { key, digest, error }
    }
}

// === impl PublishStatuses ===

impl PublishStatuses {
    /// An object is not there any more, or not as it was.
    fn gone(&mut self, place: &Key, known: Option<Seen>) {
        let held = known.and_then(|known| known.held);
        self.stale.extend(held.map(|held| (held.key, place.clone())));
    }
}

// === impl Wanted ===

impl Wanted {
    /// Puts down what is to be written, and what waits for the module.
    fn reconcile(
        &mut self,
        place: &Key,
        there: Option<&Value>,
        output: &Output,
        module_not_ready: bool,
        pending: &mut Pending,
    ) {
        let Some(object) = output.object(&self.bundle, None) else { return };
        let module = output.module_of(&object);
        let names = there.and_then(|there| output.module_of(there));
        let names_it = module == names;
        // An object keeps its module while no server has the current one.
        let kept = names.filter(|_| module_not_ready && !names_it);
        let object =
            kept.and_then(|kept| output.object(&self.bundle, Some(&kept))).unwrap_or(object);
        pending.waiting.extend((module_not_ready && !names_it).then(|| place.clone()));
        self.foreign_field = there.and_then(|there| foreign_field(there, &object));
        match there {
            Some(there) if is_as(there, &object) => self.was_there = true,
            Some(_) => {
                pending.updates.insert(place.clone(), JsonText::of(&object));
            }
            // A new one needs the current module.
            None if module_not_ready && module.is_some() => {}
            None => {
                pending.creations.insert(place.clone(), JsonText::of(&object));
            }
        }
    }
}

/// The object of a bundle; nothing for one without a namespace.
fn place(key: &BundleKey) -> Option<Key> {
    Some(Key { namespace: key.namespace()?.to_owned(), name: key.object_name() })
}

#[cfg(test)]
mod tests;
