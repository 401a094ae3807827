//! The cluster itself, as kind makes it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{Cluster, logs};
use crate::docker::{self, Image};
use crate::{command, paths, tools};

/// Timeout for a component that should be healthy.
const TIMEOUT: &str = "--timeout=60s";

/// The kubectl arguments that show whether names are resolved.
const DNS: [&str; 6] = ["-n", "kube-system", "rollout", "status", "deployment/coredns", TIMEOUT];

/// One cluster.
#[derive(Debug)]
pub(super) struct Kind<'a> {
    cluster: &'a Cluster,
    program: PathBuf,
}

/// The state of a cluster.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Absent,
    Well,
    Unwell(&'static str),
}

/// The container that is a cluster's node.
pub(super) fn node_of(name: &str) -> String {
    format!("{name}-control-plane")
}

/// Deletes what there is of a cluster.
///
/// # Errors
///
/// Fails if kind cannot.
pub(super) fn delete(name: &str) -> Result<()> {
    let mut delete = Command::new(tools::kind()?);
    delete.args(["delete", "cluster", "--name", name]);
    // The user's own file is not ours to write.
    delete.arg("--kubeconfig").arg(super::kubeconfig_of(name));
    command::log(
        &format!("deleting {name}"),
        &mut delete,
        &paths::target().join("cluster/kind.log"),
    )
}

// === impl Kind ===

impl<'a> Kind<'a> {
    pub(super) fn new(cluster: &'a Cluster) -> Result<Self> {
        Ok(Self { cluster, program: tools::kind()? })
    }

    /// Makes the cluster if it is not there, or not well.
    ///
    /// # Errors
    ///
    /// Fails if kind cannot; its log says why.
    pub(super) fn ensure(&self, image: Option<&Image>) -> Result<()> {
        match self.state() {
            State::Well => return Ok(()),
            State::Absent => {}
            State::Unwell(why) => {
                eprintln!(
                    "the cluster {} is there, but {why}: it is made again",
                    self.cluster.name
                );
                delete(&self.cluster.name)?;
            }
        }
        self.create(image)?;
        command::log("waiting for CoreDNS", self.kubectl().args(DNS), &self.log("coredns"))
    }

    fn state(&self) -> State {
        let node = node_of(&self.cluster.name);
        match docker::inspect("container", &node, "{{.State.Running}}").as_deref() {
            None => return State::Absent,
            Some("true") => {}
            Some(_) => return State::Unwell("its node is stopped"),
        }
        let mut export = Command::new(&self.program);
        export.args(["export", "kubeconfig", "--name", &self.cluster.name, "--kubeconfig"]);
        if !succeeds(export.arg(&self.cluster.kubeconfig)) {
            return State::Unwell("it was never finished");
        }
        let ready = ["wait", "--for=condition=Ready", "nodes", "--all", TIMEOUT];
        if !succeeds(self.kubectl().args(ready)) {
            return State::Unwell("its node is not ready");
        }
        if !succeeds(self.kubectl().args(DNS)) {
            return State::Unwell("its CoreDNS does not run");
        }
        State::Well
    }

    fn create(&self, image: Option<&Image>) -> Result<()> {
        let mut config = read("kind-config.yaml")?;
        let mut create = Command::new(&self.program);
        create.args(["create", "cluster", "--wait", "120s", "--name", &self.cluster.name]);
        if let Some(image) = image {
            config += &read("tests/cluster/node/kind-config.yaml")?;
            create.args(["--image", &image.name]);
        }
        let folder = logs(&self.cluster.name);
        fs::create_dir_all(&folder)?;
        let file = folder.join("kind-config.yaml");
        fs::write(&file, config)?;
        create.arg("--config").arg(file).arg("--kubeconfig").arg(&self.cluster.kubeconfig);
        command::log(&format!("making {}", self.cluster.name), &mut create, &self.log("kind"))
    }

    fn kubectl(&self) -> Command {
        self.cluster.kubectl()
    }

    fn log(&self, step: &str) -> PathBuf {
        logs(&self.cluster.name).join(format!("{step}.log"))
    }
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(paths::root().join(file)).with_context(|| format!("cannot read {file}"))
}

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_a_node_made_here_needs_follows_the_configuration_of_every_other() {
        let common = read("kind-config.yaml").unwrap();
        let whole = common.clone() + &read("tests/cluster/node/kind-config.yaml").unwrap();
        let common: Value = serde_saphyr::from_str(&common).unwrap();
        // A key that is in both would be an error here.
        let whole: Value = serde_saphyr::from_str(&whole).unwrap();
        assert_eq!(common["name"], super::super::NAME);
        assert_eq!(whole["nodes"], common["nodes"]);
        assert_eq!(whole["networking"]["disableDefaultCNI"], true);
    }
}
