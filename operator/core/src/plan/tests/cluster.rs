//! Tests of the plan, with the proxies of a cluster.

use super::*;
use crate::cluster_state::{
    Change, Delta, Key, Namespace, NamespaceMode, NativeCors, Pod, PodProxy, RawObject, Service,
    ServicePort, TargetPort,
};
use crate::controller::status_reporter::policy_status;
use crate::json_text::JsonText;
use crate::object::Record;
use crate::publish::istio::REACH;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

/// A cluster with these policies of the namespace `shop`.
pub(super) fn cluster(policies: &[(&str, Value)]) -> Index {
    cluster_of(REACH.unseen(), policies)
}

fn cluster_of(reach: Reach, policies: &[(&str, Value)]) -> Index {
    let mut index = Index::new(reach);
    for (name, spec) in policies {
        index.apply(written(name, spec));
    }
    index
}

pub(super) fn written(name: &str, spec: &Value) -> Object {
    let status = JsonText::default();
    let record = Record { uid: format!("uid-{name}"), created: Some(0), status };
    Object { place: None, generation: Some(1), record: Some(record), ..object(name, spec) }
}

/// A spec for these pods, with a hostname of its own.
fn selecting(host: &str, labels: &Value) -> Value {
    json!({
        "selector": {"matchLabels": labels},
        "hostnames": [format!("{host}.example")],
        "cors": {"allowOrigins": [format!("https://{host}.example")], "maxAge": 600},
    })
}

pub(super) fn targeting(kind: &str, name: &str) -> Value {
    let group = if kind == "Gateway" { "gateway.networking.k8s.io" } else { "" };
    json!({
        "targetRefs": [{"group": group, "kind": kind, "name": name}],
        "cors": {"allowOrigins": ["https://a.example"]},
    })
}

pub(super) fn service(name: &str, app: &str) -> Change {
    labelled_service(name, "app", app)
}

/// A Service of the pods with a label.
fn labelled_service(name: &str, label: &str, value: &str) -> Change {
    let key = Key { namespace: "shop".into(), name: name.into() };
    let selector = [(label.to_owned(), value.to_owned())].into();
    let target = TargetPort::Number(8080);
    let port = ServicePort { name: Some("http".into()), port: 80, target, app_protocol: None };
    let service = Service { selector, ports: vec![port] };
    Change::Service(Delta::Apply(key, service))
}

fn workloads(labels: &[(&str, &str)]) -> BundleKey {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    BundleKey::new("shop", TargetProxies::Workloads(Arc::new(labels.collect())))
}

pub(super) fn keys(outcome: &TestOutcome) -> Vec<BundleKey> {
    outcome.bundles.iter().map(|bundle| bundle.key.clone()).collect()
}

#[test]
fn policies_that_can_meet_in_one_pod_share_an_bundle() {
    let mut index = cluster(&[
        ("a", selecting("a", &json!({"app": "a"}))),
        ("b", selecting("b", &json!({"app": "b"}))),
    ]);
    let apart = carry_out(&mut index);
    assert_eq!(keys(&apart), [workloads(&[("app", "a")]), workloads(&[("app", "b")])]);
    assert!(!apart.bundles[0].compiled.contains("workloads"), "all of its proxies");
    index.apply(written("web", &selecting("web", &json!({"tier": "web"}))));
    let together = carry_out(&mut index);
    assert_eq!(keys(&together), [workloads(&[])]);
    let compiled = &together.bundles[0].compiled;
    assert!(compiled.contains(r#""workloads":[{"labels":{"tier":"web"}}]"#), "{compiled}");
    assert!(compiled.contains(r#""workloads":[{"labels":{"app":"a"}}]"#), "{compiled}");
}

#[test]
fn what_retires_says_the_same_to_its_proxies_as_what_replaces_it() {
    let mut index = cluster(&[
        ("a", selecting("a", &json!({"app": "a"}))),
        ("b", selecting("b", &json!({"app": "b"}))),
        ("web", selecting("web", &json!({"tier": "web"}))),
    ]);
    carry_out(&mut index);
    let mut plan = Plan::default();
    let scope = Scope::Namespace("shop".into());
    plan.update(&index, &scope);
    let planned = plan.scope(&scope).unwrap();
    let retiring = planned.retiring(&index, &scope, &workloads(&[("app", "a")])).unwrap();
    let policies = |compiled: &str| {
        let compiled = wire::decode(compiled).unwrap();
        compiled.policies().map(|id| id.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(policies(&retiring.compiled), ["a", "web"], "those that its pods can have");
    assert!(retiring.compiled.contains(r#""workloads":[{"labels":{"tier":"web"}}]"#));
    let nothing = ScopePlan::default().retiring(&index, &scope, &workloads(&[])).unwrap();
    assert_eq!(policies(&nothing.compiled), Vec::<String>::new(), "nothing is left of it");
}

#[test]
fn a_target_that_appears_heals_its_policy_and_one_that_goes_withdraws_it() {
    let mut index = cluster(&[("a", targeting("Service", "api"))]);
    let missing = carry_out(&mut index);
    assert_eq!(keys(&missing), []);
    let (holds, why, message) = reason(&missing, "a", ConditionType::Accepted);
    assert_eq!((holds, why), (false, Reason::TargetNotFound));
    assert!(message.contains("there is no Service `api` in namespace `shop`"), "{message}");
    assert_eq!(reason(&missing, "a", ConditionType::ResolvedRefs).1, Reason::RefNotFound);
    index.change(service("api", "api"));
    let healed = carry_out(&mut index);
    assert_eq!(keys(&healed), [workloads(&[("app", "api")])]);
    assert!(reason(&healed, "a", ConditionType::Accepted).0);
    assert_eq!(reason(&healed, "a", ConditionType::Programmed).1, Reason::Published);
    let key = Key { namespace: "shop".into(), name: "api".into() };
    index.change(Change::Service(Delta::Delete(key)));
    assert_eq!(keys(&carry_out(&mut index)), []);
}

#[test]
fn a_target_that_was_mistyped_leaves_the_policy_where_it_was() {
    let mut index = cluster(&[("a", targeting("Service", "api"))]);
    index.change(service("api", "api"));
    let before = carry_out(&mut index);
    let Object { text, .. } = written("a", &targeting("Service", "ap"));
    index.apply(Object { text, generation: Some(2), ..written("a", &Value::Null) });
    let after = carry_out(&mut index);
    assert_eq!(after.bundles, before.bundles);
    let (_, why, message) = reason(&after, "a", ConditionType::Programmed);
    assert_eq!(why, Reason::TargetNotFound);
    assert!(message.contains("generation 1 is still in force"), "{message}");
}

#[test]
fn a_policy_wins_over_another_only_where_both_are() {
    let everywhere = json!({"cors": {"allowOrigins": ["https://a.example"]}});
    let mut of_app = selecting("a", &json!({"app": "a"}));
    of_app.as_object_mut().unwrap().remove("hostnames");
    let mut index = cluster(&[("all", everywhere.clone()), ("app", of_app.clone())]);
    let plan = carry_out(&mut index);
    assert!(reason(&plan, "all", ConditionType::Programmed).0, "other pods have no other");
    assert!(reason(&plan, "app", ConditionType::Programmed).0, "it is closer");
    index.apply(written("app2", &of_app));
    let plan = carry_out(&mut index);
    let (_, why, message) = reason(&plan, "app2", ConditionType::Programmed);
    assert_eq!(why, Reason::Overridden);
    assert!(message.contains("shop/app "), "{message}");
    index.delete(&id("app"));
    assert!(reason(&carry_out(&mut index), "app2", ConditionType::Programmed).0, "it is freed");
}

#[test]
fn a_namespace_that_is_off_keeps_its_bundles_and_enforces_nothing() {
    let mut index = cluster(&[("a", selecting("a", &json!({"app": "a"})))]);
    let on = carry_out(&mut index);
    let namespace = Namespace { mode: NamespaceMode::Off, ..Namespace::default() };
    let change = Change::Namespace(Delta::Apply("shop".into(), namespace));
    index.change(change);
    let off = carry_out(&mut index);
    assert_eq!(keys(&off), keys(&on));
    assert!(wire::decode(&off.bundles[0].compiled).unwrap().policies().next().is_none());
    let (_, why, message) = reason(&off, "a", ConditionType::Programmed);
    assert_eq!(why, Reason::Off);
    assert!(message.contains("corsward.io/mode"), "{message}");
}

#[test]
fn who_would_lose_everywhere_hears_it_beforehand_and_nothing_has_happened() {
    let spec = selecting("a", &json!({"app": "a"}));
    let mut index = cluster(&[("a", spec.clone())]);
    let before = carry_out(&mut index);
    let mut plan = Plan::default();
    plan.update(&index, &Scope::Namespace("shop".into()));
    index.take_changed();
    let found = plan.beside_others(&mut index, written("b", &spec));
    assert_eq!((found[0].field.as_str(), found[0].code()), ("metadata.name", "CORS-I522"));
    let apart = written("b", &selecting("b", &json!({"app": "b"})));
    assert_eq!(plan.beside_others(&mut index, apart), []);
    assert_eq!(plan.beside_others(&mut index, written("a", &spec)), [], "it wins");
    assert!(index.take_changed().is_empty());
    assert_eq!(carry_out(&mut index).bundles, before.bundles);
}

#[test]
fn a_namespaces_mode_that_means_nothing_is_named() {
    let mut index = cluster(&[("a", selecting("a", &json!({"app": "a"})))]);
    let mode = NamespaceMode::Unknown("DryRun".into());
    let namespace = Namespace { mode, ..Namespace::default() };
    let change = Change::Namespace(Delta::Apply("shop".into(), namespace));
    index.change(change);
    let outcome = carry_out(&mut index);
    assert!(codes(&outcome).contains(&"CORS-W535"), "{:?}", codes(&outcome));
    assert!(reason(&outcome, "a", ConditionType::Programmed).0);
}

#[test]
fn what_was_in_force_before_a_restart_is_read_in_the_status() {
    let good = selecting("a", &json!({"app": "a"}));
    let refused = selecting("a b", &json!({"app": "a"}));
    let status = json!({"inForce": {"generation": 3, "digest": "sha256:0", "spec": good}});
    let mut object = written("a", &refused);
    object.generation = Some(4);
    object.record = object.record.map(|record| Record { status: JsonText::of(&status), ..record });
    let mut index = cluster(&[]);
    index.apply(object);
    let plan = carry_out(&mut index);
    assert_eq!(plan.in_force[&id("a")].generation, 3);
    assert_eq!(keys(&plan), [workloads(&[("app", "a")])]);
    assert!(!reason(&plan, "a", ConditionType::Accepted).0);
}

pub(super) fn codes(outcome: &TestOutcome) -> Vec<&'static str> {
    outcome.statuses.iter().flat_map(|status| status.findings.iter().map(Finding::code)).collect()
}

#[test]
fn what_keeps_requests_from_a_proxy_is_said_in_the_status_as_long_as_it_does() {
    let spec = selecting("a", &json!({"app": "a"}));
    let mut index = cluster_of(REACH, &[("a", spec)]);
    let pod = |proxy, name: &str| {
        let labels = [("app".to_owned(), "a".to_owned())].into();
        let pod = Pod { labels, proxy, workload: "deployment/a".into(), ..Pod::default() };
        let key = Key { namespace: "shop".into(), name: name.into() };
        Change::Pod(Delta::Apply(key, pod))
    };
    let before = carry_out(&mut index);
    assert!(!codes(&before).contains(&"CORS-W523"));
    index.change(pod(PodProxy::None, "a-1"));
    let bare = carry_out(&mut index);
    assert!(codes(&bare).contains(&"CORS-W523"), "{:?}", codes(&bare));
    assert_eq!(bare.bundles, before.bundles, "nothing else changes");
    assert!(reason(&bare, "a", ConditionType::Accepted).0);
    index.change(pod(PodProxy::None, "a-2"));
    assert_eq!(codes(&carry_out(&mut index)), codes(&bare), "another pod is nothing new");
    index.change(pod(PodProxy::Sidecar, "a-1"));
    index.change(pod(PodProxy::Sidecar, "a-2"));
    let healed = carry_out(&mut index);
    assert!(!codes(&healed).contains(&"CORS-W523"));
}

#[test]
fn a_policy_that_is_off_hears_nothing_of_requests() {
    let mut spec = selecting("a", &json!({"app": "a"}));
    spec["mode"] = "Off".into();
    let mut index = cluster_of(REACH, &[("a", spec)]);
    let labels = [("app".to_owned(), "a".to_owned())].into();
    let key = Key { namespace: "shop".into(), name: "a-1".into() };
    let pod = Pod { labels, ..Pod::default() };
    index.change(Change::Pod(Delta::Apply(key, pod)));
    assert!(!codes(&carry_out(&mut index)).iter().any(|code| code.starts_with("CORS-W52")));
}

#[test]
fn a_setting_elsewhere_changes_the_namespaces_that_it_leads_to_and_led_to() {
    let mut index = cluster(&[("a", selecting("a", &json!({"app": "a"})))]);
    index.change(service("api", "a"));
    carry_out(&mut index);
    index.take_changed();
    let setting = |namespace: &str| {
        let services = [Key { namespace: namespace.into(), name: "api".into() }].into();
        let key = Key { namespace: "infra".into(), name: "vs".into() };
        let native = NativeCors { services, ..NativeCors::default() };
        Change::VirtualService(Delta::Apply(key, native))
    };
    let scopes = |names: &[&str]| -> BTreeSet<Scope> {
        names.iter().map(|name| Scope::Namespace((*name).to_owned())).collect()
    };
    index.change(setting("shop"));
    assert_eq!(index.take_changed(), scopes(&["shop"]));
    assert!(codes(&carry_out(&mut index)).contains(&"CORS-W532"));
    index.change(setting("shop"));
    assert_eq!(index.take_changed(), scopes(&[]), "the same again");
    index.change(setting("other"));
    assert_eq!(index.take_changed(), scopes(&["other", "shop"]));
    assert!(!codes(&carry_out(&mut index)).contains(&"CORS-W532"));
    let key = Key { namespace: "infra".into(), name: "vs".into() };
    index.change(Change::VirtualService(Delta::Delete(key)));
    assert_eq!(index.take_changed(), scopes(&["other"]));
}

#[test]
fn only_what_changed_is_made_anew() {
    let mut index = cluster(&[
        ("a", selecting("a", &json!({"app": "a"}))),
        ("b", selecting("b", &json!({"app": "b"}))),
    ]);
    carry_out(&mut index);
    let scope = Scope::Namespace("shop".into());
    let mut plan = Plan::default();
    plan.update(&index, &scope);
    let held = |plan: &Plan| {
        plan.scope(&scope).unwrap().bundles().map(|(_, held)| Arc::clone(held)).collect::<Vec<_>>()
    };
    let before = held(&plan);
    let Object { text, .. } = written("b", &selecting("c", &json!({"app": "b"})));
    index.apply(Object { text, generation: Some(2), ..written("b", &Value::Null) });
    plan.update(&index, &scope);
    let after = held(&plan);
    assert!(Arc::ptr_eq(&before[0], &after[0]), "the neighbour is the same, to the pointer");
    assert_ne!(before[1], after[1]);
}

#[test]
fn a_guardrail_suspends_what_was_in_force_and_nobody_forgets_it() {
    let mut index = cluster(&[("a", selecting("a", &json!({"app": "a"})))]);
    let before = carry_out(&mut index);
    let guardrail = |name: &str, max: i64| {
        let spec = json!({"guardrails": {"maxMaxAge": max}});
        let (spec, status) = (Arc::new(spec), JsonText::default());
        let written = RawObject { uid: name.into(), generation: max, spec, status };
        Change::Guardrail(Delta::Apply(name.into(), written))
    };
    // Refused, so that the first text is the last good one.
    let Object { text, .. } = written("a", &selecting("a b", &json!({"app": "a"})));
    index.apply(Object { text, generation: Some(2), ..written("a", &Value::Null) });
    index.change(guardrail("platform", 60));
    let suspended = carry_out(&mut index);
    assert_eq!(keys(&suspended), []);
    let message = reason(&suspended, "a", ConditionType::Programmed).2;
    assert!(message.contains("nothing of it is in force"), "{message}");
    // A restart: all that is known is what the API server has.
    let mut restarted = cluster(&[]);
    restarted.change(guardrail("platform", 60));
    let entry = index.entries().values().next().unwrap();
    let now = Time(Timestamp::UNIX_EPOCH);
    let status = JsonText::of(&policy_status(&suspended.statuses[0], (&[], &now)));
    let record = entry.object.record.clone().map(|record| Record { status, ..record });
    restarted.apply(Object { record, ..entry.object.clone() });
    assert_eq!(keys(&carry_out(&mut restarted)), [], "nor does a restart bring it back");
    for (why, mut index) in [("it comes back", index), ("after a restart too", restarted)] {
        index.change(guardrail("platform", 6000));
        assert_eq!(carry_out(&mut index).bundles, before.bundles, "{why}");
    }
}

/// A spec of more than half of what can be published, for these pods.
fn large(host: &str, target: &Value) -> Value {
    let origins = (0..16_000).map(|at| format!("https://tenant-{at:06}.{host}.shop.example"));
    let mut spec = json!({"cors": {"allowOrigins": origins.collect::<Vec<_>>()}});
    spec.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
    spec
}

fn for_pods(labels: &Value) -> Value {
    json!({"selector": {"matchLabels": labels}})
}

#[test]
fn a_newcomer_that_is_off_brings_nothing_together() {
    let mut index = cluster(&[
        ("a", large("a", &for_pods(&json!({"app": "a"})))),
        ("b", large("b", &for_pods(&json!({"app": "b"})))),
    ]);
    let before = carry_out(&mut index);
    assert_eq!(before.bundles.len(), 2);
    let off = json!({"cors": {"allowOrigins": ["https://a.example"]}, "mode": "Off"});
    index.apply(written("off", &off));
    let after = carry_out(&mut index);
    assert_eq!(after.bundles, before.bundles);
    for name in ["a", "b"] {
        assert!(reason(&after, name, ConditionType::Programmed).0, "{name}");
    }
    assert_eq!(reason(&after, "off", ConditionType::Programmed).1, Reason::NotPublishable);
}

/// The desired state for a publisher with every desired object in place.
fn desired(publisher: &mut DesiredBundles, index: &Index, there: &Desired) -> Desired {
    let (mut plan, scope) = (Plan::default(), Scope::Namespace("shop".into()));
    plan.update(index, &scope);
    let publish_statuses = there.bundles.iter().map(|(key, bundle)| {
        let (key, digest) = (BundleKey::clone(key), Some(bundle.digest.clone()));
        (key.clone(), PublishStatus { key, digest, error: None })
    });
    let publish_statuses: BTreeMap<_, _> = publish_statuses.collect();
    publisher.desire(index, &scope, plan.scope(&scope).unwrap(), publish_statuses.iter());
    publisher.desired().clone()
}

#[test]
fn what_is_too_much_together_stays_apart_and_a_stop_takes_effect() {
    let target = json!({"targetRefs": [{"group": "", "kind": "Service", "name": "api"}]});
    let mut index = cluster(&[
        ("a", large("a", &target)),
        ("b", large("b", &for_pods(&json!({"app": "b"})))),
        ("c", large("c", &for_pods(&json!({"app": "c"})))),
    ]);
    index.change(service("api", "a"));
    carry_out(&mut index);
    let mut publisher = DesiredBundles::default();
    let before = desired(&mut publisher, &index, &Desired::default());
    assert_eq!(before.bundles.len(), 3);
    let [of_a, of_b] = ["a", "b"].map(|app| workloads(&[("app", app)]));

    // Its pods may be pods of `b` and `c` now, so that all three are for one proxy.
    index.change(labelled_service("api", "tier", "web"));
    let frozen = desired(&mut publisher, &index, &before);
    assert!(frozen.retiring.is_empty());
    assert!(frozen.frozen.contains("shop"));
    assert_eq!(frozen.bundles.len(), 3, "nothing goes");
    assert_eq!(frozen.bundles[&of_b], before.bundles[&of_b], "both would be too much");
    assert!(frozen.bundles[&of_a].compiled.contains(r#""labels":{"tier":"web"}"#));

    let mut spec = large("a", &target);
    spec["mode"] = "Off".into();
    let Object { text, .. } = written("a", &spec);
    index.apply(Object { text, generation: Some(2), ..written("a", &Value::Null) });
    let off = desired(&mut publisher, &index, &frozen);
    let compiled = wire::decode(&off.bundles[&of_a].compiled).unwrap();
    assert_eq!(compiled.policies().count(), 0, "it is off");
    assert_eq!(off.bundles[&of_b], before.bundles[&of_b]);
}

#[test]
fn what_retires_says_what_was_in_force_where_all_of_it_is_too_much() {
    let everywhere = Value::Object(serde_json::Map::new());
    let mut index = cluster(&[("a", large("a", &everywhere))]);
    let before = carry_out(&mut index);
    assert_eq!(keys(&before), [workloads(&[])]);
    index.apply(written("b", &large("b", &everywhere)));
    assert_eq!(carry_out(&mut index).bundles, before.bundles, "both are too much");
    for name in ["a", "b"] {
        let spec = large(name, &for_pods(&json!({"app": name})));
        let Object { text, .. } = written(name, &spec);
        index.apply(Object { text, generation: Some(2), ..written(name, &Value::Null) });
    }
    let (mut plan, scope) = (Plan::default(), Scope::Namespace("shop".into()));
    plan.update(&index, &scope);
    let planned = plan.scope(&scope).unwrap();
    assert_eq!(planned.bundles().count(), 2, "each for itself");
    let retiring = planned.retiring(&index, &scope, &workloads(&[])).unwrap();
    assert_eq!(*retiring, before.bundles[0]);
}

/// As after a restart within the grace.
#[test]
fn what_retires_goes_where_nothing_that_fits_takes_its_place() {
    let policies = ["a", "b"].map(|name| (name, large(name, &for_pods(&json!({"app": name})))));
    let mut index = cluster(&policies);
    carry_out(&mut index);
    let mut publisher = DesiredBundles::default();
    let key = workloads(&[]);
    let former = Arc::new(Bundle::new(key.clone(), "former".to_owned()));
    let there = Desired {
        bundles: [(Arc::new(key.clone()), former)].into_iter().collect(),
        ..Desired::default()
    };
    let desired = desired(&mut publisher, &index, &there);
    assert_eq!(desired.bundles.len(), 2, "each for itself");
    assert!(desired.retiring.get(&key).is_some());
}
