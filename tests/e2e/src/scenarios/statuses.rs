//! The report of a policy's status about its proxies, and about further CORS layers: no more than is true.

use anyhow::{Result, ensure};
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::workload::Workload;
use serde_json::{Value, json};

use crate::gateway::front_with;
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::{SHOP, allowing, wait_for_shared};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "Programmed counts the pods that keep a policy, and says which does not and why",
        programmed_counts_who_keeps_a_policy,
    ),
    Scenario::new(
        "pods older than injection, and ports that say no protocol, are named and not counted until they are mended",
        what_bypasses_the_filter_is_not_counted,
    ),
    Scenario::new(
        "a policy says which CORS settings of Istio and of the Gateway API apply beside it",
        other_settings_are_found,
    ),
];

fn programmed_counts_who_keeps_a_policy(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("statuses")?;
    let member = |name: &str| Workload::echo(name).label("kept", "yes");
    ns.run(&member("api").replicas(2))?;
    let mut spec = allowing("", &[SHOP]);
    spec["selector"]["matchLabels"] = json!({ "kept": "yes" });
    ns.policy("api", &spec)?;
    ns.wait_for_conditions("api", &["Programmed=True Programmed"])?;
    wait_for_proxies(&ns, "2/2")?;

    ns.run(&member("bare").label("sidecar.istio.io/inject", "false"))?;
    wait_for_proxies(&ns, "2/3")?;
    ns.wait_for_conditions("api", &["Programmed=True PartiallyProgrammed"])?;
    let found = wait_for_finding(&ns, "api", "CORS-W524")?;
    ensure!(found.contains("`deployment/bare`"), "the finding is: {found}");
    ensure!(!found.contains("`deployment/api`"), "the finding is: {found}");
    let listed = ns.read(&["get", "corspolicy", "api"])?;
    ensure!(listed.contains("2/3"), "kubectl prints {listed}");

    ns.read(&["delete", "deployment", "bare"])?;
    wait_for_proxies(&ns, "2/2")?;
    ns.wait_for_conditions("api", &["Programmed=True Programmed"]).map(drop)
}

fn what_bypasses_the_filter_is_not_counted(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.test_namespace("statuses-older")?;
    let echo = ["node", "/apps/echo/server.js", "8080"];
    ns.run(&Workload::new("api").command(&echo).port("web", 80, 8080))?;
    ns.policy("api", &allowing("api", &[SHOP]))?;
    wait_for_finding(&ns, "api", "CORS-W523")?;
    ns.read(&["label", "namespace", &ns.name, "istio-injection=enabled"])?;
    let older = wait_for_finding(&ns, "api", "CORS-W525")?;
    ensure!(older.contains("rollout restart deployment/api"), "the fix is: {older}");
    wait_for_proxies(&ns, "0/1")?;

    ns.restart("api")?;
    let undeclared = wait_for_finding(&ns, "api", "CORS-W528")?;
    ensure!(undeclared.contains("appProtocol: http"), "the fix is: {undeclared}");
    wait_for_gone(&ns, "CORS-W525")?;
    wait_for_proxies(&ns, "0/1")?;

    let declared = r#"[{"op": "add", "path": "/spec/ports/0/appProtocol", "value": "http"}]"#;
    ns.read(&["patch", "service", "api", "--type=json", "-p", declared])?;
    wait_for_gone(&ns, "CORS-W528")?;
    wait_for_proxies(&ns, "1/1")?;
    wait_for_shared(cluster.socks_proxy(), &ns.host("api"), SHOP)
}

fn other_settings_are_found(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("statuses-beside")?;
    ns.apply(&front_with(BESIDE))?;
    ns.run(&Workload::echo("api"))?;
    ns.policy("api", &allowing("api", &[SHOP]))?;
    let mut spec = allowing("", &[SHOP]);
    spec["targetRefs"] =
        json!([{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "front" }]);
    spec.as_object_mut().and_then(|spec| spec.remove("selector"));
    ns.policy("front", &spec)?;
    let service = wait_for_finding(&ns, "api", "CORS-W532")?;
    ensure!(service.contains("statuses-beside/virtual"), "the finding is: {service}");
    let behind = wait_for_finding(&ns, "api", "CORS-W533")?;
    ensure!(behind.contains("statuses-beside/route"), "the finding is: {behind}");
    let same = wait_for_finding(&ns, "front", "CORS-W534")?;
    ensure!(same.contains("statuses-beside/route"), "the finding is: {same}");

    ns.read(&["delete", "virtualservice/virtual", "httproute/route"])?;
    wait_for_gone(&ns, "CORS-W532")?;
    wait_for_gone(&ns, "CORS-W533")
}

/// The codes and messages of a policy's findings.
fn findings(ns: &TestNamespace<'_>, policy: &str) -> Result<Vec<(String, String)>> {
    let policy = ns.get("corspolicies", policy)?;
    let findings = policy["status"]["findings"].as_array().into_iter().flatten();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(findings.map(|one| (word(&one["code"]), word(&one["message"]))).collect())
}

/// Waits for a finding; its message.
fn wait_for_finding(ns: &TestNamespace<'_>, policy: &str, code: &str) -> Result<String> {
    eventually(&format!("{code} of {policy}"), || {
        let all = findings(ns, policy)?;
        let found = all.iter().find(|(found, _)| found == code);
        ensure!(found.is_some(), "there are {all:?}");
        Ok(found.map(|(_, message)| message.clone()))
    })
}

/// Waits until the policy `api` has no such finding any more.
fn wait_for_gone(ns: &TestNamespace<'_>, code: &str) -> Result<()> {
    eventually(&format!("the end of {code}"), || {
        let left = findings(ns, "api")?;
        ensure!(left.iter().all(|(left, _)| left != code), "there are {left:?}");
        Ok(Some(()))
    })
}

/// Waits until the column `Proxies` says so.
fn wait_for_proxies(ns: &TestNamespace<'_>, of: &str) -> Result<()> {
    eventually(&format!("{of} proxies"), || {
        let status = ns.get("corspolicies", "api")?["status"].take();
        let said = &status["summary"]["proxies"];
        ensure!(said == of, "it says {said}, and {}", status["conditions"]);
        Ok(Some(()))
    })
}

/// Two settings of others.
const BESIDE: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: virtual}
spec:
  hosts: [api]
  http:
    - corsPolicy: {allowOrigins: [{exact: https://other.example}]}
      route: [{destination: {host: api}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route}
spec:
  parentRefs: [{name: front}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /api}}]
      filters: [{type: CORS, cors: {allowOrigins: [https://other.example]}}]
      backendRefs: [{name: api, port: 80}]
";
