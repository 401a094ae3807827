//! Release: corsward itself in the cluster, as Helm knows it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use corsward_test_harness::cluster::TestNamespace;
use serde_json::Value;
use xtask::{command, paths, tools};

use crate::scenario_cluster::ScenarioCluster;

/// The release, and its Deployment.
pub(crate) const NAME: &str = "corsward";

/// Its namespace.
pub(crate) const NAMESPACE: &str = "corsward-system";

/// Helm's timeout for pods.
const TIMEOUT: &str = "--timeout=4m";

/// The release of a cluster.
#[derive(Debug)]
pub(crate) struct Release<'c> {
    /// Its namespace.
    pub(crate) ns: TestNamespace<'c>,
    helm: PathBuf,
    chart: PathBuf,
    /// Its number of operators.
    replicas: String,
}

// === impl Release ===

impl<'c> Release<'c> {
    /// The one of that cluster.
    pub(crate) fn of(cluster: &'c ScenarioCluster) -> Result<Self> {
        let ns = cluster.at(NAMESPACE);
        let chart = paths::root().join("charts/corsward");
        let replicas = ns.get("deployments", NAME)?["spec"]["replicas"].to_string();
        Ok(Self { ns, helm: tools::helm()?, chart, replicas })
    }

    /// Installs or upgrades it, with these values beside those it has (`name=value`), and waits until it runs.
    pub(crate) fn upgrade(&self, values: &[&str]) -> Result<()> {
        let mut helm = self.helm(&["upgrade", NAME]);
        helm.arg(&self.chart).args(["--reuse-values", "--wait", TIMEOUT]);
        for value in values {
            helm.args(["--set", value]);
        }
        command::read(&mut helm).map(drop)
    }

    /// Installs it anew with all the values it had.
    pub(crate) fn install(&self, values: &Value) -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), values.to_string())?;
        let mut helm = self.helm(&["install", NAME]);
        helm.arg(&self.chart).args(["--wait", TIMEOUT, "--create-namespace", "--values"]);
        command::read(helm.arg(file.path())).map(drop)
    }

    /// Uninstalls it.
    pub(crate) fn uninstall(&self) -> Result<()> {
        command::read(&mut self.helm(&["uninstall", NAME, "--wait", TIMEOUT])).map(drop)
    }

    /// The values it was given.
    pub(crate) fn values(&self) -> Result<Value> {
        let said = command::read(&mut self.helm(&["get", "values", NAME, "--output", "json"]))?;
        Ok(serde_json::from_slice(&said)?)
    }

    /// Runs `told` while the release has other values; restores the previous ones in any case.
    pub(crate) fn with<T>(&self, values: &[&str], told: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = self.revision()?;
        let told = self.upgrade(values).and_then(|()| told());
        let rollback = ["rollback", NAME, &before, "--wait", TIMEOUT];
        let back = command::read(&mut self.helm(&rollback));
        told.and_then(|told| back.map(|_| told))
    }

    /// Runs `told` while no operator runs; starts it again in any case.
    pub(crate) fn without_operator<T>(&self, told: impl FnOnce() -> Result<T>) -> Result<T> {
        let told = self.stop_operator().and_then(|()| told());
        let back = self.start_operator();
        told.and_then(|told| back.map(|()| told))
    }

    /// Has as many operators run as before, and waits until they do.
    pub(crate) fn start_operator(&self) -> Result<()> {
        self.scale(&self.replicas)
    }

    /// Has no operator run, and waits until none does.
    pub(crate) fn stop_operator(&self) -> Result<()> {
        self.scale("0")?;
        self.ns.wait_for_no_pods("app.kubernetes.io/name=corsward")
    }

    fn scale(&self, replicas: &str) -> Result<()> {
        let (deployment, to) = (format!("deployment/{NAME}"), format!("--replicas={replicas}"));
        self.ns.read(&["scale", &deployment, &to])?;
        self.ns.rolled_out(&deployment)
    }

    /// The revision that is deployed.
    fn revision(&self) -> Result<String> {
        let said = command::read(&mut self.helm(&["history", NAME, "--max=1", "--output=json"]))?;
        let history: Value = serde_json::from_slice(&said)?;
        Ok(history[0]["revision"].to_string())
    }

    fn helm(&self, words: &[&str]) -> Command {
        let mut helm = Command::new(&self.helm);
        helm.args(words).args(["--namespace", NAMESPACE]);
        helm
    }
}
