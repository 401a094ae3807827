//! Pods: the example's manifest with this cluster's images in it, and the operator that feeds them.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::workload::IMAGE;
use serde_json::{Value, json};
use xtask::envoy::Shell;

use crate::release::{self, Release};
use crate::scenario_cluster::ScenarioCluster;

const MANIFEST: &str = include_str!("../../../../../examples/own-envoy/deployment.yaml");
const BOOTSTRAP: &str = include_str!("../../../../../examples/own-envoy/bootstrap.yaml");
const NATIVE_BOOTSTRAP: &str =
    include_str!("../../../../../examples/own-envoy-native/bootstrap.yaml");
/// The changes of `examples/own-envoy-native/kustomization.yaml`.
const NATIVE: [(&str, &str); 2] = [
    ("[module, --to, /etc/corsward]", "[module, --filter, native, --to, /etc/corsward]"),
    // A variable is expanded after those that it names.
    (
        "\n        ports:\n        - {name: http, containerPort: 8000}",
        "\n        - {name: CORSWARD_LABELS, value: \"app=$(POD_LABEL_APP)\"}\n        ports:\n        - {name: http, containerPort: 8000}",
    ),
];

/// The container beside an Envoy.
#[derive(Debug)]
pub(super) struct App<'a> {
    pub(super) name: &'a str,
    /// Serves on port 8080.
    pub(super) command: &'a [&'a str],
    /// Answers once it does.
    pub(super) probe: &'a str,
    pub(super) config_map: &'a str,
}

/// The operator while it publishes into ConfigMaps. It goes back to what it did before when this is dropped.
#[derive(Debug)]
pub(super) struct Pods<'c> {
    cluster: &'c ScenarioCluster,
    pub(super) release: Release<'c>,
    operator: String,
    envoy: String,
    looks: AtomicUsize,
    filter: Shell,
    switched: bool,
}

// === impl App ===

impl<'a> App<'a> {
    /// One that answers what it is asked to.
    pub(super) fn echo(name: &'a str, config_map: &'a str) -> Self {
        Self { name, command: &["node", "/apps/echo/server.js", "8080"], probe: "/", config_map }
    }
}

// === impl Pods ===

impl<'c> Pods<'c> {
    /// Has the operator publish into ConfigMaps, and waits until it does.
    pub(super) fn switch_to_config_maps(
        cluster: &'c ScenarioCluster,
        filter: Shell,
    ) -> Result<Self> {
        let release = Release::of(cluster)?;
        let operator = release.ns.get("deployments", release::NAME)?;
        let operator = &operator["spec"]["template"]["spec"]["containers"][0]["image"];
        let operator = operator.as_str().context("the operator has an image")?.to_owned();
        let envoy = envoy(cluster)?;
        let looks = AtomicUsize::new(0);
        let pods = Self { cluster, release, operator, envoy, looks, filter, switched: true };
        pods.release.upgrade(&["publish.to=configmap", &published(filter)])?;
        Ok(pods)
    }

    /// Has it publish as before.
    pub(super) fn switch_back(mut self) -> Result<()> {
        self.switched = false;
        self.restore()
    }

    fn restore(&self) -> Result<()> {
        self.release.start_operator()?;
        self.release.upgrade(&["publish.to=istio", &published(Shell::Wasm)])?;
        // An operator that publishes elsewhere leaves what it wrote here.
        let ours = "corsward.io/bundle";
        self.cluster.read(&["delete", "configmaps", "--all-namespaces", "-l", ours]).map(drop)
    }

    /// Runs an application with an Envoy beside it, and waits until the pod is ready.
    pub(super) fn run(&self, ns: &TestNamespace<'_>, app: &App<'_>) -> Result<()> {
        let bootstrap = match self.filter {
            Shell::Wasm => BOOTSTRAP,
            Shell::Native => NATIVE_BOOTSTRAP,
        };
        let bootstrap = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "api-envoy" },
            "data": { "bootstrap.yaml": bootstrap },
        });
        ns.apply(&bootstrap.to_string())?;
        ns.apply(&self.manifest(app)?)?;
        ns.rolled_out(&format!("deployment/{}", app.name))?;
        ns.wait_for_answer(app.name)
    }

    fn manifest(&self, app: &App<'_>) -> Result<String> {
        let App { name, command, probe, config_map } = app;
        let command = json!(command);
        let container =
            format!("{IMAGE}\n        imagePullPolicy: Never\n        command: {command}");
        let mut manifest = MANIFEST.to_owned();
        let native = if self.filter == Shell::Native { &NATIVE[..] } else { &[] };
        let changes = [
            ("envoyproxy/envoy:v1.40.0", self.envoy.as_str()),
            ("corsward-operator:0.1.0", &self.operator),
            ("registry.example/shop/api:1", &container),
            ("{path: /, port: 8080}", &format!("{{path: {probe}, port: 8080}}")),
            ("corsward-e88e689750", config_map),
            ("{app: api}", &format!("{{app: {name}}}")),
            ("  name: api\n", &format!("  name: {name}\n")),
        ];
        for (from, to) in native.iter().chain(&changes) {
            ensure!(manifest.contains(from), "the example does not say `{from}` any more");
            manifest = manifest.replace(from, to);
        }
        Ok(manifest)
    }

    /// Has the kubelet look at once at what it mounts.
    pub(super) fn look_now(&self, ns: &TestNamespace<'_>) -> Result<()> {
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        let look = format!("corsward-e2e/look={look}");
        ns.read(&["annotate", "pods", "--all", "--overwrite", &look]).map(drop)
    }

    /// The answer of the port for metrics, from its first line on.
    pub(super) fn metrics(&self, ns: &TestNamespace<'_>, path: &str) -> Result<String> {
        let pod =
            ns.read(&["get", "pods", "-l", "app=api", "-o", "jsonpath={.items[0].status.podIP}"])?;
        let mut stream = self.cluster.socks_proxy().connect(&pod, 15090)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {pod}\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Pods<'_> {
    fn drop(&mut self) {
        if self.switched
            && let Err(error) = self.restore()
        {
            eprintln!("the operator still publishes into ConfigMaps: {error:#}");
        }
    }
}

/// The image that Istio's injector gives to sidecars: the cluster has it, and an Envoy is in it.
fn envoy(cluster: &ScenarioCluster) -> Result<String> {
    let injector = ["-n", "istio-system", "get", "configmap", "istio-sidecar-injector"];
    let injector = cluster.json(&injector)?;
    let values = injector["data"]["values"].as_str().context("the injector has values")?;
    let values: Value = serde_json::from_str(values)?;
    let word = |at: &str| values.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let image = word("/global/proxy/image");
    if image.contains('/') {
        return Ok(image.to_owned());
    }
    Ok(format!("{}/{image}:{}", word("/global/hub"), word("/global/tag")))
}

/// The chart's value.
fn published(filter: Shell) -> String {
    format!("publish.filter={}", filter.name())
}
