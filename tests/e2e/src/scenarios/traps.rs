//! A filter that dies: requests pass without it, and a metric tells.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, header, request};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::workload::{IMAGE, Workload};
use serde_json::json;
use xtask::wasm;

use crate::proxy::Proxy;
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::{SHOP, allowing, wait_for_shared, wait_for_unshared};

/// The filter counts a heartbeat so often.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Number of heartbeats for a rate: so many that one more or less does not matter.
const COUNTED: u64 = 6;

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::new(
    "a filter that traps lets requests pass, and its heartbeats tell that it is dead",
    a_filter_that_traps_lets_requests_pass,
)];

fn a_filter_that_traps_lets_requests_pass(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("traps")?;
    ns.run(&Workload::echo("api"))?;
    // No proxy stands before what serves the module, and the policy there is for nobody: its configuration is copied.
    let outside = cluster.test_namespace("traps-module")?;
    outside.policy("api", &allowing("api", &[SHOP]))?;
    let sha256 = serve_module(&outside)?;
    let plugin = eventually("a plugin", || outside.only_published().map(Some))?;
    let url = json!(format!("http://{}/filter.wasm", outside.host("module")));
    let plugin = plugin.with("url", url).with("sha256", json!(sha256));
    ns.apply(&plugin.by_hand("trapping"))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    wait_for_shared(socks_proxy, &host, SHOP)?;
    let proxy = Proxy::of(&ns, "deploy/api");
    ensure!(!alerts(&proxy)?, "an alert about a filter that lives");

    let names: Vec<String> = (0..=wasm::TRAPPED_HEADERS).map(|n| format!("x-{n}")).collect();
    let lines: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let trapped = socks_proxy.send(&host, 80, &request("GET", &host, "/", Some(SHOP), &lines))?;
    ensure!(trapped.status == 503, "the request that traps: {trapped:?}");
    wait_for_unshared(socks_proxy, &host, SHOP)?;
    let passed = socks_proxy.get(&host, "/", Some(SHOP))?;
    ensure!(passed.status == 200, "after the trap: {passed:?}");
    ensure!(header(&passed, ALLOW_ORIGIN)?.is_none(), "after the trap: {passed:?}");
    ensure!(alerts(&proxy)?, "no alert about a filter that is dead");
    Ok(())
}

/// The chart's alert CorswardFilterDead, asked of one proxy: the filter beats once for each worker and once for the main
/// thread.
fn alerts(proxy: &Proxy<'_>) -> Result<bool> {
    let wait_for_beats = |count: u64, after: u64| {
        eventually(&format!("{count} heartbeats"), || {
            let beats = proxy.count("wasmcustom.corsward.heartbeats:")?;
            Ok((beats >= after + count).then(|| (Instant::now(), beats)))
        })
    };
    let (_, so_far) = wait_for_beats(0, 0)?;
    // From one beat on, so that the first interval is whole.
    let (begun, before) = wait_for_beats(1, so_far)?;
    let (ended, after) = wait_for_beats(COUNTED, before)?;
    let (counted, took) = (after - before, ended - begun);
    let rate = f64::from(u32::try_from(counted)?) / took.as_secs_f64();
    let workers = proxy.count("server.concurrency:")?;
    let workers = f64::from(u32::try_from(workers)?);
    ensure!(workers > 0.0, "the proxy does not say how many workers it has");
    Ok((rate * HEARTBEAT.as_secs_f64()).round() <= workers)
}

/// Serves the module that traps; its digest.
fn serve_module(ns: &TestNamespace<'_>) -> Result<String> {
    let module = wasm::trapping()?;
    let module = module.to_str().context("a path is text")?;
    let from = format!("--from-file=filter.wasm={module}");
    ns.read(&["create", "configmap", "module", &from])?;
    let server = Workload::new("module")
        .command(&["python3", "-m", "http.server", "8080", "--directory", "/module"])
        .port("http", 80, 8080);
    let mut objects = server.objects();
    let pod = &mut objects["items"][0]["spec"]["template"]["spec"];
    ensure!(pod["containers"][0]["image"] == IMAGE, "the first item is no Deployment");
    pod["volumes"] = json!([{ "name": "module", "configMap": { "name": "module" } }]);
    pod["containers"][0]["volumeMounts"] = json!([{ "name": "module", "mountPath": "/module" }]);
    pod["containers"][0]["readinessProbe"] =
        json!({ "httpGet": { "path": "/filter.wasm", "port": 8080 }, "periodSeconds": 1 });
    ns.apply(&objects.to_string())?;
    ns.rolled_out("deployment/module")?;
    let said = ns.exec("deploy/module", "app", &["sha256sum", "/module/filter.wasm"])?;
    let digest = said.split_whitespace().next().context("sha256sum prints a digest")?;
    Ok(digest.to_owned())
}
