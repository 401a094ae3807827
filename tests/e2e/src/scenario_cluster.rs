//! Scenario cluster: the cluster as one scenario uses it, with what the scenario says of it.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use corsward_test_harness::cluster::{Cluster, TestNamespace};
use serde_json::{Value, json};
use xtask::paths;

/// The label of a scenario's namespaces: what is looked into when it fails, and removed when it does not.
const OF_SCENARIO: &str = "corsward-e2e/scenario";

/// The cluster, and the figures of a scenario so far.
#[derive(Debug)]
pub(crate) struct ScenarioCluster {
    cluster: Arc<Cluster>,
    /// The label of the scenario's namespaces; empty outside of scenarios.
    scenario: String,
    keep: bool,
    figures: Mutex<Vec<String>>,
}

impl Deref for ScenarioCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

// === impl ScenarioCluster ===

impl ScenarioCluster {
    /// The cluster of KUBECONFIG, outside of scenarios.
    pub(crate) fn reach(keep: bool) -> Result<Self> {
        let cluster = Arc::new(Cluster::of_kubeconfig(&json!({ OF_SCENARIO: "" }))?);
        Ok(Self { cluster, scenario: String::new(), keep, figures: Mutex::default() })
    }

    /// The same for a scenario.
    pub(crate) fn for_scenario(&self, name: &str) -> Self {
        let (cluster, figures) = (Arc::clone(&self.cluster), Mutex::default());
        Self { cluster, scenario: slug(name), keep: self.keep, figures }
    }

    /// A new namespace of the scenario's own, outside the mesh. No other scenario has one of that name.
    pub(crate) fn test_namespace(&self, name: &str) -> Result<TestNamespace<'_>> {
        self.fresh(name, json!({ OF_SCENARIO: self.scenario }))
    }

    /// The same whose pods get sidecars.
    pub(crate) fn meshed(&self, name: &str) -> Result<TestNamespace<'_>> {
        self.fresh(name, json!({ OF_SCENARIO: self.scenario, "istio-injection": "enabled" }))
    }

    fn fresh(&self, name: &str, labels: Value) -> Result<TestNamespace<'_>> {
        // Of an earlier run that was interrupted.
        self.read(&["delete", "namespace", name, "--ignore-not-found", "--wait"])?;
        self.labelled_namespace(name, &labels)
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
    fn note_pods(&self, namespace: &str, folder: &Path) -> Result<()> {
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
