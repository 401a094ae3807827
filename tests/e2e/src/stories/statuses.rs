//! What a policy's status says of its proxies, and of what else answers beside it: no more than is so.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::gateway::front_with;
use crate::place::Place;
use crate::sharing::{SHOP, allowing, await_shared};
use crate::story::Story;
use crate::until::until;
use crate::workload::Workload;

pub(crate) const STORIES: &[Story] = &[
    Story::new(
        "Programmed counts the pods that keep a policy, and says which does not and why",
        programmed_counts_who_keeps_a_policy,
    ),
    Story::new(
        "pods older than injection, and ports that say no protocol, are named and not counted until they are mended",
        what_bypasses_the_filter_is_not_counted,
    ),
    Story::new(
        "a policy says which CORS settings of Istio and of the Gateway API apply beside it",
        other_settings_are_found,
    ),
];

fn programmed_counts_who_keeps_a_policy(cluster: &Cluster) -> Result<()> {
    let place = cluster.meshed("statuses")?;
    let member = |name: &str| Workload::echo(name).label("kept", "yes");
    place.run(&member("api").replicas(2))?;
    let mut spec = allowing("", &[SHOP]);
    spec["selector"]["matchLabels"] = json!({ "kept": "yes" });
    place.policy("api", &spec)?;
    place.await_condition("api", "Programmed", "True", "Programmed")?;
    await_proxies(&place, "2/2")?;

    place.run(&member("bare").label("sidecar.istio.io/inject", "false"))?;
    await_proxies(&place, "2/3")?;
    place.await_condition("api", "Programmed", "True", "PartiallyProgrammed")?;
    let found = await_finding(&place, "api", "CORS-W524")?;
    ensure!(found.contains("`deployment/bare`"), "the finding is: {found}");
    ensure!(!found.contains("`deployment/api`"), "the finding is: {found}");
    let listed = place.read(&["get", "corspolicy", "api"])?;
    ensure!(listed.contains("2/3"), "kubectl prints {listed}");

    place.read(&["delete", "deployment", "bare"])?;
    await_proxies(&place, "2/2")?;
    place.await_condition("api", "Programmed", "True", "Programmed")
}

fn what_bypasses_the_filter_is_not_counted(cluster: &Cluster) -> Result<()> {
    let place = cluster.place("statuses-older")?;
    let echo = ["node", "/apps/echo/server.js", "8080"];
    place.run(&Workload::new("api").command(&echo).port("web", 80, 8080))?;
    place.policy("api", &allowing("api", &[SHOP]))?;
    await_finding(&place, "api", "CORS-W523")?;
    place.read(&["label", "namespace", &place.name, "istio-injection=enabled"])?;
    let older = await_finding(&place, "api", "CORS-W525")?;
    ensure!(older.contains("rollout restart deployment/api"), "the fix is: {older}");
    await_proxies(&place, "0/1")?;

    place.restart("api")?;
    let undeclared = await_finding(&place, "api", "CORS-W528")?;
    ensure!(undeclared.contains("appProtocol: http"), "the fix is: {undeclared}");
    await_gone(&place, "CORS-W525")?;
    await_proxies(&place, "0/1")?;

    let declared = r#"[{"op": "add", "path": "/spec/ports/0/appProtocol", "value": "http"}]"#;
    place.read(&["patch", "service", "api", "--type=json", "-p", declared])?;
    await_gone(&place, "CORS-W528")?;
    await_proxies(&place, "1/1")?;
    await_shared(cluster.door(), &place.host("api"), SHOP)
}

fn other_settings_are_found(cluster: &Cluster) -> Result<()> {
    let place = cluster.meshed("statuses-beside")?;
    place.apply(&front_with(BESIDE))?;
    place.run(&Workload::echo("api"))?;
    place.policy("api", &allowing("api", &[SHOP]))?;
    let mut spec = allowing("", &[SHOP]);
    spec["targetRefs"] =
        json!([{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "front" }]);
    spec.as_object_mut().and_then(|spec| spec.remove("selector"));
    place.policy("front", &spec)?;
    let service = await_finding(&place, "api", "CORS-W532")?;
    ensure!(service.contains("statuses-beside/virtual"), "the finding is: {service}");
    let behind = await_finding(&place, "api", "CORS-W533")?;
    ensure!(behind.contains("statuses-beside/route"), "the finding is: {behind}");
    let same = await_finding(&place, "front", "CORS-W534")?;
    ensure!(same.contains("statuses-beside/route"), "the finding is: {same}");

    place.read(&["delete", "virtualservice/virtual", "httproute/route"])?;
    await_gone(&place, "CORS-W532")?;
    await_gone(&place, "CORS-W533")
}

/// The codes and messages of a policy's findings.
fn findings(place: &Place<'_>, policy: &str) -> Result<Vec<(String, String)>> {
    let policy = place.get("corspolicy", policy)?;
    let findings = policy["status"]["findings"].as_array().into_iter().flatten();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(findings.map(|one| (word(&one["code"]), word(&one["message"]))).collect())
}

/// Waits for a finding; its message.
fn await_finding(place: &Place<'_>, policy: &str, code: &str) -> Result<String> {
    until(&format!("{code} of {policy}"), || {
        let all = findings(place, policy)?;
        let found = all.iter().find(|(found, _)| found == code);
        ensure!(found.is_some(), "there are {all:?}");
        Ok(found.map(|(_, message)| message.clone()))
    })
}

/// Waits until the policy `api` has no such finding any more.
fn await_gone(place: &Place<'_>, code: &str) -> Result<()> {
    until(&format!("the end of {code}"), || {
        let left = findings(place, "api")?;
        ensure!(left.iter().all(|(left, _)| left != code), "there are {left:?}");
        Ok(Some(()))
    })
}

/// Waits until the column `Proxies` says so.
fn await_proxies(place: &Place<'_>, of: &str) -> Result<()> {
    until(&format!("{of} proxies"), || {
        let status = place.get("corspolicy", "api")?["status"].take();
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
