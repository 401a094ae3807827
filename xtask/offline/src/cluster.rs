//! Clusters: Kubernetes on this machine, with Istio, pulled from registries or made of packages and Go modules.
//!
//! ```text
//! engine --> supply (pulled, or made here: debian --> node, programs) --> kind --> istio
//!                                                     images --> load --> node
//! ```

mod debian;
mod engine;
mod istio;
mod kind;
mod load;
mod node;
mod steps;
mod supply;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, ensure};

use self::kind::Kind;
use self::steps::Steps;
use self::supply::Supply;
use crate::{docker, paths, tools};

/// The name of a cluster that has no other. The same as in `kind-config.yaml`.
pub const NAME: &str = "corsward";

/// A cluster that is up.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The kubeconfig for kubectl.
    pub kubeconfig: PathBuf,
    /// The kubectl that fits it.
    pub kubectl: PathBuf,
}

// === impl Cluster ===

impl Cluster {
    /// kubectl, told which cluster.
    pub fn kubectl(&self) -> Command {
        let mut kubectl = Command::new(&self.kubectl);
        kubectl.env("KUBECONFIG", &self.kubeconfig);
        kubectl
    }
}

/// Makes a cluster, or finds the one that is there, and prints how to reach it. Without a `kubeconfig` that file is in `target`.
///
/// # Errors
///
/// Fails if something that it takes can neither be pulled nor made here.
pub fn up(name: &str, with_istio: bool, kubeconfig: Option<&Path>) -> Result<Cluster> {
    let mut steps = Steps::default();
    steps.take("docker engine", engine::ensure)?;
    let supply = steps.take("where images come from", Supply::decide)?;
    let prepared = steps.take("programs and images", || supply.prepare(with_istio))?;
    let cluster = Cluster {
        name: name.to_owned(),
        kubeconfig: absolute(kubeconfig.map_or_else(|| kubeconfig_of(name), PathBuf::from))?,
        kubectl: tools::kubectl()?,
    };
    let kind = Kind::new(&cluster)?;
    steps.take("kind", || kind.ensure(prepared.node.as_ref()))?;
    if with_istio {
        steps.take("Istio", || istio::install(&cluster, prepared.istio.as_ref()))?;
    }
    steps.print(&format!("cluster {name}"));
    print_environment(&cluster)?;
    Ok(cluster)
}

/// Loads what `build` makes into a cluster's node: images of this machine's docker, by name.
///
/// # Errors
///
/// Fails if one cannot be built, or the cluster is not there.
pub fn load(name: &str, build: impl FnOnce() -> Result<Vec<String>>) -> Result<()> {
    let node = kind::node_of(name);
    let running = docker::inspect("container", &node, "{{.State.Running}}");
    ensure!(
        running.as_deref() == Some("true"),
        "there is no cluster {name}: make it with `cargo xtask cluster up --name {name}`"
    );
    let mut steps = Steps::default();
    let images = steps.take("building", build)?;
    steps.take("loading", || load::into_node(&node, &images))?;
    steps.print(&format!("images in {name}"));
    Ok(())
}

/// Deletes a cluster, and the leftovers of one; with `stop_engine` also the docker engine, if [`up`] started it.
///
/// # Errors
///
/// Fails if kind cannot.
pub fn down(name: &str, stop_engine: bool) -> Result<()> {
    let mut steps = Steps::default();
    if docker::answers() {
        steps.take("kind", || kind::delete(name))?;
    } else {
        println!("no docker answers here: no cluster runs");
    }
    for left in [kubeconfig_of(name), logs(name)] {
        // Most often there is nothing to remove.
        let _ = fs::remove_file(&left).or_else(|_| fs::remove_dir_all(&left));
    }
    if stop_engine {
        steps.take("docker engine", engine::stop)?;
    } else if engine::is_ours() {
        println!("the docker engine goes on: `cargo xtask cluster down --engine` stops it");
    }
    steps.print(&format!("cluster {name} is gone"));
    Ok(())
}

/// The image that images of pods are made from: Debian's slim one, or one that is made here.
///
/// # Errors
///
/// Fails if it can neither be pulled nor made.
pub fn base_image() -> Result<String> {
    Ok(match Supply::decide()? {
        Supply::Pulled => "debian:bookworm-slim".to_owned(),
        Supply::MadeHere => debian::pods()?.name,
    })
}

/// The logs of a cluster's long steps.
fn logs(name: &str) -> PathBuf {
    paths::target().join("cluster").join(name)
}

/// The kubeconfig of a cluster that names no other.
fn kubeconfig_of(name: &str) -> PathBuf {
    paths::target().join("cluster").join(format!("{name}.kubeconfig"))
}

/// A whole path, for use anywhere, in a folder that exists.
fn absolute(file: PathBuf) -> Result<PathBuf> {
    let file = env::current_dir()?.join(file);
    let folder = file.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(file)
}

/// Prints what a shell needs to use the cluster.
fn print_environment(cluster: &Cluster) -> Result<()> {
    let mut line = format!("export KUBECONFIG={}", cluster.kubeconfig.display());
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<_> = env::split_paths(&path).collect();
    let programs = [cluster.kubectl.clone(), tools::helm()?, tools::kind()?];
    let mut folders: Vec<_> =
        programs.iter().filter_map(|program| program.parent().map(PathBuf::from)).collect();
    folders.dedup();
    folders.retain(|folder| !on_path.contains(folder));
    if !folders.is_empty() {
        let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        line += &format!(" PATH={}:$PATH", folders.join(":"));
    }
    println!("{line}");
    Ok(())
}
