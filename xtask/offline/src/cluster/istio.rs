//! Istio in a cluster: its own charts, with its published images or with images made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Cluster, kind, load, logs};
use crate::docker::{Context, Image};
use crate::fingerprint::Fingerprint;
use crate::{command, paths, tools};

/// The files that are ours.
const SOURCES: &str = "tests/cluster/istio";

/// The registry of Istio's images.
const HUB: &str = "docker.io/istio";

const NAMESPACE: &str = "istio-system";

/// istiod, and a proxy of stock Envoy.
#[derive(Clone, Debug)]
pub(super) struct Images {
    pilot: Image,
    proxy: Image,
}

/// A chart, installed under a name.
#[derive(Debug)]
struct Release<'a> {
    cluster: &'a Cluster,
    name: &'static str,
    chart: &'static str,
    /// Helm's arguments that say so: `--values=FILE`, `--set=NAME=VALUE`.
    values: Vec<String>,
}

/// Installs Istio, and the Gateway API's resources before it: it looks for them when it starts.
///
/// # Errors
///
/// Fails if a part does not get ready.
pub(super) fn install(cluster: &Cluster, images: Option<&Images>) -> Result<()> {
    let mut values = vec![file("values.yaml")];
    let (hub, tag) = match images {
        None => (HUB, tools::ISTIO_VERSION),
        Some(images) => {
            values.push(file("values-stock-envoy.yaml"));
            load::into_node(&kind::node_of(&cluster.name), &images.names())?;
            images.hub_and_tag()?
        }
    };
    let mut args: Vec<String> = values.iter().map(|file| format!("--values={file}")).collect();
    args.extend([format!("--set=global.hub={hub}"), format!("--set=global.tag={tag}")]);

    let mut apply = cluster.kubectl();
    apply.args(["apply", "--server-side", "--force-conflicts", "-f"]).arg(tools::gateway_crds()?);
    command::log("the Gateway API's resources", &mut apply, &log(cluster, "gateway-api"))?;
    Release { cluster, name: "istio-base", chart: "base", values: Vec::new() }.ensure()?;
    let chart = "istio-control/istio-discovery";
    Release { cluster, name: "istiod", chart, values: args }.ensure()?;

    let ready = ["-n", NAMESPACE, "rollout", "status", "deployment/istiod", "--timeout=180s"];
    command::log("waiting for istiod", cluster.kubectl().args(ready), &log(cluster, "istiod"))
}

// === impl Images ===

impl Images {
    /// Both, made if they are not there.
    ///
    /// # Errors
    ///
    /// Fails if docker cannot, or a part cannot be fetched.
    pub(super) fn build(programs: &Path, root: &Image) -> Result<Self> {
        let sources = paths::root().join(SOURCES).join("Dockerfile");
        let made_of = Fingerprint::default()
            .word(&root.made_of.to_string())
            .word(tools::ISTIO_COMMIT)
            .word(tools::ENVOY_VERSION)
            .tree(&sources)?;
        let image = |name: &str| Image {
            name: format!("corsward/{name}:{}", tools::ISTIO_VERSION),
            made_of: made_of.clone(),
        };
        let images = Self { pilot: image("pilot"), proxy: image("proxyv2") };
        if images.pilot.is_made() && images.proxy.is_made() {
            return Ok(images);
        }
        let context = Context::new()?;
        for program in ["pilot-discovery", "pilot-agent"] {
            context.put(&programs.join(program))?;
        }
        context.put_as(Path::new("envoy"), &tools::envoy(tools::ENVOY_VERSION)?)?;
        context.put(&sources)?;
        let bootstrap = tools::istio_source("tools/packaging/common/envoy_bootstrap.json")?;
        // Not linked: files of the module cache cannot be written, and this one is to be read by everybody.
        fs::write(context.path().join("envoy_bootstrap_tmpl.json"), fs::read(bootstrap)?)?;
        let base = format!("BASE={}", root.name);
        for (image, target) in [(&images.pilot, "pilot"), (&images.proxy, "proxyv2")] {
            let args = ["--build-arg", &base, "--target", target];
            image.build(&context, &args, &paths::target().join(format!("cluster/{target}.log")))?;
        }
        Ok(images)
    }

    fn names(&self) -> Vec<String> {
        vec![self.pilot.name.clone(), self.proxy.name.clone()]
    }

    /// The hub and tag from which the charts form the images' names.
    fn hub_and_tag(&self) -> Result<(&str, &str)> {
        self.pilot.name.split_once("/pilot:").context("istiod's image is called pilot")
    }
}

// === impl Release ===

impl Release<'_> {
    /// Installs it, unless it is there and the same.
    fn ensure(&self) -> Result<()> {
        let mut made_of = Fingerprint::default().word(tools::ISTIO_COMMIT);
        for value in &self.values {
            made_of = match value.strip_prefix("--values=") {
                Some(file) => made_of.tree(Path::new(file))?,
                None => made_of.word(value),
            };
        }
        let mark = format!("corsward {made_of}");
        match self.state() {
            Some((status, description)) if status == "deployed" && description == mark => {
                return Ok(());
            }
            // Half installed, or of other values.
            Some(_) => self.log("removing", self.helm(&["uninstall", self.name, "--wait"])?)?,
            None => {}
        }
        let mut install = self.helm(&["install", self.name, "--create-namespace"])?;
        install.arg(tools::istio_chart(self.chart)?).args(&self.values);
        install.args(["--description", &mark]);
        self.log("installing", install)
    }

    /// Its status and description, if it is there.
    fn state(&self) -> Option<(String, String)> {
        let asked = self.helm(&["status", self.name, "--output", "json"]).ok()?.output().ok()?;
        let status: Value = serde_json::from_slice(&asked.stdout).ok()?;
        let word = |name: &str| status["info"][name].as_str().map(str::to_owned);
        Some((word("status")?, word("description")?))
    }

    fn helm(&self, args: &[&str]) -> Result<Command> {
        let mut helm = Command::new(tools::helm()?);
        helm.args(args).args(["--namespace", NAMESPACE]);
        helm.arg("--kubeconfig").arg(&self.cluster.kubeconfig);
        Ok(helm)
    }

    fn log(&self, what: &str, mut command: Command) -> Result<()> {
        command::log(&format!("{what} {}", self.name), &mut command, &log(self.cluster, self.name))
    }
}

fn file(name: &str) -> String {
    paths::root().join(SOURCES).join(name).display().to_string()
}

fn log(cluster: &Cluster, step: &str) -> PathBuf {
    logs(&cluster.name).join(format!("{step}.log"))
}
