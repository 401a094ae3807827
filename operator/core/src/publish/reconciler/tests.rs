//! The reconciler, step by step, beside a cluster of plain values.

mod leftovers;
mod order;

use super::*;
use crate::bundle::Bundles;
use crate::filter_module::Module;
use crate::publish::ecds::{EnvoyModule, Shell};
use crate::publish::istio::IstioKind;
use crate::publish::testing::{bundle, gateway, module, wasm_plugins, workloads};
use serde_json::json;

const GRACE: Duration = Duration::from_secs(10);

/// A reconciler, and a cluster that does what it says.
struct Stage {
    reconciler: Reconciler,
    cluster: BTreeMap<Key, Value>,
    now: Instant,
    version: u64,
}

impl Stage {
    /// A leader that has listed `cluster`.
    fn new(output: Output, cluster: BTreeMap<Key, Value>) -> Self {
        let (mut reconciler, now) = (Reconciler::new(output, GRACE), Instant::now());
        reconciler.lead(true);
        reconciler.reset(cluster.clone().into_iter().collect(), now);
        Self { reconciler, cluster, now, version: 1000 }
    }

    fn plugins() -> Self {
        Self::new(wasm_plugins(), BTreeMap::new())
    }

    fn want(&mut self, bundles: &[&Arc<Bundle>], retiring: &[&Arc<Bundle>]) {
        let entry = |bundle: &&Arc<Bundle>| (Arc::new(bundle.key.clone()), Arc::clone(bundle));
        let map = |list: &[&Arc<Bundle>]| list.iter().map(entry).collect::<Bundles>();
        let (bundles, retiring) = (map(bundles), map(retiring));
        let desired = Desired { bundles, retiring, ..Desired::default() };
        self.reconciler.want(&Arc::new(desired), self.now);
    }

    /// Wants what it wants now; in the namespaces of `frozen` something cannot be published.
    fn freeze(&mut self, frozen: &[&str]) {
        let desired = self.reconciler.desired.as_deref().cloned().unwrap();
        let frozen = frozen.iter().map(|&namespace| namespace.to_owned()).collect();
        self.reconciler.want(&Arc::new(Desired { frozen, ..desired }), self.now);
    }

    /// Makes the next write, and returns its description.
    fn step(&mut self) -> Option<String> {
        self.reconciler.next(self.now).map(|step| self.done(&step))
    }

    fn done(&mut self, step: &ObjectWrite) -> String {
        let (place, now) = (step.place().clone(), self.now);
        let version = self.bump();
        match step {
            ObjectWrite::Apply { object, repair, .. } => {
                let verb = if self.cluster.contains_key(&place) { "update" } else { "create" };
                let mut object = Value::clone(object);
                object["metadata"]["resourceVersion"] = version.to_string().into();
                object["metadata"]["uid"] = "u".into();
                self.cluster.insert(place.clone(), object.clone());
                self.reconciler.wrote(&place, Some(version), Some(&object), now);
                format!("{}{verb} {}", if *repair { "repair: " } else { "" }, place.name)
            }
            ObjectWrite::Delete { .. } => {
                self.cluster.remove(&place);
                self.reconciler.wrote(&place, None, None, now);
                format!("delete {}", place.name)
            }
            ObjectWrite::DeleteLeftover(leftover) => format!("retire {}", leftover.place.name),
        }
    }

    /// Everything that can be done at this moment.
    fn steps(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.step()).collect()
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).unwrap();
    }

    fn bump(&mut self) -> u64 {
        self.version = self.version.saturating_add(1);
        self.version
    }

    /// Changes an object as a second manager does.
    fn meddle(&mut self, key: &BundleKey, change: impl FnOnce(&mut Value)) {
        let place = place(key).unwrap();
        let version = self.bump();
        let object = self.cluster.get_mut(&place).unwrap();
        change(object);
        object["metadata"]["resourceVersion"] = version.to_string().into();
        self.reconciler.see(&place, Some(version), Some(object), self.now);
    }

    fn drain_updates(&mut self) -> Vec<(String, Option<String>, Option<String>)> {
        let publish_statuses = self.reconciler.drain_updates().into_iter();
        publish_statuses
            .map(|s| (s.key.object_name(), s.digest.map(|it| it.to_string()), s.error))
            .collect()
    }
}

fn apply(verb: &str, bundle: &Bundle) -> String {
    format!("{verb} {}", bundle.key.object_name())
}

fn published(bundle: &Bundle) -> (String, Option<String>, Option<String>) {
    (bundle.key.object_name(), Some(bundle.digest.to_string()), None)
}

#[test]
fn a_change_of_one_bundle_writes_one_object_and_equal_bytes_none() {
    let (a, b) = (bundle(&workloads(&[("app", "a")]), "1"), bundle(&gateway("g"), "1"));
    let mut stage = Stage::plugins();
    stage.want(&[&a, &b], &[]);
    assert_eq!(stage.steps().len(), 2);
    assert_eq!(stage.drain_updates().len(), 2);
    stage.want(&[&bundle(&a.key, "1"), &b], &[]);
    assert_eq!(stage.steps(), [""; 0]);
    let changed = bundle(&a.key, "2");
    stage.want(&[&changed, &b], &[]);
    assert_eq!(stage.steps(), [apply("update", &a)]);
    assert_eq!(stage.drain_updates(), [published(&changed)]);
}

#[test]
fn a_restart_with_nothing_changed_writes_nothing_and_says_what_is_there() {
    let a = bundle(&workloads(&[]), "1");
    let mut before = Stage::plugins();
    before.want(&[&a], &[]);
    before.steps();
    let mut stage = Stage::new(wasm_plugins(), before.cluster);
    assert_eq!(stage.drain_updates(), [published(&a)]);
    stage.want(&[&a], &[]);
    assert_eq!(stage.steps(), [""; 0]);
    assert_eq!(stage.drain_updates(), []);
}

#[test]
fn nothing_is_written_before_what_is_there_and_what_is_wanted_are_known_nor_by_a_follower() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    assert_eq!(stage.steps(), [""; 0], "nothing is wanted yet");
    stage.reconciler = Reconciler::new(wasm_plugins(), GRACE);
    stage.reconciler.lead(true);
    stage.want(&[&a], &[]);
    assert_eq!(stage.steps(), [""; 0], "what is there is not known yet");
    stage.reconciler.lead(false);
    stage.reconciler.reset(Vec::new(), stage.now);
    assert_eq!(stage.steps(), [""; 0], "another one leads");
    stage.reconciler.lead(true);
    assert_eq!(stage.steps(), [apply("create", &a)]);
}

#[test]
fn whoever_does_not_lead_any_more_gives_up_what_is_under_way() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    let given_up = stage.reconciler.next(stage.now);
    assert!(given_up.is_some());
    assert_eq!(stage.reconciler.next(stage.now), None, "it is under way");
    stage.reconciler.lead(false);
    stage.reconciler.lead(true);
    assert_eq!(stage.reconciler.next(stage.now), given_up, "nobody will say what came of it");
}

#[test]
fn what_is_there_is_updated_before_what_is_new_is_created_and_what_retires_goes_last() {
    let (old, new) = (workloads(&[]), workloads(&[("app", "a")]));
    let mut stage = Stage::plugins();
    stage.want(&[&bundle(&old, "1")], &[]);
    stage.steps();
    stage.drain_updates();
    let (created, retiring) = (bundle(&new, "2"), bundle(&old, "3"));
    stage.want(&[&created], &[&retiring]);
    assert_eq!(stage.steps(), [apply("update", &retiring), apply("create", &created)]);
    stage.pass(Duration::from_millis(9_999));
    assert_eq!(stage.steps(), [""; 0], "the grace is not over");
    let next_deadline = stage.reconciler.next_deadline(stage.now).unwrap();
    stage.now = next_deadline;
    assert_eq!(stage.steps(), [apply("delete", &retiring)]);
    let gone = (old.object_name(), None, None);
    assert_eq!(stage.drain_updates(), [gone, published(&created)]);
    stage.want(&[&created], &[]);
    assert_eq!(stage.steps(), [""; 0]);
    assert_eq!(stage.drain_updates(), []);
}

#[test]
fn the_grace_begins_anew_with_every_write_of_the_namespace() {
    let (a, b) = (workloads(&[("app", "a")]), workloads(&[("app", "b")]));
    let mut stage = Stage::plugins();
    let retiring = bundle(&a, "1");
    stage.want(&[&retiring, &bundle(&b, "1")], &[]);
    stage.steps();
    stage.want(&[&bundle(&b, "1")], &[&retiring]);
    stage.pass(GRACE / 2);
    stage.want(&[&bundle(&b, "2")], &[&retiring]);
    assert_eq!(stage.steps().len(), 1);
    stage.pass(GRACE / 2);
    assert_eq!(stage.steps(), [""; 0]);
    stage.pass(GRACE / 2);
    assert_eq!(stage.steps(), [apply("delete", &retiring)]);
}

#[test]
fn what_is_wanted_again_before_it_went_stays() {
    let (a, b) = (bundle(&workloads(&[]), "1"), bundle(&gateway("g"), "1"));
    let mut stage = Stage::plugins();
    stage.want(&[&a, &b], &[]);
    stage.steps();
    stage.want(&[&b], &[&a]);
    stage.pass(GRACE / 2);
    stage.want(&[&a, &b], &[]);
    stage.pass(GRACE * 2);
    assert_eq!(stage.steps(), [""; 0]);
    assert_eq!(stage.cluster.len(), 2);
}

#[test]
fn what_nobody_speaks_of_is_left_alone_and_told_of() {
    let a = bundle(&workloads(&[]), "1");
    let mut before = Stage::plugins();
    before.want(&[&a], &[]);
    before.steps();
    let mut stage = Stage::new(wasm_plugins(), before.cluster);
    stage.want(&[], &[]);
    stage.pass(GRACE * 2);
    assert_eq!(stage.steps(), [""; 0]);
    assert_eq!(stage.drain_updates(), [published(&a)]);
    stage.want(&[], &[&a]);
    assert_eq!(stage.steps(), [""; 0], "the grace counts from when it was to go");
    stage.pass(GRACE);
    assert_eq!(stage.steps(), [apply("delete", &a)]);
}

#[test]
fn what_is_to_go_and_was_never_there_has_gone() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[], &[&a]);
    assert_eq!(stage.steps(), [""; 0]);
    assert_eq!(stage.drain_updates(), [(a.key.object_name(), None, None)]);
    stage.want(&[], &[]);
    stage.want(&[], &[&a]);
    assert_eq!(stage.drain_updates().len(), 1, "told again where it is asked again");
}

#[test]
fn what_others_change_is_repaired_and_what_they_add_is_theirs() {
    let a = bundle(&workloads(&[("app", "a")]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    stage.steps();
    let ours = stage.cluster.clone();
    stage.meddle(&a.key, |object| object["metadata"]["annotations"]["touched"] = "now".into());
    assert_eq!(stage.steps(), [""; 0]);
    stage.meddle(&a.key, |object| object["spec"]["url"] = "http://evil.example".into());
    assert_eq!(stage.steps(), [format!("repair: {}", apply("update", &a))]);
    let place = place(&a.key).unwrap();
    stage.cluster.remove(&place);
    let version = stage.bump();
    stage.reconciler.see(&place, Some(version), None, stage.now);
    assert_eq!(stage.steps(), [format!("repair: {}", apply("create", &a))]);
    assert_eq!(stage.cluster[&place]["spec"], ours[&place]["spec"]);
}

#[test]
fn what_others_add_to_a_selector_is_told() {
    let a = bundle(&workloads(&[("app", "a")]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    stage.steps();
    stage.drain_updates();
    stage.meddle(&a.key, |object| object["spec"]["selector"]["matchLabels"]["b"] = "c".into());
    assert_eq!(stage.steps(), [""; 0]);
    let (_, digest, error) = stage.drain_updates().remove(0);
    assert_eq!(digest, None, "it is not what should be published");
    assert!(error.unwrap().contains("`spec.selector.matchLabels.b`"));
    stage.meddle(&a.key, |object| {
        object["spec"]["selector"]["matchLabels"].as_object_mut().unwrap().remove("b");
    });
    assert_eq!(stage.drain_updates(), [published(&a)]);
}

#[test]
fn what_is_new_says_which_object_it_waits_for() {
    let (old, new) = (workloads(&[]), workloads(&[("app", "a")]));
    let mut stage = Stage::plugins();
    stage.want(&[&bundle(&old, "1")], &[]);
    stage.steps();
    stage.want(&[&bundle(&new, "2")], &[&bundle(&old, "3")]);
    let step = stage.reconciler.next(stage.now).unwrap();
    stage.reconciler.failed(step.place(), ApplyError::Here("too large".into()), stage.now);
    assert_eq!(stage.steps(), [""; 0]);
    let error = stage.drain_updates().into_iter().find(|(name, ..)| *name == new.object_name());
    assert_eq!(
        error.unwrap().2.unwrap(),
        "waiting for the object `shop/corsward`, which comes first: too large"
    );
}

#[test]
fn a_list_that_begins_anew_finds_what_was_missed() {
    let (a, b) = (bundle(&workloads(&[]), "1"), bundle(&gateway("g"), "1"));
    let mut stage = Stage::plugins();
    stage.want(&[&a, &b], &[]);
    stage.steps();
    stage.reconciler.reset(stage.cluster.clone().into_iter().collect(), stage.now);
    assert_eq!(stage.steps(), [""; 0]);
    let version = stage.bump();
    let mut all = stage.cluster.clone();
    all.remove(&place(&b.key).unwrap());
    let changed = all.get_mut(&place(&a.key).unwrap()).unwrap();
    changed["spec"]["phase"] = "STATS".into();
    changed["metadata"]["resourceVersion"] = version.to_string().into();
    stage.cluster.clone_from(&all);
    stage.reconciler.reset(all.into_iter().collect(), stage.now);
    let steps = stage.steps();
    assert_eq!(
        steps,
        [format!("repair: {}", apply("update", &a)), format!("repair: {}", apply("create", &b))]
    );
}

#[test]
fn a_war_of_repairs_slows_down_and_says_so() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    stage.steps();
    let (mut repairs, mut errors) = (0, 0);
    for _ in 0..600 {
        let spoilt = stage.cluster[&place(&a.key).unwrap()]["spec"]["phase"] != "AUTHN";
        if !spoilt {
            stage.meddle(&a.key, |object| object["spec"]["phase"] = "STATS".into());
        }
        repairs += stage.steps().len();
        errors += stage.drain_updates().iter().filter(|(_, _, error)| error.is_some()).count();
        stage.pass(Duration::from_secs(1));
    }
    assert!((3..30).contains(&repairs), "{repairs}");
    assert!(errors > 0);
    stage.want(&[&bundle(&a.key, "2")], &[]);
    assert_eq!(stage.steps().len(), 1, "what is wanted anew is written at once");
}

#[test]
fn a_watch_that_lags_behind_our_own_write_causes_no_other() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    stage.steps();
    let (old, at) = (stage.cluster.clone(), stage.version);
    stage.want(&[&bundle(&a.key, "2")], &[]);
    stage.steps();
    let place = place(&a.key).unwrap();
    stage.reconciler.see(&place, Some(at), Some(&old[&place]), stage.now);
    stage.reconciler.see(&place, Some(at), None, stage.now);
    assert_eq!(stage.steps(), [""; 0]);
}

#[test]
fn a_refused_object_waits_alone_and_an_api_server_that_is_down_stops_everything() {
    let (a, b) = (bundle(&workloads(&[]), "1"), bundle(&gateway("g"), "1"));
    let mut stage = Stage::plugins();
    stage.want(&[&a, &b], &[]);
    let (first, second) = (stage.reconciler.next(stage.now), stage.reconciler.next(stage.now));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(stage.reconciler.next(stage.now), None, "both are under way");
    let now = stage.now;
    stage.reconciler.failed(first.place(), ApplyError::Here("no".into()), now);
    stage.done(&second);
    assert_eq!(stage.steps(), [""; 0]);
    let drain_updates = stage.drain_updates();
    assert!(drain_updates.contains(&(first.place().name.clone(), None, Some("no".into()))));
    stage.now = stage.reconciler.next_deadline(stage.now).unwrap();
    let step = stage.reconciler.next(stage.now).unwrap();
    let now = stage.now;
    stage.reconciler.failed(step.place(), ApplyError::Everywhere("down".into()), now);
    stage.want(&[&bundle(&a.key, "2"), &bundle(&b.key, "2")], &[]);
    assert_eq!(stage.steps(), [""; 0]);
    let errors = stage.drain_updates().into_iter().filter_map(|(_, _, error)| error);
    assert_eq!(errors.collect::<Vec<_>>(), ["down", "down"]);
    stage.now = stage.reconciler.next_deadline(stage.now).unwrap();
    assert_eq!(stage.steps().len(), 2, "only the latest is written");
    assert!(stage.drain_updates().iter().all(|(_, _, error)| error.is_none()));
}

#[test]
fn a_module_that_nobody_serves_yet_is_named_by_nothing() {
    let (a, b) = (bundle(&workloads(&[]), "1"), bundle(&gateway("g"), "1"));
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    stage.steps();
    let newer = Module { sha256: "1".repeat(64), ..module() };
    let kind = crate::publish::istio::IstioKind::WasmPlugin;
    let output = Output::Istio { kind, module: newer.clone() };
    let mut stage = Stage::new(output, stage.cluster);
    let waits = Some("waiting for 1 of 2 module servers".to_owned());
    stage.reconciler.module_readiness(waits.clone(), stage.now);
    let changed = bundle(&a.key, "2");
    stage.want(&[&changed, &b], &[]);
    assert_eq!(stage.steps(), [apply("update", &a)], "the change is not held up");
    let named = |stage: &Stage, a: &Bundle| {
        stage.cluster[&place(&a.key).unwrap()]["spec"]["sha256"].clone()
    };
    assert_eq!(named(&stage, &a), module().sha256, "it goes on with the module it has");
    assert_eq!(stage.drain_updates(), [published(&changed), (b.key.object_name(), None, waits)]);
    stage.reconciler.module_readiness(None, stage.now);
    assert_eq!(stage.steps(), [apply("update", &a), apply("create", &b)], "nobody meddled");
    assert_eq!(named(&stage, &a), newer.sha256);
    assert_eq!(named(&stage, &b), newer.sha256);
    assert_eq!(stage.drain_updates(), [published(&b)]);
}

#[test]
fn a_config_map_is_never_removed_and_goes_on_saying_what_replaces_it() {
    let output = Output::ConfigMap { module: EnvoyModule::new(Shell::Wasm, "/filter.wasm") };
    let a = bundle(&workloads(&[("app", "a")]), "1");
    let mut stage = Stage::new(output.clone(), BTreeMap::new());
    stage.want(&[&a], &[]);
    assert_eq!(stage.steps(), [apply("create", &a)]);
    stage.drain_updates();
    let replaced = bundle(&a.key, "2");
    stage.want(&[], &[&replaced]);
    assert_eq!(stage.steps(), [apply("update", &a)]);
    assert_eq!(stage.drain_updates(), [published(&replaced)]);
    stage.pass(GRACE * 2);
    assert_eq!(stage.steps(), [""; 0], "an Envoy may have mounted it");
    let inert = output.inert(&a.key).unwrap();
    stage.want(&[], &[&inert]);
    assert_eq!(stage.steps(), [apply("update", &a)], "no policy is left for it");
    assert_eq!(stage.drain_updates(), [(a.key.object_name(), None, None)]);
    stage.want(&[], &[]);
    assert_eq!(stage.steps(), [""; 0]);
    let mut next = Stage::new(output, stage.cluster);
    assert_eq!(next.drain_updates(), [], "after a restart there is nothing to retire");
}

/// A copy of an object with the operator's labels, which no plan expects.
fn copy(output: &Output, bundle: &Bundle) -> BTreeMap<Key, Value> {
    let place = Key { namespace: "shop".into(), name: "copy".into() };
    let mut object = output.object(bundle, None).unwrap();
    object["metadata"]["name"] = "copy".into();
    BTreeMap::from([(place, object)])
}

#[test]
fn a_copy_with_our_labels_goes_once_its_namespace_is_as_it_should_be() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::new(wasm_plugins(), copy(&wasm_plugins(), &a));
    assert_eq!(stage.drain_updates(), [], "it is no bundle");
    stage.want(&[&a], &[]);
    assert_eq!(stage.steps(), [apply("create", &a)]);
    stage.pass(GRACE / 2);
    assert_eq!(stage.steps(), [""; 0], "the grace is not over");
    stage.pass(GRACE / 2);
    assert_eq!(stage.steps(), ["delete copy"]);
    assert_eq!(stage.drain_updates(), [published(&a)]);
}

#[test]
fn a_copy_of_a_config_map_stays_for_an_envoy_may_have_mounted_it() {
    let output = Output::ConfigMap { module: EnvoyModule::new(Shell::Wasm, "/filter.wasm") };
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::new(output.clone(), copy(&output, &a));
    stage.want(&[], &[]);
    stage.pass(GRACE * 2);
    assert_eq!(stage.steps(), [""; 0]);
}

#[test]
fn an_object_of_ours_that_does_not_say_what_it_holds_any_more_is_repaired() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    stage.steps();
    stage.drain_updates();
    stage.meddle(&a.key, |object| object["metadata"]["annotations"] = json!({}));
    let step = stage.reconciler.next(stage.now).unwrap();
    assert!(matches!(step, ObjectWrite::Apply { new: false, repair: true, .. }), "{step:?}");
    assert_eq!(stage.drain_updates(), [(a.key.object_name(), None, None)]);
    stage.done(&step);
    assert_eq!(stage.drain_updates(), [published(&a)]);
}

#[test]
fn a_name_that_somebody_elses_object_has_is_tried_again_and_again_and_holds_up_nothing_else() {
    let (a, b) = (bundle(&workloads(&[]), "1"), bundle(&gateway("g"), "1"));
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    for _ in 0..3 {
        let step = stage.reconciler.next(stage.now).unwrap();
        assert!(matches!(step, ObjectWrite::Apply { new: true, .. }), "{step:?}");
        stage.reconciler.failed(step.place(), ApplyError::Taken("taken".into()), stage.now);
        let next_deadline = stage.reconciler.next_deadline(stage.now).unwrap();
        assert!(
            next_deadline - stage.now < Duration::from_secs(10),
            "no later than the time before"
        );
        assert_eq!(stage.steps(), [""; 0]);
        stage.now = next_deadline;
    }
    assert_eq!(stage.drain_updates(), [(a.key.object_name(), None, Some("taken".into()))]);
    stage.want(&[&a, &b], &[]);
    let steps = stage.steps();
    assert!(steps.contains(&apply("create", &b)), "{steps:?}");
    assert_eq!(stage.drain_updates().len(), 2);
}

#[test]
fn what_was_written_after_a_list_began_is_not_what_the_list_says() {
    let a = bundle(&workloads(&[]), "1");
    let mut stage = Stage::plugins();
    stage.want(&[&a], &[]);
    stage.steps();
    let listed = stage.cluster.clone();
    let changed = bundle(&a.key, "2");
    stage.want(&[&changed], &[]);
    assert_eq!(stage.steps(), [apply("update", &a)]);
    stage.drain_updates();
    stage.reconciler.reset(listed.into_iter().collect(), stage.now);
    assert_eq!(stage.steps(), [""; 0]);
    assert_eq!(stage.drain_updates(), []);
}

#[test]
fn what_nobody_answers_for_keeps_nothing_else_waiting() {
    let [a, b] = ["a", "b"].map(|app| bundle(&workloads(&[("app", app)]), "1"));
    let mut stage = Stage::plugins();
    stage.want(&[&a, &b], &[]);
    let first = stage.reconciler.next(stage.now).unwrap();
    stage.reconciler.failed(first.place(), ApplyError::Everywhere("no answer".into()), stage.now);
    stage.now = stage.reconciler.next_deadline(stage.now).unwrap();
    let next = stage.reconciler.next(stage.now).unwrap();
    assert_ne!(next.place(), first.place());
    stage.done(&next);
    assert_eq!(
        stage.reconciler.next(stage.now).map(|step| step.place().clone()),
        Some(first.place().clone())
    );
}

/// The API server's object after an apply.
fn applied(step: &ObjectWrite, version: u64, uid: &str) -> Value {
    let ObjectWrite::Apply { object, .. } = step else { panic!("{step:?}") };
    let mut there = Value::clone(object);
    there["metadata"]["resourceVersion"] = version.to_string().into();
    there["metadata"]["uid"] = uid.into();
    there
}

#[test]
fn a_refusal_is_over_once_the_object_is_as_it_should_be() {
    let a = bundle(&workloads(&[]), "1");
    // The write was done, and the answer says that it was not.
    for watch_first in [true, false] {
        let mut stage = Stage::plugins();
        stage.want(&[&a], &[]);
        let step = stage.reconciler.next(stage.now).unwrap();
        let (place, now, there) = (step.place().clone(), stage.now, applied(&step, 1001, "u"));
        if watch_first {
            stage.reconciler.see(&place, Some(1001), Some(&there), now);
        }
        stage.reconciler.failed(&place, ApplyError::Here("leader changed".into()), now);
        if !watch_first {
            stage.reconciler.see(&place, Some(1001), Some(&there), now);
        }
        stage.pass(Duration::from_hours(1));
        assert_eq!(stage.steps(), [""; 0]);
        assert_eq!(stage.drain_updates(), [published(&a)], "{watch_first}");
    }
}
