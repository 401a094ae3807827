//! Helm installs, upgrades and uninstalls corsward under a mesh's traffic.

use anyhow::{Result, ensure};
use corsward_test_harness::cluster::Published;
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::workload::Workload;
use serde_json::Value;

use crate::load::{Load, Question};
use crate::release::{NAMESPACE, Release};
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::{SHOP, allowing, wait_for_shared, wait_for_unshared};

/// The part that the names of corsward's objects share.
const OURS: &str = "corsward";

/// Beside the policy what else is the users' own.
const BESIDE: &str = "
apiVersion: corsward.io/v1alpha1
kind: OriginSet
metadata: {name: lifecycle}
spec: {origins: [https://shop.example]}
---
apiVersion: corsward.io/v1alpha1
kind: ClusterCorsPolicy
metadata: {name: lifecycle}
spec: {enforcement: Warn, guardrails: {maxMaxAge: 7200}}
";

/// The objects that stay after an uninstall: the definitions, the API server's objects for them, and the namespaces.
const KEPT: [&str; 6] = [
    "apiservice.apiregistration.k8s.io/v1alpha1.corsward.io",
    "customresourcedefinition.apiextensions.k8s.io/clustercorspolicies.corsward.io",
    "customresourcedefinition.apiextensions.k8s.io/corspolicies.corsward.io",
    "customresourcedefinition.apiextensions.k8s.io/originsets.corsward.io",
    "namespace/corsward-e2e",
    "namespace/corsward-system",
];

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::alone(
        "corsward is upgraded, uninstalled and installed under traffic that fails not once, and leaves policies and nothing else",
        no_request_fails_while_helm_works,
    ),
    Scenario::alone(
        "the kind of Istio's objects changes to the older one and back under traffic, and no answer is without its headers",
        no_answer_is_bare_while_the_kind_changes,
    ),
];

fn no_request_fails_while_helm_works(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("lifecycle")?;
    ns.run(&Workload::echo("api"))?;
    ns.policy("api", &allowing("api", &[SHOP]))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    wait_for_shared(socks_proxy, &host, SHOP)?;
    ns.apply(BESIDE)?;
    let release = Release::of(cluster)?;
    let values = release.values()?;

    let questions = [
        Question::get(&host, "/", SHOP).allowed(SHOP),
        Question::preflight(&host, "/", SHOP).allowed(SHOP),
    ];
    let load = Load::begin(socks_proxy, &questions);
    release.upgrade(&["podAnnotations.upgraded=yes"])?;
    let upgraded = load.end();
    cluster.figure("helm upgrade", &upgraded);
    upgraded.ensure_flawless()?;

    let load = Load::begin(socks_proxy, &[Question::get(&host, "/", SHOP).whoever_may_read()]);
    let gone = release.uninstall().and_then(|()| {
        wait_for_unshared(socks_proxy, &host, SHOP)?;
        ensure_gone(cluster)?;
        let policy = ns.get("corspolicies", "api")?;
        ensure!(policy["spec"]["cors"]["allowOrigins"][0] == SHOP, "the policy is {policy}");
        ns.read(&["get", "originset/lifecycle", "clustercorspolicy/lifecycle"]).map(drop)
    });
    // Whatever was left: the others need it.
    let back = release.install(&values);
    gone?;
    back?;
    wait_for_shared(socks_proxy, &host, SHOP)?;
    let reinstalled = load.end();
    cluster.figure("helm uninstall and install", &reinstalled);
    reinstalled.ensure_flawless()?;
    ns.wait_for_conditions("api", &["Accepted=True Accepted"])?;
    ns.read(&["delete", "clustercorspolicy", "lifecycle"]).map(drop)
}

fn no_answer_is_bare_while_the_kind_changes(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("kinds")?;
    ns.run(&Workload::echo("api"))?;
    ns.policy("api", &allowing("api", &[SHOP]))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    wait_for_shared(socks_proxy, &host, SHOP)?;
    let release = Release::of(cluster)?;
    let questions = [
        Question::get(&host, "/", SHOP).allowed(SHOP),
        Question::preflight(&host, "/", SHOP).allowed(SHOP),
    ];
    let [older, newer] = Published::KINDS;
    let count = |kind: &str| -> Result<usize> {
        Ok(ns.read(&["get", kind, "-o", "name"])?.lines().count())
    };
    let is_newer = count(newer)? == 1 && count(older)? == 0;
    ensure!(is_newer, "every istiod reads {newer}, and the chart was told of no kind");
    let changed = |before: &str, after: &str| {
        eventually(&format!("{after} instead of {before}"), || {
            let (old, new) = (count(before)?, count(after)?);
            ensure!(old == 0 && new == 1, "there are {old} {before} and {new} {after}");
            Ok(Some(()))
        })
    };
    let load = Load::begin(socks_proxy, &questions);
    let there = release.with(&["publish.istio.kind=WasmPlugin"], || {
        changed(newer, older)?;
        // The proxies have heard that the others are gone when nothing else is said of them.
        ns.wait_for_conditions("api", &["Programmed=True Programmed"])?;
        wait_for_shared(socks_proxy, &host, SHOP)
    });
    let back = changed(older, newer);
    let shared = wait_for_shared(socks_proxy, &host, SHOP);
    let tally = load.end();
    cluster.figure("TrafficExtension to WasmPlugin and back", &tally);
    there?;
    back?;
    shared?;
    tally.ensure_flawless()
}

/// Nothing of ours is left but what is kept, and what the scenarios made.
fn ensure_gone(cluster: &ScenarioCluster) -> Result<()> {
    eventually("the end of everything of ours", || {
        let left = left(cluster)?;
        ensure!(left.is_empty(), "there is left {left:#?}");
        Ok(Some(()))
    })
}

/// Every object of the cluster that is ours by its name, its namespace or its labels, and should not be there.
fn left(cluster: &ScenarioCluster) -> Result<Vec<String>> {
    let kinds = cluster.read(&["api-resources", "--verbs=list", "-o", "name"])?;
    // Traces of what happened, and what scenarios made on purpose.
    let not_asked = ["events", "events.events.k8s.io", "corspolicies.corsward.io"];
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !not_asked.contains(kind)).collect();
    let all = cluster.json(&["get", &kinds.join(","), "--all-namespaces", "--ignore-not-found"])?;
    let items = all["items"].as_array().into_iter().flatten();
    let ours = items.filter(|item| is_ours(item)).map(shown);
    Ok(ours.filter(|name| !is_kept(name)).collect())
}

fn is_ours(item: &Value) -> bool {
    let metadata = &item["metadata"];
    let labels = metadata["labels"].as_object().into_iter().flatten();
    let by_label = labels
        .filter(|(name, _)| !name.starts_with("corsward-e2e/"))
        .any(|(name, value)| name.contains(OURS) || value.as_str().is_some_and(|it| it == OURS));
    let named = |key: &str| metadata[key].as_str().is_some_and(|name| name.contains(OURS));
    by_label || named("name") || metadata["namespace"] == NAMESPACE
}

fn is_kept(name: &str) -> bool {
    // Every namespace has these two.
    let common = ["configmap/kube-root-ca.crt", "serviceaccount/default", "configmap/istio-ca"];
    KEPT.contains(&name)
        || common.iter().any(|one| name.contains(one))
        || name.contains("corsward-e2e")
}

fn shown(item: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = word(&item["kind"]).to_lowercase();
    let group = word(&item["apiVersion"]);
    let group = group.split_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
    let (namespace, name) = (word(&item["metadata"]["namespace"]), word(&item["metadata"]["name"]));
    let ns = if namespace.is_empty() { String::new() } else { format!(" of {namespace}") };
    format!("{kind}{group}/{name}{ns}")
}
