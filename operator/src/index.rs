//! Index: every policy there is, what is said about it, and what of it is in force. A state machine without IO.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use corsward_policy::{Judge, Policy, PolicyId};
use serde_json::Value;

use crate::object::{Object, Text};
use crate::review::{Review, review};
use crate::source::{Event, Problem};

/// The mode of a policy that is switched off.
const OFF: &str = "Off";

/// Every policy there is.
pub struct Index {
    judge: Arc<dyn Judge + Send + Sync>,
    entries: BTreeMap<PolicyId, Entry>,
    problems: Vec<Problem>,
    /// In force before a restart, of policies that no source has shown yet.
    remembered: BTreeMap<PolicyId, InForce>,
    /// The digest of what was published last.
    digest: Option<String>,
}

/// One policy.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As its source delivered it last.
    pub object: Object,
    /// Which version of its spec that is.
    pub generation: i64,
    /// What there is to say about it.
    pub review: Review,
    /// What the proxies run of it.
    pub in_force: Option<InForce>,
    /// What was in force, switched off: it is refused as it is now, and says `mode: Off` all the same.
    stopped: Option<InForce>,
}

/// What the proxies run of a policy: its last accepted spec, which is older than the object where that is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct InForce {
    /// Which version of the spec.
    pub generation: i64,
    /// The spec as written.
    pub spec: Arc<Value>,
    /// The policy it makes.
    pub policy: Arc<Policy>,
}

// === impl Index ===

impl Index {
    /// An empty index that asks `judge` about what the core cannot know.
    #[must_use]
    pub fn new(judge: Arc<dyn Judge + Send + Sync>) -> Self {
        let (entries, problems, remembered, digest) = Default::default();
        Self { judge, entries, problems, remembered, digest }
    }

    /// Takes in what was in force before a restart. `false`: this release refuses that spec, and it is forgotten.
    pub fn remember(&mut self, id: PolicyId, generation: i64, spec: Value) -> bool {
        let Some(in_force) = self.accept(&id, generation, spec) else { return false };
        self.remembered.insert(id, in_force);
        true
    }

    /// That spec as it would be in force, unless it is refused.
    fn accept(&self, id: &PolicyId, generation: i64, spec: Value) -> Option<InForce> {
        let spec = Arc::new(spec);
        let text = Text::Spec { spec: Arc::clone(&spec), findings: Vec::new() };
        let object = Object { id: id.clone(), place: None, generation: None, text, record: None };
        let policy = review(&object, &*self.judge).policy?;
        Some(InForce { generation, spec, policy })
    }

    /// What is in force, switched off.
    fn off(&self, id: &PolicyId, in_force: &InForce) -> Option<InForce> {
        let mut spec = (*in_force.spec).clone();
        spec.as_object_mut()?.insert("mode".to_owned(), OFF.into());
        self.accept(id, in_force.generation, spec)
    }

    /// Takes in an event; `true`: something changed.
    pub fn on(&mut self, event: Event) -> bool {
        match event {
            Event::Apply(object) => self.apply(*object),
            Event::Delete(id) => self.delete(&id),
            Event::Reset(objects) => self.reset(objects),
            Event::Problems(problems) => self.report(problems),
            Event::Surroundings(_) | Event::Synced | Event::Published(_) | Event::Leading(_) => {
                false
            }
        }
    }

    /// A policy is there, new or changed.
    pub fn apply(&mut self, object: Object) -> bool {
        let previous = self.entries.get(&object.id);
        if previous.is_some_and(|previous| previous.object == object) {
            return false;
        }
        let in_force = match previous {
            Some(previous) => previous.in_force.clone(),
            None => self.remembered.remove(&object.id),
        };
        let generation = generation(&object, previous, in_force.as_ref());
        let review = match previous {
            // A file was renamed: there is nothing new to say.
            Some(previous) if previous.object.text == object.text => previous.review.clone(),
            _ => review(&object, &*self.judge),
        };
        let stopped = match &in_force {
            Some(in_force) if review.policy.is_none() && says_off(&object) => {
                self.off(&object.id, in_force)
            }
            _ => None,
        };
        let id = object.id.clone();
        self.entries.insert(id, Entry { object, generation, review, in_force, stopped });
        true
    }

    /// A policy is gone.
    pub fn delete(&mut self, id: &PolicyId) -> bool {
        self.remembered.remove(id);
        self.entries.remove(id).is_some()
    }

    /// These policies are there, and no others.
    pub fn reset(&mut self, objects: Vec<Object>) -> bool {
        let ids: BTreeSet<PolicyId> = objects.iter().map(|object| object.id.clone()).collect();
        let gone: Vec<PolicyId> =
            self.entries.keys().filter(|id| !ids.contains(id)).cloned().collect();
        self.remembered.retain(|id, _| ids.contains(id));
        let mut changed = false;
        for id in &gone {
            changed |= self.delete(id);
        }
        for object in objects {
            changed |= self.apply(object);
        }
        changed
    }

    /// This is everything wrong outside of policies.
    pub fn report(&mut self, problems: Vec<Problem>) -> bool {
        let changed = self.problems != problems;
        self.problems = problems;
        changed
    }

    /// A plan is carried out: proxies run this now.
    pub fn settle(&mut self, in_force: &BTreeMap<PolicyId, InForce>, digest: Option<&str>) {
        for (id, entry) in &mut self.entries {
            entry.in_force = in_force.get(id).cloned();
        }
        if let Some(digest) = digest {
            self.digest = Some(digest.to_owned());
        }
    }

    /// The digest of what was published last.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Every policy, by namespace and name.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<PolicyId, Entry> {
        &self.entries
    }

    /// Everything wrong outside of policies.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("entries", &self.entries).finish_non_exhaustive()
    }
}

// === impl Entry ===

impl Entry {
    /// What the proxies should run of it: what it says now, else what it said when that was last accepted. `mode: Off` always
    /// counts: whoever has to stop a policy must not have to correct it first.
    #[must_use]
    pub fn wanted(&self) -> Option<InForce> {
        match (&self.review.policy, self.object.spec()) {
            (Some(policy), Some(spec)) => Some(InForce {
                generation: self.generation,
                spec: Arc::clone(spec),
                policy: Arc::clone(policy),
            }),
            _ => self.stopped.as_ref().or(self.in_force.as_ref()).cloned(),
        }
    }

    /// Is it accepted as it is now?
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.review.policy.is_some()
    }
}

/// Does it ask to be switched off?
fn says_off(object: &Object) -> bool {
    object.spec().and_then(|spec| spec.get("mode")).and_then(Value::as_str) == Some(OFF)
}

/// The generation of an object, counted here where its source does not count. A text that cannot be read counts for nothing.
fn generation(object: &Object, previous: Option<&Entry>, in_force: Option<&InForce>) -> i64 {
    let old = in_force.map(|in_force| (in_force.generation, &in_force.spec));
    let known = match previous {
        Some(previous) => {
            let spec = previous.object.spec().or(old.map(|(_, spec)| spec));
            Some((previous.generation, spec))
        }
        None => old.map(|(generation, spec)| (generation, Some(spec))),
    };
    match (object.generation, known) {
        (Some(generation), _) => generation,
        (None, None) => 1,
        (None, Some((generation, known))) => match object.spec() {
            Some(spec) if Some(spec) != known => generation.saturating_add(1),
            _ => generation,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, plan};
    use crate::status::ConditionType;
    use crate::testing::{GOOD, REFUSED, id, object, unreadable};
    use corsward_policy::validate::NoJudge;
    use serde_json::json;

    fn index() -> Index {
        Index::new(Arc::new(NoJudge))
    }

    /// Plans, and lets the plan come into force.
    fn carry_out(index: &mut Index) -> Plan {
        let plan = plan(index);
        plan.settle(index);
        plan
    }

    fn in_force(index: &Index, name: &str) -> Option<i64> {
        Some(index.entries().get(&id(name))?.in_force.as_ref()?.generation)
    }

    #[test]
    fn the_same_object_again_changes_nothing() {
        let mut index = index();
        assert!(index.apply(object("a", &GOOD)));
        assert!(!index.apply(object("a", &GOOD)));
        assert!(!index.reset(vec![object("a", &GOOD)]));
    }

    #[test]
    fn a_refused_text_leaves_the_accepted_one_in_force() {
        let mut index = index();
        index.apply(object("a", &GOOD));
        let before = carry_out(&mut index);
        index.apply(object("a", &REFUSED));
        let after = carry_out(&mut index);
        assert_eq!(after.attachments, before.attachments);
        assert_eq!(in_force(&index, "a"), Some(1));
        assert_eq!(index.entries()[&id("a")].generation, 2);
    }

    #[test]
    fn a_refused_text_that_says_off_stops_what_is_in_force() {
        let off = json!({"cors": {"allowOrigins": ["https://a.example/"]}, "mode": "Off"});
        let nothing = plan_of_nothing().attachments;
        let mut index = index();
        index.apply(object("a", &GOOD));
        let before = carry_out(&mut index);
        index.apply(object("a", &off));
        let stopped = carry_out(&mut index);
        assert_eq!(stopped.attachments, nothing);
        let status = &stopped.statuses[0];
        assert!(!status.holds(ConditionType::Accepted), "what is refused is still said");
        let programmed = status.condition(ConditionType::Programmed).unwrap();
        assert!(programmed.message.contains("switched off"), "{}", programmed.message);
        index.apply(object("a", &REFUSED));
        assert_eq!(carry_out(&mut index).attachments, nothing, "nothing newer is accepted");
        index.apply(object("a", &GOOD));
        assert_eq!(carry_out(&mut index).attachments, before.attachments);
    }

    #[test]
    fn a_refused_text_that_says_off_stops_what_was_in_force_before_a_restart() {
        let off = json!({"cors": {"allowOrigin": []}, "mode": "Off"});
        let mut index = index();
        assert!(index.remember(id("a"), 7, GOOD.clone()));
        index.reset(vec![object("a", &off)]);
        let plan = plan(&index);
        assert_eq!(plan.attachments, plan_of_nothing().attachments);
    }

    fn plan_of_nothing() -> Plan {
        plan(&index())
    }

    #[test]
    fn a_text_that_cannot_be_read_leaves_the_accepted_one_in_force() {
        let mut index = index();
        index.apply(object("a", &GOOD));
        let before = carry_out(&mut index);
        index.apply(unreadable("a"));
        assert_eq!(carry_out(&mut index).attachments, before.attachments);
    }

    #[test]
    fn a_refused_text_from_the_start_has_nothing_in_force() {
        let mut index = index();
        index.apply(object("a", &REFUSED));
        carry_out(&mut index);
        assert_eq!(in_force(&index, "a"), None);
    }

    #[test]
    fn what_was_in_force_before_a_restart_is_so_after_it() {
        let mut index = index();
        assert!(index.remember(id("a"), 7, GOOD.clone()));
        index.reset(vec![object("a", &REFUSED)]);
        carry_out(&mut index);
        assert_eq!(in_force(&index, "a"), Some(7));
        assert_eq!(index.entries()[&id("a")].generation, 8);
    }

    #[test]
    fn what_was_deleted_while_nobody_looked_is_forgotten() {
        let mut index = index();
        index.remember(id("a"), 7, GOOD.clone());
        index.reset(Vec::new());
        index.apply(object("a", &REFUSED));
        carry_out(&mut index);
        assert_eq!(in_force(&index, "a"), None);
    }

    #[test]
    fn a_deleted_policy_that_comes_back_refused_is_not_in_force() {
        let mut index = index();
        index.apply(object("a", &GOOD));
        carry_out(&mut index);
        assert!(index.delete(&id("a")));
        assert!(!index.delete(&id("a")));
        index.apply(object("a", &REFUSED));
        carry_out(&mut index);
        assert_eq!(in_force(&index, "a"), None);
    }

    #[test]
    fn a_spec_this_release_refuses_is_not_remembered() {
        assert!(!index().remember(id("a"), 1, REFUSED.clone()));
    }

    #[test]
    fn a_reset_withdraws_what_it_does_not_name() {
        let mut index = index();
        index.apply(object("a", &GOOD));
        index.apply(object("b", &GOOD));
        assert!(index.reset(vec![object("b", &GOOD)]));
        assert_eq!(index.entries().keys().collect::<Vec<_>>(), [&id("b")]);
    }

    #[test]
    fn a_generation_counts_what_is_written() {
        let mut index = index();
        let generation = |index: &Index| index.entries()[&id("a")].generation;
        index.apply(object("a", &GOOD));
        assert_eq!(generation(&index), 1);
        index.apply(Object { place: Some("renamed.yaml".into()), ..object("a", &GOOD) });
        assert_eq!(generation(&index), 1, "a rename writes nothing");
        carry_out(&mut index);
        index.apply(unreadable("a"));
        index.apply(object("a", &GOOD));
        assert_eq!(generation(&index), 1, "nor does a file while it is half written");
        index.apply(object("a", &REFUSED));
        assert_eq!(generation(&index), 2);
        index.apply(Object { generation: Some(9), ..object("a", &GOOD) });
        assert_eq!(generation(&index), 9, "a source that counts is believed");
    }
}
