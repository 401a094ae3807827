//! The promise of the product: a policy is applied, and the proxies it is for keep it, one text after the other.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, SocksProxy, header, request};
use corsward_test_harness::cluster::{TestNamespace, object};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::workload::Workload;
use serde_json::{Value, json};

use crate::gateway::front_with;
use crate::load::{Load, Question};
use crate::release::{self, Release};
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::{SHOP, STRANGER, allowing, wait_for_shared, wait_for_unshared};
use crate::upstream::{ANSWER, answering};

/// Number of changes of a policy under load.
const CHANGES: usize = 20;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "a policy that is applied is kept by the sidecars it selects",
        a_policy_that_is_applied_is_kept,
    ),
    Scenario::new(
        "a Gateway keeps its own policy, whatever its routes say",
        a_gateway_keeps_its_own_policy,
    ),
    // By itself: how long a change takes is a figure, and others would be in it.
    Scenario::alone(
        "a policy that changes twenty times loses no request",
        no_change_loses_a_request,
    ),
    // By itself: it stops every policy of the cluster.
    Scenario::alone(
        "one value of the chart stops every policy and starts it again, without new pods",
        one_value_stops_every_policy,
    ),
];

fn a_policy_that_is_applied_is_kept(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("enforcement")?;
    ns.run(&Workload::echo("api"))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    // Nobody has said anything yet.
    wait_for_unshared(socks_proxy, &host, SHOP)?;

    let begun = Instant::now();
    ns.apply(&object("CorsPolicy", "api", &allowing("api", &[SHOP])).to_string())?;
    wait_for_shared(socks_proxy, &host, SHOP)?;
    cluster.figure(
        "kubectl apply to effect, the module's first fetch included",
        format!("{:.2} s", begun.elapsed().as_secs_f64()),
    );
    ensure_kept(socks_proxy, &host)?;

    ns.read(&["delete", "corspolicy", "api"])?;
    wait_for_unshared(socks_proxy, &host, SHOP)
}

fn a_gateway_keeps_its_own_policy(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("enforcement-gateway")?;
    ns.apply(&front_with(ROUTE))?;
    ns.run(&Workload::echo("api"))?;
    eventually("the Gateway's Deployment", || ns.rolled_out("deployment/front-istio").map(Some))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("front-istio"));
    let of_route = |origin: &str| -> Result<Option<String>> {
        let answer = socks_proxy.get(&host, "/api", Some(origin))?;
        ensure!(answer.status == 200, "{answer:?}");
        header(&answer, ALLOW_ORIGIN)
    };
    let wait_for_route = || {
        eventually("what the route itself says", || Ok(of_route(OTHER)?.as_deref() == Some(OTHER)))
    };
    wait_for_route()?;

    let gateway =
        json!({ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "front" });
    ns.policy(
        "front",
        &json!({
            "targetRefs": [gateway],
            "cors": { "allowOrigins": [SHOP], "allowMethods": ["PUT"] },
        }),
    )?;
    wait_for_shared(socks_proxy, &host, SHOP)?;
    ensure_kept(socks_proxy, &host)?;
    ensure!(of_route(SHOP)?.as_deref() == Some(SHOP), "the Gateway's policy, by the route");
    ensure!(of_route(OTHER)?.is_none(), "the route has a say");
    let preflight = socks_proxy.preflight(&host, "/api", OTHER, "PUT", "")?;
    ensure!(header(&preflight, ALLOW_ORIGIN)?.is_none(), "the route has a say: {preflight:?}");
    let nowhere = socks_proxy.get(&host, "/no-route", Some(SHOP))?;
    ensure!(nowhere.status == 404, "{nowhere:?}");
    ensure!(header(&nowhere, ALLOW_ORIGIN)?.as_deref() == Some(SHOP), "no route: {nowhere:?}");
    let behind = socks_proxy.get(&ns.host("api"), "/", Some(SHOP))?;
    ensure!(header(&behind, ALLOW_ORIGIN)?.is_none(), "past the Gateway: {behind:?}");
    ns.wait_for_conditions("front", &["Accepted=True Accepted"])?;
    ns.read(&["delete", "corspolicy", "front"])?;
    wait_for_route()
}

fn no_change_loses_a_request(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("enforcement-changes")?;
    ns.run(&Workload::echo("api"))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    ns.policy("api", &allowing("api", &[SHOP]))?;
    wait_for_shared(socks_proxy, &host, SHOP)?;

    // The back end sends a wrong header of its own: without the filter it would be seen.
    let wrong = answering(200, &[(ALLOW_ORIGIN, "https://wrong.example")]);
    let load = Load::begin(
        socks_proxy,
        &[
            Question::get(&host, "/", SHOP).header(ANSWER, &wrong).allowed(SHOP),
            Question::preflight(&host, "/", SHOP).allowed(SHOP),
            Question::get(&host, "/", STRANGER).header(ANSWER, &wrong),
        ],
    );
    let mut took = Vec::new();
    for change in 0..CHANGES {
        took.push(change_to_effect(&ns, &host, socks_proxy, change)?);
    }
    let tally = load.end();
    cluster.figure(
        "kubectl apply to effect, twenty changes under load",
        format!("median {}, longest {}", seconds(median(&mut took)), seconds(longest(&took))),
    );
    cluster.figure("twenty changes", &tally);
    tally.ensure_flawless()
}

fn one_value_stops_every_policy(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("enforcement-switch")?;
    ns.run(&Workload::echo("api"))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    ns.policy("api", &allowing("api", &[SHOP]))?;
    wait_for_shared(socks_proxy, &host, SHOP)?;
    let release = Release::of(cluster)?;
    // Every change of a Deployment's spec has a generation of its own.
    let deployment = || -> Result<Value> {
        Ok(release.ns.get("deployments", release::NAME)?["metadata"]["generation"].clone())
    };
    let before = deployment()?;

    let load = Load::begin(socks_proxy, &[Question::get(&host, "/", SHOP).whoever_may_read()]);
    release.with(&["enforcement=Off"], || {
        wait_for_unshared(socks_proxy, &host, SHOP)?;
        ns.wait_for_conditions("api", &["Programmed=False Off"])?;
        release.upgrade(&["enforcement=On"])?;
        wait_for_shared(socks_proxy, &host, SHOP)?;
        ns.wait_for_conditions("api", &["Programmed=True Programmed"])?;
        let after = deployment()?;
        ensure!(after == before, "the Deployment has generation {after}, not {before}: new pods");
        Ok(())
    })?;
    wait_for_shared(socks_proxy, &host, SHOP)?;
    let tally = load.end();
    cluster.figure("enforcement off and on", &tally);
    tally.ensure_flawless()
}

/// Allows a further origin at each call; returns the time since the beginning of `kubectl apply`.
fn change_to_effect(
    ns: &TestNamespace<'_>,
    host: &str,
    socks_proxy: SocksProxy,
    change: usize,
) -> Result<Duration> {
    let newcomer = format!("https://change-{change}.example");
    let begun = Instant::now();
    let allowed = allowing("api", &[SHOP, &newcomer]);
    ns.apply(&object("CorsPolicy", "api", &allowed).to_string())?;
    eventually(&format!("the effect of change {change}"), || {
        let answer = socks_proxy.get(host, "/", Some(&newcomer))?;
        Ok(header(&answer, ALLOW_ORIGIN)? == Some(newcomer.clone()))
    })?;
    Ok(begun.elapsed())
}

/// The rules of [`allowing`] for `SHOP` hold, for preflights, pages and foreign origins.
fn ensure_kept(socks_proxy: SocksProxy, host: &str) -> Result<()> {
    let preflight = socks_proxy.preflight(host, "/", SHOP, "PUT", "")?;
    ensure!(preflight.status == 204, "{preflight:?}");
    ensure!(header(&preflight, ALLOW_ORIGIN)?.as_deref() == Some(SHOP), "{preflight:?}");
    let stranger = socks_proxy.get(host, "/", Some(STRANGER))?;
    ensure!(header(&stranger, ALLOW_ORIGIN)?.is_none(), "a stranger: {stranger:?}");
    ensure!(stranger.vary() == ["origin"], "a stranger: {stranger:?}");
    let doubled = answering(200, &[(ALLOW_ORIGIN, "*"), (ALLOW_ORIGIN, "https://wrong.example")]);
    let doubled = request("GET", host, "/api", Some(SHOP), &[(ANSWER, &doubled)]);
    let replaced = socks_proxy.send(host, 80, &doubled)?;
    ensure!(header(&replaced, ALLOW_ORIGIN)?.as_deref() == Some(SHOP), "{replaced:?}");
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn longest(times: &[Duration]) -> Duration {
    times.iter().max().copied().unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// The origin that the route allows.
const OTHER: &str = "https://other.example";

/// A route of the Gateway `front` to `api`, with a CORS filter of its own.
const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api}
spec:
  parentRefs: [{name: front}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /api}}]
      filters: [{type: CORS, cors: {allowOrigins: [https://other.example]}}]
      backendRefs: [{name: api, port: 80}]
";
