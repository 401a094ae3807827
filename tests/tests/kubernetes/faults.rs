//! Faults: what happens to API servers, stores and operators, and what is published in the end.
//!
//! Each has an API server of its own.

use std::collections::BTreeMap;

use corsward_test_harness::cluster::{
    LocalCluster, OPERATOR_NAMESPACE, Operator, Published, TestNamespace,
};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::status::is_judged;
use serde_json::{Value, json};

use xtask::kubernetes::Asked;

use crate::specs::{OTHER, SHOP, allow, refused};

/// One policy of each kind of outcome, judged.
fn one_of_each(ns: &TestNamespace<'_>) {
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    ns.policy("beside", &allow("api", &[OTHER])).unwrap();
    ns.policy("refused", &refused("web")).unwrap();
    ns.policy("turned", &allow("turned", &[SHOP])).unwrap();
    ns.wait_for_in_force("turned").unwrap();
    ns.policy("turned", &refused("turned")).unwrap();
    ns.wait_for_conditions("beside", &["Programmed=False Overridden"]).unwrap();
    ns.wait_for_conditions("refused", &["Accepted=False Invalid"]).unwrap();
    ns.wait_for_conditions("turned", &["Accepted=False Invalid"]).unwrap();
}

/// Waits until all work for earlier changes is done: a new policy is in force.
fn sentinel(cluster: &LocalCluster, name: &str) {
    let ns = cluster.test_namespace(name).unwrap();
    ns.policy("sentinel", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("sentinel").unwrap();
}

/// The number of the operator's lists of policies.
fn lists(cluster: &LocalCluster) -> usize {
    let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:corsward");
    let asked = cluster.server.asked_by(&user).unwrap();
    let is_list = |asked: &&Asked| asked.verb == "list" && asked.resource == "corspolicies";
    asked.iter().filter(is_list).count()
}

fn writes(operator: &Operator) -> f64 {
    let of = |result: &str| {
        operator.metric(&format!("corsward_publish_total{{target=\"object\",result=\"{result}\"}}"))
    };
    ["written", "repaired", "removed"].into_iter().filter_map(of).sum()
}

#[test]
fn a_restart_with_nothing_changed_publishes_nothing_and_writes_no_status() {
    let cluster = LocalCluster::own().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    let operator = cluster.operator("operator-0").start().unwrap();
    one_of_each(&ns);
    let before = ns.versions().unwrap();
    operator.stop().unwrap();

    for pod in ["operator-1", "operator-2"] {
        let operator = cluster.operator(pod).start().unwrap();
        sentinel(&cluster, &format!("after-{pod}"));
        assert_eq!(ns.versions().unwrap(), before, "{pod}");
        assert_eq!(writes(&operator), 1.0, "the sentinel's");
        operator.kill();
        // As its Lease ran out.
        release(&cluster);
    }
}

#[test]
fn a_policy_that_turns_invalid_while_nobody_watches_stays_in_force_as_it_was() {
    let cluster = LocalCluster::own().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    let operator = cluster.operator("operator-0").start().unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.policy("web", &allow("web", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    ns.wait_for_in_force("web").unwrap();
    let before = ns.published().unwrap();
    operator.kill();

    ns.policy("api", &refused("api")).unwrap();
    let operator = cluster.operator("operator-0").start().unwrap();
    let wanted = ["Accepted=False Invalid", "Programmed=False"];
    let said = ns.wait_for_conditions("api", &wanted).unwrap();
    assert_eq!(said["status"]["inForce"]["generation"], 1);
    assert_eq!(said["status"]["inForce"]["spec"]["cors"]["allowOrigins"], json!([SHOP]));
    assert_eq!(ns.published().unwrap(), before);
    // Whoever leads writes whatever it has to say.
    let dropped = operator.metric("corsward_status_writes_total{result=\"dropped\"}");
    assert_eq!(dropped.unwrap_or_default(), 0.0);
    operator.kill();

    let versions = ns.versions().unwrap();
    let operator = cluster.operator("operator-0").start().unwrap();
    sentinel(&cluster, "later");
    assert_eq!(ns.versions().unwrap(), versions);
    assert_eq!(writes(&operator), 1.0, "the sentinel's");

    ns.policy("api", &allow("api", &[OTHER])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    assert!(ns.published().unwrap().values().any(|one| one.compiled().contains(OTHER)));
}

#[test]
fn an_api_server_that_is_killed_and_has_forgotten_the_past_is_followed_again() {
    let mut cluster = LocalCluster::own().unwrap();
    let operator = cluster.operator("operator-0").start().unwrap();
    one_of_each(&cluster.test_namespace("shop").unwrap());
    let (before, listed) = (cluster.at("shop").versions().unwrap(), lists(&cluster));
    // The store's newest revision is then no policy's: a watch from the last policy's can go on nowhere.
    cluster.test_namespace("beside").unwrap();
    cluster.server.kill();
    cluster.server.store().compact().unwrap();
    cluster.server.restart().unwrap();
    // A watch from a compacted revision is answered with 410, and the operator lists everything again.
    eventually("policies to be listed again", || lists(&cluster) > listed).unwrap();
    sentinel(&cluster, "later");
    let ns = cluster.at("shop");
    assert_eq!(ns.versions().unwrap(), before);
    assert_eq!(operator.get("/healthz").as_deref().map(str::trim), Some("ok"));

    ns.policy("api", &allow("api", &[OTHER])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    assert!(ns.published().unwrap().values().any(|one| one.compiled().contains(OTHER)));
}

#[test]
fn a_store_that_stands_still_stops_the_writing_and_nothing_else() {
    let cluster = LocalCluster::own().unwrap();
    let mut operator = cluster.operator("operator-0").start().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    one_of_each(&ns);
    let before = ns.versions().unwrap();
    cluster.server.store().pause().unwrap();
    operator.wait_for_line("this replica stopped leading").unwrap();
    cluster.server.store().resume().unwrap();
    sentinel(&cluster, "later");
    assert_eq!(ns.versions().unwrap(), before);
    ns.policy("api", &allow("api", &[OTHER])).unwrap();
    ns.wait_for_in_force("api").unwrap();
}

#[test]
fn an_operator_that_is_killed_in_the_middle_of_publishing_is_carried_on_by_the_next() {
    const MANY: usize = 300;
    let cluster = LocalCluster::own().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    let names: Vec<String> = (0..MANY).map(|n| format!("app-{n:03}")).collect();
    for name in &names {
        ns.policy(name, &allow(name, &[SHOP])).unwrap();
    }
    let operator = cluster.operator("operator-0").start_unready().unwrap();
    let path = "/apis/extensions.istio.io/v1alpha1/namespaces/shop/wasmplugins?limit=1";
    eventually("something to be published", || {
        let list = cluster.api().get(path).unwrap()?;
        (!list["items"].as_array()?.is_empty()).then_some(())
    })
    .unwrap();
    operator.kill();
    let half = ns.published().unwrap();
    let operator = cluster.operator("operator-0").start().unwrap();
    for name in &names {
        ns.wait_for_in_force(name).unwrap();
    }
    let all = ns.published().unwrap();
    let policies: Vec<_> = all.values().flat_map(Published::policies).collect();
    assert_eq!((all.len(), policies.len()), (MANY, MANY));
    for (name, was) in &half {
        assert_eq!(&all[name], was, "what was published is not written again");
    }
    assert!(half.len() < MANY, "it was not killed in the middle");
    drop(operator);
}

#[test]
fn of_two_operators_one_writes_and_when_it_dies_the_other() {
    let cluster = LocalCluster::own().unwrap();
    let mut first = cluster.operator("operator-0").start().unwrap();
    first.wait_for_line("this replica started leading").unwrap();
    let mut second = cluster.operator("operator-1").start().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    one_of_each(&ns);
    assert_eq!(writes(&second), 0.0);
    assert!(second.said("this replica started leading").is_empty());
    let before = ns.versions().unwrap();

    first.kill();
    ns.policy("later", &allow("later", &[SHOP])).unwrap();
    second.wait_for_line("this replica started leading").unwrap();
    ns.wait_for_in_force("later").unwrap();
    assert_eq!(writes(&second), 1.0, "what was new");
    let mut after = ns.versions().unwrap();
    after.retain(|name, _| before.contains_key(name));
    assert_eq!(after, before);
}

#[test]
fn whoever_loses_the_lease_writes_nothing_until_it_is_free() {
    let cluster = LocalCluster::own().unwrap();
    let mut operator = cluster.operator("operator-0").start().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    one_of_each(&ns);
    // Somebody whose clock is an hour behind took it, and renews it.
    take(&cluster, "2001-01-01T00:00:00.000000Z");
    operator.wait_for_line("this replica stopped leading").unwrap();
    let published = ns.published().unwrap();
    ns.policy("api", &allow("api", &[OTHER])).unwrap();
    eventually("the change to be seen", || {
        let report = operator.get("/policies")?;
        let report: Value = serde_json::from_str(&report).unwrap();
        let policies = report["policies"].as_array()?;
        policies.iter().any(|p| p["name"] == "api" && p["generation"] == 2).then_some(())
    })
    .unwrap();
    for renewed in 0..8 {
        // Each time before it could be thought to be abandoned; together longer than a Lease lasts.
        take(&cluster, &format!("2001-01-01T00:00:{renewed:02}.000000Z"));
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    assert_eq!(ns.published().unwrap(), published);
    assert!(!is_judged(&ns.get("corspolicies", "api").unwrap()));

    release(&cluster);
    ns.wait_for_in_force("api").unwrap();
}

#[test]
fn a_lease_of_somebody_who_is_gone_is_taken_whatever_its_clock_said() {
    let cluster = LocalCluster::own().unwrap();
    take(&cluster, "2099-01-01T00:00:00.000000Z");
    let mut operator = cluster.operator("operator-0").start().unwrap();
    assert!(operator.said("this replica started leading").is_empty());
    let ns = cluster.test_namespace("shop").unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    operator.stop().unwrap();
    let lease = cluster.api().get(LEASE_PATH).unwrap().unwrap();
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    assert_eq!(holder, "", "it is given back");
}

#[test]
fn an_object_that_only_a_future_definition_allows_is_refused_and_stops_nobody() {
    let cluster = LocalCluster::own().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    ns.policy("before", &allow("before", &[SHOP])).unwrap();
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/corspolicies.corsward.io";
    let definition = cluster.api().get(path).unwrap().unwrap();
    let mut future = definition.clone();
    let anything = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    future["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = anything;
    cluster.api().replace(path, &future).unwrap();

    let strange = BTreeMap::from([
        ("mode", json!({ "cors": { "allowOrigins": [SHOP] }, "mode": "Shadow" })),
        ("field", json!({ "cors": { "allowOrigins": [SHOP], "allowCountries": ["ch"] } })),
        ("shape", json!({ "cors": { "allowOrigins": { "exact": SHOP } } })),
        ("nothing", json!({})),
    ]);
    for (name, spec) in &strange {
        // The API server goes by the former definition for a moment.
        eventually("the future definition", || {
            let object = json!({
                "apiVersion": "corsward.io/v1alpha1", "kind": "CorsPolicy",
                "metadata": { "name": name }, "spec": spec,
            });
            let written = cluster.api().apply(&ns.path("corspolicies", name), &object).ok()?;
            (written["spec"] == *spec).then_some(())
        })
        .unwrap();
    }
    let operator = cluster.operator("operator-0").start().unwrap();
    for name in strange.keys() {
        let said =
            ns.wait_for_conditions(name, &["Accepted=False Invalid", "Programmed=False"]).unwrap();
        assert_ne!(said["status"]["findings"], json!([]), "{name}");
    }
    ns.policy("after", &allow("after", &[SHOP])).unwrap();
    ns.wait_for_in_force("after").unwrap();
    ns.wait_for_in_force("before").unwrap();
    ns.wait_for_published(&[("app=after", &["after"]), ("app=before", &["before"])]).unwrap();
    assert_eq!(operator.get("/healthz").as_deref().map(str::trim), Some("ok"));
}

pub(crate) const LEASE_PATH: &str =
    "/apis/coordination.k8s.io/v1/namespaces/corsward-system/leases/corsward";

/// A foreign holder takes the Lease, with that renewal time.
fn take(cluster: &LocalCluster, renewed: &str) {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": "corsward" },
        "spec": {
            "holderIdentity": "somebody-else",
            "leaseDurationSeconds": 15,
            "acquireTime": renewed,
            "renewTime": renewed,
        },
    });
    cluster.api().apply(LEASE_PATH, &lease).unwrap();
}

/// Clears the holder of the Lease.
fn release(cluster: &LocalCluster) {
    cluster.api().merge(LEASE_PATH, &json!({ "spec": { "holderIdentity": null } })).unwrap();
}
