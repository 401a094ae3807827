//! Outages: what is said while something is away, once each, and when it is back.

use std::collections::BTreeSet;

use corsward_test_harness::cluster::{LocalCluster, Operator};
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};
use xtask::tools;

use crate::faults::LEASE_PATH;
use crate::specs::{SHOP, allow};

const AGAIN: &str = "acquired or renewed the lease again";
const NOT_WATCHED: &str = "cannot watch; tried again";

/// Everything that was logged after the first `before` lines, without its times.
#[track_caller]
fn said_since(operator: &mut Operator, before: usize) -> Vec<Value> {
    let mut lines = operator.lines().split_off(before);
    for line in &mut lines {
        assert!(line["timestamp"].is_string() && line["message"].is_string(), "no JSON: {line}");
        line.as_object_mut().unwrap().remove("timestamp");
    }
    lines
}

#[track_caller]
fn assert_each_once(lines: &[Value]) {
    let mut seen = BTreeSet::new();
    for line in lines {
        assert!(line["level"] == "INFO" || seen.insert(line.to_string()), "said twice: {line}");
        let target = line["target"].as_str().unwrap();
        assert!(target.starts_with("corsward"), "a library's word: {line}");
    }
}

#[test]
fn an_api_server_that_is_away_is_spoken_of_once_and_so_is_its_return() {
    let mut cluster = LocalCluster::own().unwrap();
    let mut operator = cluster.operator("operator-0").start().unwrap();
    operator.wait_for_line("this replica started leading").unwrap();
    let before = operator.lines().len();
    cluster.server.kill();
    // Until then everything has been tried several times.
    operator.wait_for_line("this replica stopped leading").unwrap();
    cluster.server.restart().unwrap();
    operator.wait_for_line(AGAIN).unwrap();
    let ns = cluster.test_namespace("later").unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    let lines = said_since(&mut operator, before);
    assert_each_once(&lines);
    let about = |message: &str| lines.iter().filter(|line| line["message"] == message).count();
    assert!(about(NOT_WATCHED) > 1, "{lines:?}");
    assert_eq!(about(AGAIN), 1, "{lines:?}");
}

#[test]
fn a_kind_that_nobody_has_installed_is_missed_once_and_seen_when_it_comes() {
    let cluster = LocalCluster::own().unwrap();
    let definition =
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/wasmplugins.extensions.istio.io";
    cluster.api().delete(definition).unwrap();
    eventually("the kind to be gone", || cluster.api().get(definition).unwrap().is_none()).unwrap();
    let mut operator = cluster.operator("operator-0").start_unready().unwrap();
    eventually("the kind to be looked for several times", || {
        operator.metric("corsward_object_watch_failures_total").filter(|failures| *failures > 3.0)
    })
    .unwrap();
    cluster.server.apply(&tools::istio_crds().unwrap()).unwrap();
    eventually("the kind to be watched", || {
        let lines = operator.said("watched again");
        lines.iter().any(|line| line["kind"] == "WasmPlugin")
    })
    .unwrap();
    let lines = said_since(&mut operator, 0);
    assert_each_once(&lines);
    let missed = lines.iter().find(|line| line["message"] == NOT_WATCHED).unwrap();
    assert_eq!(missed["kind"], "WasmPlugin");
}

#[test]
fn a_lease_that_is_held_for_years_names_its_holder_and_ends_when_it_is_deleted() {
    let cluster = LocalCluster::own().unwrap();
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": "corsward" },
        "spec": { "holderIdentity": "stranger", "leaseDurationSeconds": 2_000_000_000 },
    });
    cluster.api().apply(LEASE_PATH, &lease).unwrap();
    let mut operator = cluster.operator("operator-0").start_unready().unwrap();
    let told = operator.wait_for_line("another replica holds the lease").unwrap();
    assert_eq!(told["holder"], "stranger");
    let advice = "the lease is held without renewals, and no replica writes until its expiry: to release it at once, `kubectl -n corsward-system delete lease corsward`";
    let warned = operator.wait_for_line(advice).unwrap();
    assert_eq!((&warned["level"], &warned["holder"]), (&json!("WARN"), &json!("stranger")));
    assert!(warned["until"].as_str().is_some_and(|until| until.ends_with('Z')), "{warned}");
    let report: Value = serde_json::from_str(&operator.get("/policies").unwrap()).unwrap();
    let said = &report["lease"];
    assert_eq!(
        [&said["holder"], &said["isThisReplica"], &said["takenAfterSeconds"]],
        [&json!("stranger"), &json!(false), &json!(600)]
    );
    assert_eq!(operator.metric("corsward_leader"), Some(0.0));

    let advised = ["-n", "corsward-system", "delete", "lease", "corsward"];
    assert!(cluster.kubectl(&advised, "").unwrap().success);
    operator.wait_for_line("this replica started leading").unwrap();
    eventually("the holder to be told", || {
        let report: Value = serde_json::from_str(&operator.get("/policies")?).unwrap();
        (report["lease"]["isThisReplica"] == true).then_some(())
    })
    .unwrap();
}
