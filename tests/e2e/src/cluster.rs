//! Cluster: the one that KUBECONFIG names, as a scenario sees it.

pub(crate) mod socks_proxy;
pub(crate) mod test_namespace;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xtask::{paths, tools};

use crate::cluster::socks_proxy::SocksProxy;
use crate::cluster::test_namespace::TestNamespace;

/// The label of a scenario's namespaces: what is looked into when it fails, and removed when it does not.
const OF_SCENARIO: &str = "corsward-e2e/scenario";

/// A cluster, and what a scenario has said of it so far.
#[derive(Debug)]
pub(crate) struct Cluster {
    kubectl: PathBuf,
    socks_proxy: OnceLock<SocksProxy>,
    /// The label of the scenario's namespaces; empty outside of scenarios.
    scenario: String,
    keep: bool,
    figures: Mutex<Vec<String>>,
}

// === impl Cluster ===

impl Cluster {
    /// The cluster of KUBECONFIG, without the leftovers of earlier runs.
    pub(crate) fn reach(keep: bool) -> Result<Self> {
        ensure!(
            env::var_os("KUBECONFIG").is_some(),
            "KUBECONFIG is not set: `cargo xtask e2e` sets it"
        );
        let kubectl = tools::kubectl()?;
        let (socks_proxy, scenario, figures) = Default::default();
        let cluster = Self { kubectl, socks_proxy, scenario, keep, figures };
        let socks_proxy = SocksProxy::open(&cluster)?;
        let _ = cluster.socks_proxy.set(socks_proxy);
        Ok(cluster)
    }

    /// The same for a scenario.
    pub(crate) fn for_scenario(&self, name: &str) -> Self {
        Self {
            kubectl: self.kubectl.clone(),
            socks_proxy: self.socks_proxy.clone(),
            scenario: slug(name),
            keep: self.keep,
            figures: Mutex::default(),
        }
    }

    /// The way in for requests.
    pub(crate) fn socks_proxy(&self) -> SocksProxy {
        // INVARIANT: opened before any scenario begins.
        *self.socks_proxy.get().unwrap_or_else(|| std::process::abort())
    }

    /// A new namespace of the scenario's own, outside the mesh. No other scenario has one of that name.
    pub(crate) fn test_namespace(&self, name: &str) -> Result<TestNamespace<'_>> {
        self.fresh(name, false)
    }

    /// The same whose pods get sidecars.
    pub(crate) fn meshed(&self, name: &str) -> Result<TestNamespace<'_>> {
        self.fresh(name, true)
    }

    fn fresh(&self, name: &str, meshed: bool) -> Result<TestNamespace<'_>> {
        // Of an earlier run that was interrupted.
        self.read(&["delete", "namespace", name, "--ignore-not-found", "--wait"])?;
        self.make(name, meshed)
    }

    /// A namespace, made if it is not there.
    pub(crate) fn make(&self, name: &str, meshed: bool) -> Result<TestNamespace<'_>> {
        let mut labels = json!({ OF_SCENARIO: self.scenario });
        if meshed {
            labels["istio-injection"] = json!("enabled");
        }
        let object = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": name, "labels": labels },
        });
        self.kubectl_with(&["apply", "-f", "-"], &object.to_string())?;
        Ok(TestNamespace::new(self, name.to_owned()))
    }

    /// `kubectl`: what it prints.
    pub(crate) fn read(&self, args: &[&str]) -> Result<String> {
        self.kubectl_with(args, "")
    }

    /// `kubectl … -o json`.
    pub(crate) fn json(&self, args: &[&str]) -> Result<Value> {
        let text = self.read(&[args, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl printed {text}"))
    }

    /// `kubectl` with an input: what it prints.
    pub(crate) fn kubectl_with(&self, args: &[&str], input: &str) -> Result<String> {
        let mut kubectl = self.kubectl();
        kubectl.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = kubectl.spawn().context("start kubectl")?;
        let mut stdin = child.stdin.take().context("kubectl has an input")?;
        // It may end without reading.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let said = text(&output.stderr);
        let said: Vec<&str> = said.lines().filter(|line| !line.starts_with("Warning:")).collect();
        let said = said.join("\n");
        ensure!(output.status.success(), "`kubectl {}` says: {said}", args.join(" "));
        Ok(text(&output.stdout))
    }

    /// `kubectl`, yet to run.
    pub(crate) fn kubectl(&self) -> Command {
        Command::new(&self.kubectl)
    }

    /// A figure to be printed with the scenario's line.
    pub(crate) fn figure(&self, what: &str, value: impl std::fmt::Display) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.push(format!("{what}: {value}"));
    }

    /// The figures so far.
    pub(crate) fn figures(&self) -> Vec<String> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Removes the scenario's namespaces, and waits for nothing.
    pub(crate) fn clean(&self) -> Result<()> {
        if self.keep {
            return Ok(());
        }
        let selector = format!("{OF_SCENARIO}={}", self.scenario);
        self.read(&["delete", "namespaces", "-l", &selector, "--wait=false"]).map(drop)
    }

    /// Writes down what there is to see of a scenario that failed; says where.
    pub(crate) fn note(&self, name: &str) -> Result<PathBuf> {
        const SEEN: [(&str, &[&str]); 3] = [
            ("pods.txt", &["describe", "pods"]),
            ("events.txt", &["get", "events", "--sort-by=.lastTimestamp"]),
            (
                "objects.yaml",
                &[
                    "get",
                    "corspolicies,originsets,wasmplugins,trafficextensions,envoyfilters,deployments,services,configmaps",
                    "-o",
                    "yaml",
                ],
            ),
        ];
        let folder = paths::target().join("e2e").join(slug(name));
        fs::create_dir_all(&folder)?;
        let selector = format!("{OF_SCENARIO}={}", self.scenario);
        let names = self.read(&["get", "namespaces", "-l", &selector, "-o", "name"])?;
        for namespace in names.lines().filter_map(|line| line.strip_prefix("namespace/")) {
            for (file, args) in SEEN {
                let text = self.read(&[&["-n", namespace], args].concat());
                let text = text.unwrap_or_else(|error| format!("{error:#}"));
                fs::write(folder.join(format!("{namespace}-{file}")), text)?;
            }
            self.note_pods(namespace, &folder)?;
        }
        for (file, namespace, label) in [
            ("operator.log", "corsward-system", "app.kubernetes.io/name=corsward"),
            ("istiod.log", "istio-system", "app=istiod"),
        ] {
            let logs = ["-n", namespace, "logs", "-l", label, "--tail=2000", "--prefix"];
            let text = self.read(&logs).unwrap_or_else(|error| format!("{error:#}"));
            fs::write(folder.join(file), text)?;
        }
        Ok(folder)
    }

    /// Keeps the logs of a namespace's containers, and the configurations of Istio's proxies.
    fn note_pods(&self, namespace: &str, folder: &std::path::Path) -> Result<()> {
        let pods = self.read(&["-n", namespace, "get", "pods", "-o", "name"])?;
        for pod in pods.lines() {
            let named = format!("{namespace}-{}", pod.replace('/', "-"));
            let logs = ["-n", namespace, "logs", pod, "--all-containers", "--prefix", "--tail=400"];
            let text = self.read(&logs).unwrap_or_else(|error| format!("{error:#}"));
            fs::write(folder.join(format!("{named}.log")), text)?;
            let asked = [
                "-n",
                namespace,
                "exec",
                pod,
                "-c",
                "istio-proxy",
                "--",
                "curl",
                "-s",
                "localhost:15000/config_dump?include_eds",
            ];
            if let Ok(dump) = self.read(&asked) {
                fs::write(folder.join(format!("{named}.config_dump.json")), dump)?;
            }
        }
        Ok(())
    }
}

/// A scenario's name as a label's value and a folder's name.
fn slug(name: &str) -> String {
    const LONGEST: usize = 60;
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    letters.take(LONGEST).collect::<String>().trim_matches('-').to_owned()
}
