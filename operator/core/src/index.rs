//! Index: every policy there is, what is said about it, what of it is in force, and the state of its cluster. A state machine without IO.

mod entry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_policy::{Finding, PolicyId, finding};
use serde_json::Value;

pub use self::entry::{Entry, PolicyInForce};
use crate::capabilities::Reach;
use crate::cluster_state::{Change, ClusterState, Key, NamespaceMode};
use crate::event::Problem;
use crate::guardrails::{Guardrail, GuardrailStates};
use crate::json_text::JsonText;
use crate::object::{CheckedObject, Object};
use crate::origin_sets::{self, OriginSets};
use crate::targets::{Placement, ProxySet, Target, TargetProxies};
use crate::traffic::Traffic;
use crate::validation::{Accepted, Context, Validation, validate_object};

/// The mode of a policy that is switched off.
const OFF: &str = "Off";

/// The reason why no policy is in force under the argument `--off`, which outranks the switch.
const STOPPED_BY_FLAG: &str = "the operator runs with --off: no policy is enforced anywhere";

/// The same under the switch that the chart writes.
const STOPPED_BY_SWITCH: &str =
    "the value `enforcement` of the chart is Off: no policy is enforced anywhere";

/// Every policy there is.
#[derive(Debug)]
pub struct Index {
    reach: Reach,
    entries: BTreeMap<PolicyId, Box<Entry>>,
    /// The state of the cluster.
    pub(crate) cluster_state: ClusterState,
    /// The origin sets.
    pub(crate) origin_sets: OriginSets,
    /// The guardrails.
    pub(crate) guardrails: GuardrailStates,
    /// Everything wrong outside of policies.
    pub(crate) problems: Vec<Problem>,
    /// In force before a restart, of policies that no source has shown yet.
    remembered: BTreeMap<PolicyId, PolicyInForce>,
    /// The parts that have changed since the last call.
    changed: BTreeSet<Scope>,
    /// The parts of which nothing but a status was written since the controller took them: what is planned follows from the rest.
    pub(crate) restated: BTreeSet<Scope>,
    /// The reason why no policy is enforced anywhere, if there is one.
    stopped: Option<&'static str>,
    /// Whether this replica writes; if not, the leader's statuses count.
    pub(crate) leading: bool,
}

/// A part of what there is that can be planned by itself: no policy reaches beyond it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All policies, for one place.
    All,
    /// A namespace.
    Namespace(String),
}

// === impl Index ===

impl Index {
    /// An empty index.
    pub fn new(reach: Reach) -> Self {
        Self {
            reach,
            entries: BTreeMap::new(),
            cluster_state: ClusterState::default(),
            origin_sets: OriginSets::default(),
            guardrails: GuardrailStates::default(),
            problems: Vec::new(),
            remembered: BTreeMap::new(),
            // No policy is an answer too.
            changed: (reach == Reach::One).then_some(Scope::All).into_iter().collect(),
            restated: BTreeSet::new(),
            stopped: None,
            leading: reach == Reach::One,
        }
    }

    /// The effective target of a policy of `namespace`.
    pub(crate) fn place(&self, target: &Target, namespace: &str) -> Placement {
        let Reach::Targets(served) = self.reach else {
            let proxies = TargetProxies::Workloads(Arc::default());
            let places = vec![ProxySet { proxies, ports: None }];
            return Placement { places, ..Placement::default() };
        };
        target.place(namespace, &self.cluster_state, served.gateway_controllers)
    }

    /// The number of workloads, with a proxy or without, if they are visible.
    pub(crate) fn count(&self, placement: &Placement, namespace: &str) -> Option<usize> {
        let pods = self.reach.pods()?;
        let running = pods.of(namespace, &self.cluster_state);
        Some(running.filter(|pod| pods.is_placed(placement, namespace, *pod)).count())
    }

    /// The traffic report of a namespace.
    pub(crate) fn traffic<'s>(&'s self, namespace: &'s str) -> Traffic<'s> {
        let sees_sidecars = self.reach.pods().is_some() && self.reach.serves_workloads();
        Traffic::of(namespace, &self.cluster_state, sees_sidecars)
    }

    /// From now on no policy is enforced anywhere.
    pub fn stop(&mut self) {
        self.stopped = Some(STOPPED_BY_FLAG);
        self.touch_all();
    }

    /// Takes in what the switch of the whole cluster says.
    pub(crate) fn switch(&mut self, is_on: bool) {
        let stopped = (!is_on).then_some(STOPPED_BY_SWITCH);
        if self.stopped != Some(STOPPED_BY_FLAG) && self.stopped != stopped {
            self.stopped = stopped;
            self.touch_all();
        }
    }

    /// True where no policy is enforced anywhere.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Takes in what was in force before a restart. `false`: nothing can be made of that spec, and it is forgotten.
    pub fn remember(&mut self, id: PolicyId, generation: i64, spec: &Value) -> bool {
        let text = JsonText::of(spec).into();
        let object = Object { id, place: None, generation: None, text, record: None };
        let Some(in_force) = self.accept(generation, &object) else { return false };
        self.remembered.insert(object.id, in_force);
        true
    }

    /// The spec of an object as it would be in force, unless it is refused.
    fn accept(&self, generation: i64, object: &Object) -> Option<PolicyInForce> {
        let accepted = self.validation(object, true).accepted?;
        Some(PolicyInForce { generation, accepted })
    }

    fn validation(&self, object: &Object, accepted_before: bool) -> Validation {
        let (reach, sets) = (self.reach, &self.origin_sets.origins);
        let context = Context { reach, sets, accepted_before, may_have_others: false };
        validate_object(object, context)
    }

    /// The validation of an object, where `strict` is that of a new one: a spec that was accepted once stays accepted until it is
    /// edited. `kept`: the spec in force, where it is of the object's generation.
    fn or_kept(&self, strict: Validation, object: &Object, kept: Option<&JsonText>) -> Validation {
        let is_kept = kept.is_some() && strict.spec.as_ref() == kept;
        if strict.accepted.is_some() || !is_kept { strict } else { self.validation(object, true) }
    }

    /// The spec in force, switched off.
    fn off(&self, object: &Object, in_force: &PolicyInForce) -> Option<PolicyInForce> {
        let mut spec = in_force.spec.value();
        spec.as_object_mut()?.insert("mode".to_owned(), OFF.into());
        let text = JsonText::of(&spec).into();
        self.accept(in_force.generation, &Object { text, ..object.clone() })
    }

    /// A policy is there, new or changed.
    pub fn apply(&mut self, mut object: Object) {
        let previous = self.entries.get(&object.id).map(Box::as_ref);
        if previous.is_some_and(|previous| previous.object == object) {
            return;
        }
        // A status was written, most often: what the object says is kept once, for what is in force refers to it too.
        if let Some(same) = previous.filter(|previous| previous.object.text == object.text) {
            object.text.clone_from(&same.object.text);
        }
        // A file was renamed, or a status written: there is nothing new to say.
        let known = previous.filter(|previous| previous.object.says_the_same(&object));
        let strict =
            known.map_or_else(|| self.validation(&object, false), |known| known.validation.clone());
        let mut in_force = self.in_force_of(&object, previous, strict.accepted.as_ref());
        let generation = generation(&object, previous, in_force.as_ref());
        let kept = in_force.as_ref().filter(|it| known.is_none() && it.generation == generation);
        let validation = self.or_kept(strict, &object, kept.map(|kept| &kept.spec));
        // It is kept once where that is what the object says too.
        if let (Some(in_force), Some(accepted)) = (&mut in_force, &validation.accepted)
            && in_force.accepted == *accepted
        {
            in_force.accepted = Arc::clone(accepted);
        }
        let is_stopped = validation.accepted.is_none() && says_off(&object);
        let stopped = in_force.as_ref().filter(|_| is_stopped);
        let stopped = stopped.and_then(|in_force| self.off(&object, in_force));
        let id = object.id.clone();
        let enforced = previous.and_then(|previous| previous.enforced);
        let entry = Entry { object, generation, validation, in_force, enforced, stopped };
        let scope = Scope::of(self.reach, &id.namespace);
        if scope != Scope::All && previous.is_some_and(|it| entry.is_restated(it)) {
            self.restated.insert(scope);
        } else {
            self.changed.insert(scope);
        }
        self.entries.insert(id, Box::new(entry));
    }

    /// A policy is there, validated in the context of the files that it is in.
    pub fn apply_validated(&mut self, object: Object, validation: Validation) {
        self.changed.insert(Scope::of(self.reach, &object.id.namespace));
        let (id, generation) = (object.id.clone(), object.generation.unwrap_or(1));
        let (in_force, enforced, stopped) = (None, None, None);
        let entry = Entry { object, generation, validation, in_force, enforced, stopped };
        self.entries.insert(id, Box::new(entry));
    }

    /// The spec in force of an object that was just delivered, and is `accepted` as it is now.
    fn in_force_of(
        &self,
        object: &Object,
        previous: Option<&Entry>,
        accepted: Option<&Arc<Accepted>>,
    ) -> Option<PolicyInForce> {
        let is_same = previous.is_some_and(|previous| previous.object.uid() == object.uid());
        let known = match previous {
            Some(previous) if is_same => previous.in_force.clone(),
            // Another object of that name is another policy.
            Some(_) => None,
            None => self.remembered.get(&object.id).cloned(),
        };
        // The leader published it, and does not read its own status.
        if self.leading && is_same {
            return known;
        }
        let Some((generation, spec)) = object.recorded() else { return known };
        // A status may be older than what was seen to be published.
        let is_known = |known: &PolicyInForce| {
            known.generation > generation || (known.generation == generation && known.spec == spec)
        };
        if known.as_ref().is_some_and(is_known) {
            return known;
        }
        // Most often it is what the object says, too.
        if let Some(same) = accepted.filter(|accepted| accepted.spec == spec) {
            return Some(PolicyInForce { generation, accepted: Arc::clone(same) });
        }
        self.accept(generation, &Object { text: spec.into(), ..object.clone() }).or(known)
    }

    /// A policy is gone.
    pub fn delete(&mut self, id: &PolicyId) {
        self.remembered.remove(id);
        if self.entries.remove(id).is_some() {
            self.changed.insert(Scope::of(self.reach, &id.namespace));
        }
    }

    /// These policies are there, and no others.
    pub fn reset(&mut self, objects: Vec<Object>) {
        let ids: BTreeSet<PolicyId> = objects.iter().map(|object| object.id.clone()).collect();
        self.remembered.retain(|id, _| ids.contains(id));
        let gone: Vec<PolicyId> =
            self.entries.keys().filter(|id| !ids.contains(id)).cloned().collect();
        for id in &gone {
            self.delete(id);
        }
        for object in objects {
            self.apply(object);
        }
    }

    /// This is everything wrong outside of policies.
    pub fn report(&mut self, problems: Vec<Problem>) {
        if self.problems != problems {
            self.problems = problems;
            self.changed.extend((self.reach == Reach::One).then_some(Scope::All));
        }
    }

    /// Something that policies depend on changed.
    pub fn change(&mut self, change: Change) {
        let mut namespaces = change.namespaces(&self.cluster_state);
        if let (Some(namespaces), Some(pods)) = (&mut namespaces, self.reach.pods()) {
            namespaces.append(&mut pods.gateway_namespaces(&change, &self.cluster_state));
        }
        let is_set = matches!(change, Change::OriginSet(_));
        let is_guardrail = matches!(change, Change::Guardrail(_));
        if !self.cluster_state.on(change)
            || is_guardrail && !self.guardrails.validate(&self.cluster_state.guardrails)
        {
            return;
        }
        if is_set {
            let changed = self.origin_sets.validate(&self.cluster_state.origin_sets);
            self.revalidate_users(&changed);
            namespaces = Some(changed.into_iter().map(|key| key.namespace).collect());
        }
        let Some(namespaces) = namespaces else { return self.touch_all() };
        self.changed.extend(namespaces.iter().map(|namespace| Scope::of(self.reach, namespace)));
    }

    /// Reviews again the policies that name one of these sets.
    fn revalidate_users(&mut self, sets: &BTreeSet<Key>) {
        let names_one = |entry: &Entry| {
            let namespace = &entry.object.id.namespace;
            // The spec is read only where it may matter.
            let spec = entry.object.spec();
            spec.filter(|_| sets.iter().any(|set| set.namespace == *namespace))
                .map(|spec| origin_sets::names(&spec.value()))
                .into_iter()
                .flatten()
                .any(|name| sets.contains(&Key { namespace: namespace.clone(), name }))
        };
        let users = self.entries.values().filter(|entry| names_one(entry));
        let validations = users.map(|entry| {
            let Entry { object, generation, in_force, .. } = &**entry;
            let kept = in_force.as_ref().filter(|it| it.generation == *generation);
            let strict = self.validation(object, false);
            (object.id.clone(), self.or_kept(strict, object, kept.map(|kept| &kept.spec)))
        });
        for (id, validation) in validations.collect::<Vec<_>>() {
            if let Some(entry) = self.entry_mut(&id) {
                entry.validation = validation;
            }
        }
    }

    fn touch_all(&mut self) {
        // No policy is an answer too.
        self.changed.extend((self.reach == Reach::One).then_some(Scope::All));
        self.changed.extend(self.entries.keys().map(|id| Scope::of(self.reach, &id.namespace)));
    }

    /// The validation of an object as if it existed now.
    pub fn validate(&self, object: &CheckedObject) -> Vec<Finding> {
        match object {
            CheckedObject::CorsPolicy(object) => {
                let Validation { accepted, mut findings, .. } = self.validation(object, false);
                if let Some(accepted) = accepted {
                    let Accepted { policy, target, .. } = &*accepted;
                    let namespace = &object.id.namespace;
                    let placement = self.place(target, namespace);
                    let traffic = self.traffic(namespace);
                    findings.extend(accepted.exceeded(&self.guardrails_of(namespace)));
                    findings.extend(placement.findings().cloned());
                    findings.extend(traffic.findings(target.field(), &placement, policy.keeps()));
                }
                finding::sort(&mut findings);
                findings
            }
            CheckedObject::OriginSet(spec) => origin_sets::parse(spec).1,
            // No finding names the object.
            CheckedObject::ClusterCorsPolicy(spec) => Guardrail::parse("", spec).1,
        }
    }

    /// Runs `look` as if that policy existed, and restores the index afterwards.
    pub(crate) fn rehearse<T>(&mut self, object: Object, look: impl FnOnce(&Self) -> T) -> T {
        let id = object.id.clone();
        let (changed, restated) = (self.changed.clone(), self.restated.clone());
        let before = self.entries.get(&id).cloned();
        self.apply(object);
        let seen = look(self);
        self.entries.remove(&id);
        self.entries.extend(before.map(|entry| (id, entry)));
        (self.changed, self.restated) = (changed, restated);
        seen
    }

    /// Takes the parts that have changed since the last call.
    pub fn take_changed(&mut self) -> BTreeSet<Scope> {
        std::mem::take(&mut self.changed)
    }

    /// A policy, to record what proxies run of it.
    pub(crate) fn entry_mut(&mut self, id: &PolicyId) -> Option<&mut Entry> {
        self.entries.get_mut(id).map(Box::as_mut)
    }

    /// Every policy, by namespace and name.
    pub fn entries(&self) -> &BTreeMap<PolicyId, Box<Entry>> {
        &self.entries
    }

    /// The policies of a part.
    pub(crate) fn entries_of(&self, scope: &Scope) -> impl Iterator<Item = (&PolicyId, &Entry)> {
        let namespace = scope.namespace();
        let first =
            PolicyId { namespace: namespace.unwrap_or_default().to_owned(), name: String::new() };
        let all = self.entries.range(first..).map(|(id, entry)| (id, &**entry));
        all.take_while(move |(id, _)| namespace.is_none_or(|namespace| id.namespace == namespace))
    }

    /// The place in which policies apply.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The reason why no policy of a part is enforced, if there is one.
    pub(crate) fn why_off(&self, scope: &Scope) -> Option<&'static str> {
        self.stopped.or_else(|| {
            let namespace = self.cluster_state.namespaces.get(scope.namespace()?)?;
            let says_off = "the namespace's annotation corsward.io/mode says Off";
            (namespace.mode == NamespaceMode::Off).then_some(says_off)
        })
    }

    /// The guardrails of a namespace.
    pub(crate) fn guardrails_of(&self, namespace: &str) -> Vec<Guardrail> {
        let known = self.cluster_state.namespaces.get(namespace);
        let labels = known.map(|namespace| namespace.labels.clone()).unwrap_or_default();
        // Labels of namespaces are known in a cluster only.
        let is_meant = |it: &&Guardrail| self.reach == Reach::One || it.selects(namespace, &labels);
        self.guardrails.in_force().filter(is_meant).cloned().collect()
    }
}

// === impl Scope ===

impl Scope {
    /// The part that a policy of that namespace is in.
    fn of(reach: Reach, namespace: &str) -> Self {
        match reach {
            Reach::One => Self::All,
            Reach::Targets(_) => Self::Namespace(namespace.to_owned()),
        }
    }

    /// The namespace it is; none for one place.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Namespace(namespace) => Some(namespace),
        }
    }
}

/// Does it ask to be switched off?
fn says_off(object: &Object) -> bool {
    let spec = object.spec().map(JsonText::value);
    spec.is_some_and(|spec| spec.get("mode").and_then(Value::as_str) == Some(OFF))
}

/// The generation of an object, counted here where its source does not count. A text that cannot be read counts for nothing.
fn generation(object: &Object, previous: Option<&Entry>, in_force: Option<&PolicyInForce>) -> i64 {
    let old = in_force.map(|in_force| &in_force.spec);
    let (known, spec) = match (object.generation, previous, in_force) {
        (Some(generation), ..) => return generation,
        (None, Some(previous), _) => (previous.generation, previous.object.spec().or(old)),
        (None, None, Some(in_force)) => (in_force.generation, old),
        (None, None, None) => return 1,
    };
    let is_new = object.spec().is_some_and(|new| Some(new) != spec);
    known.saturating_add(is_new.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Record;
    use crate::publish::istio::REACH;
    use crate::status::ConditionType;
    use crate::testing::{GOOD, REFUSED, TestOutcome, carry_out, id, object, unreadable};
    use serde_json::json;

    fn index() -> Index {
        Index::new(Reach::One)
    }

    fn in_force(index: &Index, name: &str) -> Option<i64> {
        Some(index.entries().get(&id(name))?.in_force.as_ref()?.generation)
    }

    #[test]
    fn the_same_object_again_changes_nothing() {
        let mut index = index();
        index.apply(object("a", &GOOD));
        assert_eq!(index.take_changed(), [Scope::All].into());
        index.apply(object("a", &GOOD));
        index.reset(vec![object("a", &GOOD)]);
        assert_eq!(index.take_changed(), BTreeSet::new());
    }

    #[test]
    fn a_status_that_is_written_leaves_what_is_planned() {
        let mut index = Index::new(REACH.unseen());
        index.leading = true;
        let shows = |uid: &str, spec: &Value, status: &Value| {
            let (uid, status) = (uid.to_owned(), JsonText::of(status));
            Object { record: Some(Record { uid, created: None, status }), ..object("a", spec) }
        };
        let scope = Scope::Namespace(id("a").namespace);
        let status = json!({"observedGeneration": 1});
        let off = json!({"cors": {"allowOrigins": ["https://a.example"]}, "mode": "Off"});
        for (why, object, is_planned) in [
            ("it is new", shows("u", &GOOD, &Value::Null), true),
            ("a status is written", shows("u", &GOOD, &status), false),
            ("the status is taken away", shows("u", &GOOD, &Value::Null), false),
            ("another object of that name", shows("v", &GOOD, &Value::Null), true),
            ("another text", shows("v", &off, &status), true),
        ] {
            index.apply(object);
            let scope = BTreeSet::from([scope.clone()]);
            let (changed, restated) = (index.take_changed(), std::mem::take(&mut index.restated));
            let want = if is_planned { (scope, BTreeSet::new()) } else { (BTreeSet::new(), scope) };
            assert_eq!((changed, restated), want, "{why}");
        }
    }

    #[test]
    fn a_refused_text_leaves_the_accepted_one_in_force() {
        let mut index = index();
        index.apply(object("a", &GOOD));
        let before = carry_out(&mut index);
        index.apply(object("a", &REFUSED));
        let after = carry_out(&mut index);
        assert_eq!(after.bundles, before.bundles);
        assert_eq!(in_force(&index, "a"), Some(1));
        assert_eq!(index.entries()[&id("a")].generation, 2);
    }

    #[test]
    fn a_refused_text_that_says_off_stops_what_is_in_force() {
        let off = json!({"cors": {"allowOrigins": ["https://a.example/"]}, "mode": "Off"});
        let nothing = plan_of_nothing().bundles;
        let mut index = index();
        index.apply(object("a", &GOOD));
        let before = carry_out(&mut index);
        index.apply(object("a", &off));
        let stopped = carry_out(&mut index);
        assert_eq!(stopped.bundles, nothing);
        let status = &stopped.statuses[0];
        assert!(!status.holds(ConditionType::Accepted), "what is refused is still said");
        let programmed = status.condition(ConditionType::Programmed).unwrap();
        assert!(programmed.message.contains("switched off"), "{}", programmed.message);
        index.apply(object("a", &REFUSED));
        assert_eq!(carry_out(&mut index).bundles, nothing, "nothing newer is accepted");
        index.apply(object("a", &GOOD));
        assert_eq!(carry_out(&mut index).bundles, before.bundles);
    }

    #[test]
    fn a_refused_text_that_says_off_stops_what_was_in_force_before_a_restart() {
        let off = json!({"cors": {"allowOrigin": []}, "mode": "Off"});
        let mut index = index();
        assert!(index.remember(id("a"), 7, &GOOD));
        index.reset(vec![object("a", &off)]);
        assert_eq!(carry_out(&mut index).bundles, plan_of_nothing().bundles);
    }

    fn plan_of_nothing() -> TestOutcome {
        carry_out(&mut index())
    }

    #[test]
    fn a_text_that_cannot_be_read_leaves_the_accepted_one_in_force() {
        let mut index = index();
        index.apply(object("a", &GOOD));
        let before = carry_out(&mut index);
        index.apply(unreadable("a"));
        assert_eq!(carry_out(&mut index).bundles, before.bundles);
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
        assert!(index.remember(id("a"), 7, &GOOD));
        index.reset(vec![object("a", &REFUSED)]);
        carry_out(&mut index);
        assert_eq!(in_force(&index, "a"), Some(7));
        assert_eq!(index.entries()[&id("a")].generation, 8);
    }

    #[test]
    fn what_was_deleted_while_nobody_looked_is_forgotten() {
        let mut index = index();
        index.remember(id("a"), 7, &GOOD);
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
        index.delete(&id("a"));
        index.apply(object("a", &REFUSED));
        carry_out(&mut index);
        assert_eq!(in_force(&index, "a"), None);
    }

    #[test]
    fn a_spec_that_was_accepted_once_stays_so_until_it_is_edited() {
        let mut index = index();
        assert!(index.remember(id("a"), 7, &REFUSED));
        index.reset(vec![object("a", &REFUSED)]);
        let outcome = carry_out(&mut index);
        assert!(outcome.statuses[0].holds(ConditionType::Accepted));
        let codes: Vec<_> = outcome.statuses[0].findings.iter().map(Finding::code).collect();
        assert!(codes.contains(&"CORS-W531"), "and a warning says what is refused now: {codes:?}");
        assert_eq!(in_force(&index, "a"), Some(7));
        let edited = serde_json::json!({"cors": {"allowOrigins": ["https://b.example/"]}});
        index.apply(object("a", &edited));
        assert!(!carry_out(&mut index).statuses[0].holds(ConditionType::Accepted));
        assert_eq!(in_force(&index, "a"), Some(7));
        assert!(!index.remember(id("b"), 1, &Value::Null), "nothing can be made of it");
    }

    #[test]
    fn a_reset_withdraws_what_it_does_not_name() {
        let mut index = index();
        index.apply(object("a", &GOOD));
        index.apply(object("b", &GOOD));
        index.reset(vec![object("b", &GOOD)]);
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
