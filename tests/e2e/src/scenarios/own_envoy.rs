//! A pod that brings its own Envoy, outside the mesh, fed by ConfigMaps: the files of `examples/own-envoy`.

mod pods;
mod same;

use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use corsward_test_harness::answer::Answer;
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, header};
use corsward_test_harness::eventually::eventually;
use serde_json::json;
use xtask::envoy::Shell;

use self::pods::{App, Pods};
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::{SHOP, STRANGER, allowing};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::alone(
        "a pod with an Envoy of its own keeps the policies that ConfigMaps bring",
        an_envoy_of_ones_own,
    ),
    Scenario::alone(
        "a pod with an Envoy of its own runs the native filter",
        an_envoy_with_the_native_filter,
    ),
    Scenario::alone(
        "the same back ends answer in the mesh and behind Envoys of their own, and the same",
        same::the_same_answers,
    ),
];

const NEXT: &str = "https://next.example";
const POLICY: &str = include_str!("../../../../examples/own-envoy/policy.yaml");

/// The operator's ConfigMap for the example's policy, and the key in it.
const CONFIG_MAP: &str = "corsward-e88e689750";
const FILE: &str = "corsward.yaml";

/// The operator's ConfigMap for policies that a whole namespace shares.
const OF_NAMESPACE: &str = "corsward";

/// A namespace with the example in it.
struct OwnEnvoyFixture<'c> {
    cluster: &'c ScenarioCluster,
    ns: TestNamespace<'c>,
    pods: &'c Pods<'c>,
    host: String,
}

fn an_envoy_of_ones_own(cluster: &ScenarioCluster) -> Result<()> {
    let pods = Pods::switch_to_config_maps(cluster, Shell::Wasm)?;
    let fixture = OwnEnvoyFixture::set(cluster, &pods, "own-envoy")?;
    let patient = OwnEnvoyFixture::set(cluster, &pods, "own-envoy-patient")?;
    fixture.enforcement().context("enforcement")?;
    let begun = patient.begin_change().context("a change")?;
    // A kubelet takes up to a minute: all else is told of another pod meanwhile.
    let (told, changed) = thread::scope(|scope| {
        let change = scope.spawn(|| patient.wait_for_change(begun));
        (fixture.everything_else(), change.join())
    });
    told?;
    changed.map_err(|_| anyhow!("it panicked: see above"))?.context("a change")?;
    pods.switch_back()
}

fn an_envoy_with_the_native_filter(cluster: &ScenarioCluster) -> Result<()> {
    let pods = Pods::switch_to_config_maps(cluster, Shell::Native)?;
    let fixture = OwnEnvoyFixture::set(cluster, &pods, "own-envoy-native")?;
    fixture.enforcement().context("enforcement")?;
    fixture.everything_else()?;
    pods.switch_back()
}

// === impl OwnEnvoyFixture ===

impl<'c> OwnEnvoyFixture<'c> {
    fn set(cluster: &'c ScenarioCluster, pods: &'c Pods<'c>, name: &str) -> Result<Self> {
        let ns = cluster.test_namespace(name)?;
        let host = ns.host("api");
        ns.apply(POLICY)?;
        pods.run(&ns, &App::echo("api", CONFIG_MAP))?;
        Ok(Self { cluster, ns, pods, host })
    }

    fn everything_else(&self) -> Result<()> {
        self.change_now().context("a change that the kubelet is told of")?;
        self.rehearsal().context("a rehearsal beside it")?;
        self.operator_away().context("the operator is away")?;
        self.damage().context("a ConfigMap damaged by hand")?;
        self.last_policy().context("the last policy is deleted")
    }

    /// A policy is kept from the pod's first request on.
    fn enforcement(&self) -> Result<()> {
        self.wait_for_answer("the policy's effect", SHOP, true)?;
        let preflight =
            self.cluster.socks_proxy().preflight(&self.host, "/", SHOP, "PUT", "content-type")?;
        ensure!(preflight.status == 204, "{preflight:?}");
        ensure!(!shares(&self.get(STRANGER)?)?, "a stranger is allowed");

        // Nobody asks an Envoy that is not Istio's what it runs.
        self.ns.wait_for_conditions("api", &["Programmed=True Published"])?;
        let said = self.ns.get("corspolicies", "api")?["status"]["summary"]["proxies"].take();
        ensure!(said.is_null(), "of its proxies it says {said}");

        let metrics = self.pods.metrics(&self.ns, "/stats/prometheus")?;
        let digest =
            metrics.lines().find_map(|line| line.strip_prefix("corsward_config_digest{} "));
        ensure!(digest.is_some_and(|digest| digest != "0"), "the digest is {digest:?}");
        let other = self.pods.metrics(&self.ns, "/quitquitquit")?;
        ensure!(other.starts_with("HTTP/1.1 404"), "the rest of the admin interface: {other}");
        Ok(())
    }

    /// A change is in the ConfigMap; when it began to be.
    fn begin_change(&self) -> Result<Instant> {
        self.wait_for_answer("the policy's effect", SHOP, true)?;
        let begun = Instant::now();
        self.allow(NEXT)?;
        self.wait_for_data("the change in the ConfigMap", |data| data.contains(NEXT))?;
        Ok(begun)
    }

    /// It comes with the kubelet's next look; Envoy takes it at once.
    fn wait_for_change(&self, begun: Instant) -> Result<()> {
        eventually("the change's effect", || shares(&self.get(NEXT)?))?;
        let waited = begun.elapsed().as_secs_f64();
        self.cluster
            .figure("change to effect with the kubelet's own period", format!("{waited:.1} s"));
        Ok(())
    }

    fn change_now(&self) -> Result<()> {
        let begun = Instant::now();
        self.allow(NEXT)?;
        self.wait_for_data("the change in the ConfigMap", |data| data.contains(NEXT))?;
        self.pods.look_now(&self.ns)?;
        self.wait_for_answer("the change's effect", NEXT, true)?;
        let waited = begun.elapsed().as_secs_f64();
        self.cluster
            .figure("change to effect after an annotation on the pod", format!("{waited:.1} s"));
        self.allow(SHOP)?;
        self.wait_for_data("the change in the ConfigMap", |data| !data.contains(NEXT))?;
        self.pods.look_now(&self.ns)?;
        self.wait_for_answer("the change's effect", SHOP, true)
    }

    /// A policy for the whole namespace has both in a ConfigMap of that. The one that the pod has mounted goes on, here and in all
    /// that is told from now on.
    fn rehearsal(&self) -> Result<()> {
        let mut spec = allowing("", &[SHOP]);
        spec["mode"] = json!("DryRun");
        spec.as_object_mut().and_then(|spec| spec.remove("selector"));
        self.ns.policy("rehearsal", &spec)?;
        eventually("the namespace's ConfigMap", || {
            let object = self.ns.get("configmaps", OF_NAMESPACE)?;
            Ok(object["data"][FILE].as_str().is_some_and(|data| data.contains(SHOP)))
        })?;
        self.allow(NEXT)?;
        self.wait_for_data("the change in the pod's ConfigMap", |data| data.contains(NEXT))?;
        self.pods.look_now(&self.ns)?;
        self.wait_for_answer("the change's effect", NEXT, true)?;
        self.allow(SHOP)?;
        self.wait_for_data("the change in the pod's ConfigMap", |data| !data.contains(NEXT))?;
        self.pods.look_now(&self.ns)?;
        self.wait_for_answer("the change's effect", SHOP, true)
    }

    /// The configuration in force stays, and later changes come when the operator returns.
    fn operator_away(&self) -> Result<()> {
        self.pods.release.stop_operator()?;
        self.allow(NEXT)?;
        self.pods.look_now(&self.ns)?;
        for _ in 0..10 {
            ensure!(shares(&self.get(SHOP)?)?, "the policy is not in force any more");
        }
        self.ns.restart("api")?;
        self.wait_for_answer("the policy in a pod that starts without the operator", SHOP, true)?;
        self.pods.release.start_operator()?;
        self.wait_for_data("the change in the ConfigMap", |data| data.contains(NEXT))?;
        self.pods.look_now(&self.ns)?;
        self.wait_for_answer("what was written meanwhile", NEXT, true)
    }

    /// Running Envoys keep the last good one, those that start serve without a filter, and the operator repairs it.
    fn damage(&self) -> Result<()> {
        self.pods.release.stop_operator()?;
        let good = self.data()?;
        let bad = good.replace("policies", "nonsense");
        ensure!(bad != good, "there is nothing to damage: {good}");
        let patch = json!({ "data": { FILE: bad } }).to_string();
        self.ns.read(&["patch", "configmap", CONFIG_MAP, "--type", "merge", "-p", &patch])?;
        self.pods.look_now(&self.ns)?;
        eventually("Envoy to refuse what is in the ConfigMap", || {
            let metrics = self.pods.metrics(&self.ns, "/stats/prometheus")?;
            let refused =
                metrics.lines().find_map(|line| line.strip_prefix("corsward_config_refused{} "));
            Ok(refused.filter(|refused| *refused != "0").map(drop))
        })?;
        ensure!(shares(&self.get(NEXT)?)?, "the last good one is not in force any more");

        self.ns.restart("api")?;
        let cold = self.get(NEXT)?;
        ensure!(cold.status == 200 && !shares(&cold)?, "a cold start with bad bytes: {cold:?}");

        self.pods.release.start_operator()?;
        self.wait_for_data("the operator to repair the ConfigMap", |data| data == good)?;
        self.pods.look_now(&self.ns)?;
        self.wait_for_answer("the repaired one", NEXT, true)?;
        // While it runs, nobody else need see it.
        self.ns.read(&["patch", "configmap", CONFIG_MAP, "--type", "merge", "-p", &patch])?;
        self.wait_for_data("the operator to repair the ConfigMap", |data| data == good)
    }

    /// The ConfigMap stays and says nothing: an Envoy would go on with what a removed file said.
    fn last_policy(&self) -> Result<()> {
        self.ns.read(&["delete", "corspolicy", "api", "rehearsal"])?;
        self.wait_for_data("an inert ConfigMap", |data| !data.contains(NEXT))?;
        self.pods.look_now(&self.ns)?;
        self.wait_for_answer("the end of the policy", NEXT, false)?;
        let answer = self.get(NEXT)?;
        ensure!(answer.vary().is_empty(), "the filter is not inert: {answer:?}");
        Ok(())
    }

    fn allow(&self, origin: &str) -> Result<()> {
        let patch = json!({ "spec": { "cors": { "allowOrigins": [origin] } } }).to_string();
        let args = ["patch", "corspolicy", "api", "--type", "merge", "-p", &patch];
        self.ns.read(&args).map(drop)
    }

    fn get(&self, origin: &str) -> Result<Answer> {
        self.cluster.socks_proxy().get(&self.host, "/", Some(origin))
    }

    fn wait_for_answer(&self, what: &str, origin: &str, shared: bool) -> Result<()> {
        eventually(what, || {
            let answer = self.get(origin)?;
            Ok(answer.status == 200 && shares(&answer)? == shared)
        })
    }

    /// The content of the ConfigMap.
    fn data(&self) -> Result<String> {
        let object = self.ns.get("configmaps", CONFIG_MAP)?;
        Ok(object["data"][FILE].as_str().unwrap_or_default().to_owned())
    }

    fn wait_for_data(&self, what: &str, holds: impl Fn(&str) -> bool) -> Result<()> {
        eventually(what, || Ok(holds(&self.data()?)))
    }
}

fn shares(answer: &Answer) -> Result<bool> {
    Ok(header(answer, ALLOW_ORIGIN)?.is_some())
}
