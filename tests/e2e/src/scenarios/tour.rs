//! The tour of `docs/istio.md`, with its own files.

use anyhow::{Context, Result, ensure};
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, header, request};
use corsward_test_harness::eventually::eventually;
use corsward_tests::suite;

use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::SHOP;

pub(crate) const SCENARIOS: &[Scenario] =
    &[Scenario::new("the steps of the tour of docs/istio.md come to what it says", the_tour)];

fn the_tour(cluster: &ScenarioCluster) -> Result<()> {
    let example = |name: &str| {
        let file = suite::folder().join("../examples/istio").join(name);
        file.to_str().map(str::to_owned).context("a path is text")
    };
    let shop = cluster.meshed("shop")?;
    let outside = cluster.test_namespace("outside")?;
    cluster.read(&["apply", "-f", &example("shop.yaml")?])?;
    shop.rolled_out("deployment/api")?;
    outside.rolled_out("deployment/caller")?;
    let ask = |method: &str| {
        let asked = format!("access-control-request-method: {method}");
        let origin = format!("origin: {SHOP}");
        let url = "http://api.shop/";
        outside.exec(
            "deploy/caller",
            "app",
            &["curl", "-si", "-X", "OPTIONS", "-H", &origin, "-H", &asked, url],
        )
    };
    // What a node routes follows readiness a moment later.
    let before = eventually("an answer without a policy", || ask("PUT").map(Some))?;
    ensure!(!before.contains("access-control-allow-origin"), "without a policy: {before}");

    cluster.read(&["apply", "-f", &example("corspolicy.yaml")?])?;
    let columns = eventually("1/1 in `kubectl get corspolicies`", || {
        let columns = shop.read(&["get", "corspolicies", "--no-headers"])?;
        Ok(columns.contains(" 1/1 ").then_some(columns))
    })?;
    cluster.figure(
        "kubectl get corspolicies",
        columns.split_whitespace().collect::<Vec<_>>().join(" "),
    );
    let preflight = ask("PUT")?;
    for line in [
        "HTTP/1.1 204 No Content",
        "access-control-allow-origin: https://shop.example",
        "access-control-allow-credentials: true",
        "access-control-allow-methods: PUT, DELETE",
        "access-control-max-age: 600",
    ] {
        ensure!(preflight.contains(line), "`{line}` is not in {preflight}");
    }
    let actual = request("GET", "api.shop", "/", Some(SHOP), &[]);
    let answer = cluster.socks_proxy().send(&shop.host("api"), 80, &actual)?;
    ensure!(header(&answer, ALLOW_ORIGIN)?.as_deref() == Some(SHOP), "{answer:?}");
    // The webhook has little time, and what it does not judge in time is written: the status says it then.
    let mistake = r#"{"spec":{"cors":{"allowOrigins":["https://*.com"]}}}"#;
    eventually("the refusal of `https://*.com` at once", || {
        let patch = ["patch", "corspolicy", "api", "--type", "merge", "-p", mistake];
        let Err(refused) = shop.read(&patch) else {
            return cluster.read(&["apply", "-f", &example("corspolicy.yaml")?]).map(|_| None);
        };
        let said = format!("{refused:#}");
        ensure!(said.contains("CORS-E204"), "it is refused otherwise: {said}");
        Ok(Some(()))
    })?;
    Ok(())
}
