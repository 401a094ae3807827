//! Shapes: which plugins there are changes under a proxy's load, and the proxy has one filter of ours, or two that agree.

use anyhow::{Result, ensure};
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, SocksProxy, header, request};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::workload::Workload;
use serde_json::{Value, json};

use crate::load::{Load, Question, Tally};
use crate::proxy::Proxy;
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;
use crate::sharing::{SHOP, allowing};
use crate::upstream::{ANSWER, answering};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "three policies whose selectors overlap come and go, and a loaded pod is never without one filter's answers",
        overlapping_policies_come_and_go,
    ),
    Scenario::new(
        "labels of pods and policies change, and a loaded pod is never without one filter's answers",
        labels_change,
    ),
];

/// The common part of the two scenarios: a pod with three labels, and its load.
struct Shapes<'c> {
    ns: TestNamespace<'c>,
    socks_proxy: SocksProxy,
    /// Requests that were decided before the load began.
    before: u64,
}

fn overlapping_policies_come_and_go(cluster: &ScenarioCluster) -> Result<()> {
    let shapes = Shapes::new(cluster, "shapes")?;
    let load = shapes.load(&["one.test"]);
    shapes.wait_for_at_rest(&[json!({ "app": "api" })])?;

    // The one plugin becomes a wider one: it is for what the three have in common, which is nothing.
    shapes.policy("two", &json!({ "tier": "web" }))?;
    shapes.policy("three", &json!({ "team": "shop" }))?;
    shapes.wait_for_kept("two")?;
    shapes.wait_for_kept("three")?;
    shapes.wait_for_at_rest(&[Value::Null])?;
    let all = shapes.load(&["one.test", "two.test", "three.test"]);

    // One becomes two: nothing is for pods of both `app`s any more.
    shapes.policy("two", &json!({ "app": "api", "tier": "web" }))?;
    shapes.policy("three", &json!({ "app": "api", "team": "shop" }))?;
    shapes.policy("other", &json!({ "app": "other" }))?;
    shapes.wait_for_at_rest(&[json!({ "app": "api" }), json!({ "app": "other" })])?;

    // Two become one.
    shapes.policy("other", &json!({ "tier": "none" }))?;
    shapes.wait_for_at_rest(&[Value::Null])?;
    let all = all.end();
    shapes.ns.read(&["delete", "corspolicy", "two", "three", "other"])?;
    shapes.wait_for_at_rest(&[json!({ "app": "api" })])?;
    shapes.finish(cluster, &[all, load.end()])
}

fn labels_change(cluster: &ScenarioCluster) -> Result<()> {
    let shapes = Shapes::new(cluster, "shapes-labels")?;
    shapes.policy("two", &json!({ "app": "api", "tier": "web" }))?;
    shapes.wait_for_kept("two")?;
    let load = shapes.load(&["one.test", "two.test"]);
    shapes.wait_for_at_rest(&[json!({ "app": "api" })])?;

    // The policies move to another label of the same pod, and back.
    shapes.policy("one", &json!({ "team": "shop" }))?;
    shapes.policy("two", &json!({ "team": "shop", "tier": "web" }))?;
    shapes.wait_for_at_rest(&[json!({ "team": "shop" })])?;
    shapes.policy("one", &json!({ "app": "api" }))?;
    shapes.policy("two", &json!({ "app": "api", "tier": "web" }))?;
    shapes.wait_for_at_rest(&[json!({ "app": "api" })])?;

    // The pod gets a label and loses another, while both are selected by what it keeps.
    let pod = shapes.ns.read(&["get", "pods", "-l", "app=api", "-o", "name"])?;
    shapes.ns.read(&["label", &pod, "colour=red", "team-"])?;
    shapes.policy("three", &json!({ "app": "api", "colour": "red" }))?;
    shapes.ns.wait_for_conditions("three", &["Accepted=True Accepted"])?;
    shapes.wait_for_at_rest(&[json!({ "app": "api" })])?;
    shapes.finish(cluster, &[load.end()])?;
    shapes.the_pod_moves(&pod)
}

// === impl Shapes ===

impl<'c> Shapes<'c> {
    fn new(cluster: &'c ScenarioCluster, name: &str) -> Result<Self> {
        let ns = cluster.meshed(name)?;
        ns.run(&Workload::echo("api").label("tier", "web").label("team", "shop"))?;
        let shapes = Self { ns, socks_proxy: cluster.socks_proxy(), before: 0 };
        shapes.policy("one", &json!({ "app": "api" }))?;
        shapes.wait_for_kept("one")?;
        let before = shapes.proxy().decided()?;
        Ok(Self { before, ..shapes })
    }

    fn proxy(&self) -> Proxy<'_> {
        Proxy::of(&self.ns, "deploy/api")
    }

    /// Pages of `SHOP` may read what the host `NAME.test` answers, on pods with these labels.
    fn policy(&self, name: &str, labels: &Value) -> Result<()> {
        let mut spec = allowing("", &[SHOP]);
        spec["selector"]["matchLabels"] = labels.clone();
        spec["hostnames"] = json!([format!("{name}.test")]);
        self.ns.policy(name, &spec).map(drop)
    }

    /// Waits until a policy is kept.
    fn wait_for_kept(&self, name: &str) -> Result<()> {
        let host = self.ns.host("api");
        let asked = request("GET", &format!("{name}.test"), "/", Some(SHOP), &[]);
        eventually(&format!("the effect of the policy {name}"), || {
            let answer = self.socks_proxy.send(&host, 80, &asked)?;
            Ok(header(&answer, ALLOW_ORIGIN)?.as_deref() == Some(SHOP))
        })
    }

    /// A pod with a changed label leaves one plugin for the other, and no request fails.
    fn the_pod_moves(&self, pod: &str) -> Result<()> {
        self.ns.read(&["label", pod, "team=shop"])?;
        self.ns.read(&["delete", "corspolicy", "three"])?;
        self.policy("one", &json!({ "team": "shop" }))?;
        self.policy("two", &json!({ "team": "toys" }))?;
        self.wait_for_at_rest(&[json!({ "team": "shop" }), json!({ "team": "toys" })])?;
        self.wait_for_kept("one")?;
        let api = self.ns.host("api");
        let asked = Question::get(&api, "/", SHOP).authority("one.test").whoever_may_read();
        let load = Load::begin(self.socks_proxy, &[asked]);
        self.ns.read(&["label", "--overwrite", pod, "team=toys"])?;
        self.wait_for_kept("two")?;
        let left = request("GET", "one.test", "/", Some(SHOP), &[]);
        let answer = self.socks_proxy.send(&api, 80, &left)?;
        ensure!(header(&answer, ALLOW_ORIGIN)?.is_none(), "the plugin it left: {answer:?}");
        self.proxy().wait_for_filters(1)?;
        load.end().ensure_flawless()
    }

    /// Requests to these hosts, all to the one pod. It sends a wrong header of its own: without a filter that would be seen.
    fn load(&self, hosts: &[&str]) -> Load {
        let wrong = answering(200, &[(ALLOW_ORIGIN, "https://wrong.example")]);
        let api = self.ns.host("api");
        let questions: Vec<Question> = hosts
            .iter()
            .flat_map(|host| {
                [
                    Question::get(&api, "/", SHOP).header(ANSWER, &wrong),
                    Question::preflight(&api, "/", SHOP),
                ]
                .map(|question| question.authority(host).allowed(SHOP))
            })
            .collect();
        Load::begin(self.socks_proxy, &questions)
    }

    /// The labels that the plugins select by, in order; `Null` for a whole namespace.
    fn plugins(&self) -> Result<Vec<Value>> {
        let plugins = self.ns.published()?;
        let mut labels: Vec<Value> = plugins.values().map(|one| one.selector().clone()).collect();
        labels.sort_by_key(Value::to_string);
        Ok(labels)
    }

    /// Waits until there are plugins for these labels and no others, and one filter of ours in the proxy.
    fn wait_for_at_rest(&self, labels: &[Value]) -> Result<()> {
        eventually(&format!("plugins for {labels:?} and no others"), || {
            let plugins = self.plugins()?;
            ensure!(plugins == labels, "there are {plugins:?}");
            Ok(Some(()))
        })?;
        self.proxy().wait_for_filters(1)
    }

    /// At rest one filter decides of each request: with none it would be fewer, with two twice as many.
    fn ensure_decided_once(&self) -> Result<()> {
        const SENT: u64 = 50;
        let (host, before) = (self.ns.host("api"), self.proxy().decided()?);
        for _ in 0..SENT {
            let asked = request("GET", "one.test", "/", Some(SHOP), &[]);
            self.socks_proxy.send(&host, 80, &asked)?;
        }
        let decided = self.proxy().decided()?.saturating_sub(before);
        ensure!(decided == SENT, "of {SENT} requests {decided} were decided");
        Ok(())
    }

    fn finish(&self, cluster: &ScenarioCluster, tallies: &[Tally]) -> Result<()> {
        for tally in tallies {
            cluster.figure("under the changes", tally);
        }
        let sent: usize = tallies.iter().map(|tally| tally.sent).sum();
        let decided = self.proxy().decided()?.saturating_sub(self.before);
        let twice = decided.saturating_sub(sent.try_into()?);
        cluster
            .figure("answers that two filters of ours had a hand in", format!("at most {twice}"));
        tallies.iter().try_for_each(Tally::ensure_flawless)?;
        self.ensure_decided_once()
    }
}
