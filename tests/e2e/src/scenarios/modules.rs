//! The filter's module and its configuration, damaged, missing, or of a different release: requests pass, and the
//! policy comes back.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use corsward_test_harness::cluster::Published;
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, SocksProxy, header, request};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::workload::Workload;
use serde_json::{Value, json};
use xtask::command;

use crate::load::{Load, Question};
use crate::proxy::Proxy;
use crate::release::Release;
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::{SHOP, allowing, wait_for_shared};
use crate::upstream::{ANSWER, answering};

/// The name of a plugin that is copied.
const COPY: &str = "by-hand";

/// The digest in a plugin written by hand: no module has it.
const NO_MODULE: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "a plugin that is damaged or deleted by hand is repaired, and no request fails meanwhile",
        a_damaged_plugin_is_repaired,
    ),
    Scenario::alone(
        "a pod that starts while nobody serves the module passes traffic, and keeps the policy once somebody does",
        a_pod_starts_while_nobody_serves_the_module,
    ),
    Scenario::new(
        "bad configuration leaves the last good one in force, and a pod that starts with it serves",
        bad_configuration_leaves_the_last_good_one,
    ),
    Scenario::new(
        "a digest that no module has takes the filter out and no request with it, until it is corrected",
        a_wrong_digest_takes_the_filter_out,
    ),
    Scenario::alone(
        "the operator rolls to an image with another module, and a loaded pod is never without one filter's answers",
        another_module_is_rolled_out,
    ),
];

fn a_damaged_plugin_is_repaired(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("modules")?;
    let (socks_proxy, host) = under_a_policy(cluster, &ns)?;
    let load = Load::begin(socks_proxy, &[Question::get(&host, "/", SHOP).whoever_may_read()]);
    let good = ns.only_published()?;
    let [kind, name] = good.words()?;
    let damages = damages().map(|(plugin, around)| good.patch(&plugin, around));
    let damages = damages.into_iter().collect::<Result<Vec<Value>>>()?;
    for (why, at) in [("the spec", "/spec"), ("the module", "/spec/wasm")] {
        let fields = json!({ "spec": good.spec() });
        let fields = fields.pointer(at).and_then(Value::as_object).into_iter().flatten();
        let is_spared = |field: &String| {
            damages.iter().all(|damage| damage.pointer(&format!("{at}/{field}")).is_none())
        };
        let spared: Vec<&String> =
            fields.map(|(field, _)| field).filter(|field| is_spared(field)).collect();
        ensure!(spared.is_empty(), "no damage of {spared:?} of {why}");
    }
    for damage in damages {
        let patch = damage.to_string();
        ns.read(&["patch", kind, name, "--type=merge", "--patch", &patch])?;
        wait_for_repair(&ns, &good, &patch)?;
        wait_for_shared(socks_proxy, &host, SHOP)?;
    }
    ns.read(&["delete", kind, name])?;
    wait_for_repair(&ns, &good, "a deletion")?;
    wait_for_shared(socks_proxy, &host, SHOP)?;
    let tally = load.end();
    cluster.figure("while each field of a plugin was damaged, and it was deleted", &tally);
    tally.ensure_flawless()
}

/// A wrong value of each field: of the part about the module, and of what is around it; `null` takes it away. Several at a time: an
/// object that is changed again and again is repaired more and more rarely.
fn damages() -> [(Value, Value); 3] {
    [
        (json!({ "sha256": NO_MODULE }), json!({ "priority": 1, "match": [{ "mode": "CLIENT" }] })),
        (
            json!({ "pluginConfig": null, "pluginName": "other", "failStrategy": "FAIL_CLOSE" }),
            json!({}),
        ),
        (
            json!({ "url": "http://nowhere.invalid/filter.wasm" }),
            json!({ "selector": { "matchLabels": { "kept": "no" } }, "phase": "STATS" }),
        ),
    ]
}

fn a_pod_starts_while_nobody_serves_the_module(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("modules-away")?;
    let (socks_proxy, host) = under_a_policy(cluster, &ns)?;
    let late = kept("late");
    let late_host = ns.host(&late.name);
    Release::of(cluster)?.without_operator(|| {
        ns.run(&late)?;
        ensure_served_without_filter(socks_proxy, &late_host)?;
        // The pod that had the module keeps it.
        wait_for_shared(socks_proxy, &host, SHOP)
    })?;
    let load = Load::begin(socks_proxy, &[Question::get(&late_host, "/", SHOP).whoever_may_read()]);
    wait_for_shared(socks_proxy, &late_host, SHOP)?;
    load.end().ensure_flawless()
}

fn bad_configuration_leaves_the_last_good_one(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("modules-by-hand")?;
    ns.run(&kept("api"))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    let good = copied_plugin(cluster, "modules-by-operator")?;
    ns.apply(&good.by_hand(COPY))?;
    wait_for_shared(socks_proxy, &host, SHOP)?;

    let wrong = answering(200, &[(ALLOW_ORIGIN, "https://wrong.example")]);
    let asked = Question::get(&host, "/", SHOP).header(ANSWER, &wrong).allowed(SHOP);
    let load = Load::begin(socks_proxy, &[asked]);
    let proxy = Proxy::of(&ns, "deploy/api");
    for bad in [
        json!({ "v": 1, "digest": "sha256:0", "onInvalid": "Keep", "compiled": "no JSON" }),
        json!({ "v": 1, "surprise": [1, 2, 3] }),
    ] {
        let before = refused(&proxy)?;
        ns.apply(&good.with("pluginConfig", bad).by_hand(COPY))?;
        eventually("the running proxy to be told", || Ok(refused(&proxy)? > before))?;
        wait_for_shared(socks_proxy, &host, SHOP)?;
    }
    let late = kept("late");
    let late_host = ns.host(&late.name);
    ns.run(&late)?;
    let refuses = Proxy::of(&ns, "deploy/late");
    eventually("the new proxy to be told", || Ok(refused(&refuses)? > 0))?;
    ensure_served_without_filter(socks_proxy, &late_host)?;

    ns.apply(&good.by_hand(COPY))?;
    wait_for_shared(socks_proxy, &late_host, SHOP)?;
    let tally = load.end();
    cluster.figure("on the last good configuration", &tally);
    tally.ensure_flawless()
}

fn a_wrong_digest_takes_the_filter_out(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("modules-digest")?;
    ns.run(&kept("api"))?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    let good = copied_plugin(cluster, "modules-digest-by-operator")?;
    ns.apply(&good.by_hand(COPY))?;
    wait_for_shared(socks_proxy, &host, SHOP)?;

    let load = Load::begin(socks_proxy, &[Question::get(&host, "/", SHOP).whoever_may_read()]);
    ns.apply(&good.with("sha256", json!(NO_MODULE)).by_hand(COPY))?;
    // The module that runs is not the one that is asked for any more.
    eventually("the running pod without a filter", || {
        ensure_served_without_filter(socks_proxy, &host).map(Some)
    })?;
    let late = kept("late");
    let late_host = ns.host(&late.name);
    ns.run(&late)?;
    ensure_served_without_filter(socks_proxy, &late_host)?;

    ns.apply(&good.by_hand(COPY))?;
    wait_for_shared(socks_proxy, &host, SHOP)?;
    wait_for_shared(socks_proxy, &late_host, SHOP)?;
    let tally = load.end();
    cluster.figure("with a digest that no module has", &tally);
    tally.ensure_flawless()
}

/// The operator's plugin of a policy for [`kept`] pods, from a namespace without such pods.
fn copied_plugin(cluster: &ScenarioCluster, name: &str) -> Result<Published> {
    let ns = cluster.test_namespace(name)?;
    ns.policy("api", &keeping())?;
    eventually("a plugin", || ns.only_published().map(Some))
}

fn another_module_is_rolled_out(cluster: &ScenarioCluster) -> Result<()> {
    let ns = cluster.meshed("modules-next")?;
    let (socks_proxy, host) = under_a_policy(cluster, &ns)?;
    let release = Release::of(cluster)?;
    let image = release.ns.get("deployments", crate::release::NAME)?;
    let image = image["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let image = image.as_str().context("the operator has an image")?.to_owned();
    let next = next_release(cluster, &image)?;

    let proxy = Proxy::of(&ns, "deploy/api");
    let (before, old) = (proxy.decided()?, ns.only_published()?.plugin()["sha256"].clone());
    let wrong = answering(200, &[(ALLOW_ORIGIN, "https://wrong.example")]);
    let load = Load::begin(
        socks_proxy,
        &[
            Question::get(&host, "/", SHOP).header(ANSWER, &wrong).allowed(SHOP),
            Question::preflight(&host, "/", SHOP).allowed(SHOP),
        ],
    );
    let tag = format!("image.tag={next}");
    release.with(&[&tag], || wait_for_module(&ns, &proxy, |module| *module != old))?;
    wait_for_module(&ns, &proxy, |module| *module == old)?;
    let tally = load.end();
    let twice = proxy.decided()?.saturating_sub(before).saturating_sub(tally.sent.try_into()?);
    cluster.figure("to another module and back", &tally);
    cluster.figure("answers that two filters of ours had a hand in", twice);
    tally.ensure_flawless()
}

/// A pod under a policy that allows `SHOP`.
fn under_a_policy(
    cluster: &ScenarioCluster,
    ns: &TestNamespace<'_>,
) -> Result<(SocksProxy, String)> {
    ns.run(&kept("api"))?;
    ns.policy("api", &keeping())?;
    let (socks_proxy, host) = (cluster.socks_proxy(), ns.host("api"));
    wait_for_shared(socks_proxy, &host, SHOP)?;
    Ok((socks_proxy, host))
}

/// A policy for [`kept`] pods that allows `SHOP`.
fn keeping() -> Value {
    let mut spec = allowing("", &[SHOP]);
    spec["selector"]["matchLabels"] = json!({ "kept": "yes" });
    spec
}

/// Waits until a ns's plugin says again what it said.
fn wait_for_repair(ns: &TestNamespace<'_>, good: &Published, of: &str) -> Result<()> {
    eventually(&format!("the repair of {of}"), || {
        let now = ns.only_published()?;
        ensure!(now.spec() == good.spec(), "it is {now:?}");
        Ok(Some(()))
    })
}

/// A workload that the policy covers.
fn kept(name: &str) -> Workload {
    Workload::echo(name).label("kept", "yes")
}

/// A proxy without a filter: the back end's own header is seen.
fn ensure_served_without_filter(socks_proxy: SocksProxy, host: &str) -> Result<()> {
    let own = answering(200, &[(ALLOW_ORIGIN, "https://own.example")]);
    let asked = request("GET", host, "/", Some(SHOP), &[(ANSWER, &own)]);
    let answer = socks_proxy.send(host, 80, &asked)?;
    ensure!(answer.status == 200, "{answer:?}");
    let seen = header(&answer, ALLOW_ORIGIN)?;
    ensure!(seen.as_deref() == Some("https://own.example"), "{answer:?}");
    Ok(())
}

/// The number of configurations that a proxy's filter has refused.
fn refused(proxy: &Proxy<'_>) -> Result<u64> {
    proxy.count("wasmcustom.corsward.config.refused")
}

/// Waits until the plugin names such a module, and the proxy has one filter, of that module.
fn wait_for_module(
    ns: &TestNamespace<'_>,
    proxy: &Proxy<'_>,
    is_it: impl Fn(&Value) -> bool,
) -> Result<()> {
    let module = eventually("the plugin to name another module", || {
        let module = ns.only_published()?.plugin()["sha256"].clone();
        ensure!(is_it(&module), "it names {module}");
        Ok(module.as_str().map(str::to_owned))
    })?;
    // An agent keeps a module in a file that has its digest for a name.
    eventually("the proxy to run the module", || {
        Ok(proxy.admin("config_dump")?.contains(&module))
    })?;
    proxy.wait_for_filters(1)
}

/// The tag of an operator's image in the node with a module of a different digest. The module has one more custom section,
/// which changes nothing but its bytes.
fn next_release(cluster: &ScenarioCluster, image: &str) -> Result<String> {
    const TAG: &str = "next";
    let (repository, _) = image.rsplit_once(':').context("the operator's image has a tag")?;
    let next = format!("{repository}:{TAG}");
    let folder = tempfile::tempdir()?;
    let container = command::read(Command::new("docker").args(["create", image]))?;
    let container = String::from_utf8(container)?.trim().to_owned();
    let module = folder.path().join("corsward_filter.wasm");
    let from = format!("{container}:/corsward_filter.wasm");
    let copied = command::read(Command::new("docker").args(["cp", &from]).arg(&module));
    command::read(Command::new("docker").args(["rm", &container]))?;
    copied?;
    add_section(&module)?;
    let file = format!("FROM {image}\nCOPY corsward_filter.wasm /corsward_filter.wasm\n");
    fs::write(folder.path().join("Dockerfile"), file)?;
    let mut build = Command::new("docker");
    build.args(["build", "--quiet", "--tag", &next]).arg(folder.path());
    command::wait_for("an image with another module", &mut build)?;
    let node = cluster.read(&["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"])?;
    let import = ["exec", "--interactive", &node, "ctr", "-n", "k8s.io", "images", "import", "-"];
    let mut save = Command::new("docker");
    command::pipe(save.args(["save", &next]), Command::new("docker").args(import))?;
    Ok(TAG.to_owned())
}

/// Appends a custom section (WebAssembly core specification, 5.5.3): its id, its size, its name, nothing.
fn add_section(module: &Path) -> Result<()> {
    const NAME: &[u8] = b"next";
    let mut bytes = fs::read(module)?;
    let length = u8::try_from(NAME.len())?;
    bytes.extend([0, length + 1, length]);
    bytes.extend_from_slice(NAME);
    Ok(fs::write(module, bytes)?)
}
