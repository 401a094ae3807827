//! `cargo xtask cluster`: Kubernetes on this machine, with Istio, and the images that tests need in it.
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

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, ensure};

use self::kind::Kind;
use self::steps::Steps;
use self::supply::Supply;
use crate::{docker, paths, tools};

/// What the verb accepts.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What can be done to a cluster.
#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// Make a cluster with Istio, and say how to reach it
    ///
    /// One that is there and well stays as it is; one that is not well is deleted and made again. The first time where
    /// nothing can be pulled takes about twenty minutes on two cores, every other time about one.
    Up(Up),

    /// Build the images that tests need, and load them into the cluster
    ///
    /// corsward-operator and corsward-e2e/backends. What the cluster has already is not loaded again.
    Load(Load),

    /// Delete a cluster
    ///
    /// The docker engine goes on, and with it what other clusters need, even when `up` started it.
    Down(Down),
}

/// How a cluster is made.
#[derive(clap::Args, Clone, Debug)]
pub struct Up {
    /// The cluster's name: kubectl knows it as kind-NAME
    #[arg(long, default_value = NAME)]
    pub name: String,
    /// Leave out Istio, and the Gateway API's resources with it
    #[arg(long)]
    pub no_istio: bool,
    /// Where to write how the cluster is reached [default: target/cluster/NAME.kubeconfig]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// Where images are loaded.
#[derive(clap::Args, Clone, Debug)]
pub struct Load {
    /// The cluster's name
    #[arg(long, default_value = NAME)]
    pub name: String,
}

/// What is deleted.
#[derive(clap::Args, Clone, Debug)]
pub struct Down {
    /// The cluster's name
    #[arg(long, default_value = NAME)]
    pub name: String,
    /// Stop the docker engine too, if `up` started it
    #[arg(long)]
    pub engine: bool,
}

/// The cluster that is meant when none is named. The same as in `kind-config.yaml`.
const NAME: &str = "corsward";

/// A cluster that is up.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// How kubectl reaches it.
    pub kubeconfig: PathBuf,
    /// The kubectl that fits it.
    pub kubectl: PathBuf,
}

// === impl Cluster ===

impl Cluster {
    /// kubectl, told which cluster.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut kubectl = Command::new(&self.kubectl);
        kubectl.env("KUBECONFIG", &self.kubeconfig);
        kubectl
    }
}

/// Does what is asked.
///
/// # Errors
///
/// When it cannot be done here; the sentence says what is missing.
pub fn run(args: &Args) -> Result<()> {
    match &args.verb {
        Verb::Up(args) => up(args).map(drop),
        Verb::Load(args) => load(args),
        Verb::Down(args) => down(args),
    }
}

/// Makes a cluster, or finds the one that is there, and prints how to reach it.
///
/// # Errors
///
/// When something that it takes can neither be pulled nor made here.
pub fn up(args: &Up) -> Result<Cluster> {
    let mut steps = Steps::default();
    steps.take("docker engine", engine::ensure)?;
    let supply = steps.take("where images come from", Supply::decide)?;
    let prepared = steps.take("programs and images", || supply.prepare(!args.no_istio))?;
    let cluster = Cluster {
        name: args.name.clone(),
        kubeconfig: kubeconfig_of(args)?,
        kubectl: tools::kubectl()?,
    };
    let kind = Kind::new(&cluster)?;
    steps.take("kind", || kind.ensure(prepared.node.as_ref()))?;
    if !args.no_istio {
        steps.take("Istio", || istio::install(&cluster, prepared.istio.as_ref()))?;
    }
    steps.print(&format!("cluster {}", args.name));
    print_way(&cluster)?;
    Ok(cluster)
}

/// Builds the images that tests need, and loads them into the cluster's node.
///
/// # Errors
///
/// When one cannot be built, or the cluster is not there.
pub fn load(args: &Load) -> Result<()> {
    let node = kind::node_of(&args.name);
    let running = docker::inspect("container", &node, "{{.State.Running}}");
    ensure!(
        running.as_deref() == Some("true"),
        "there is no cluster {0}: make it with `cargo xtask cluster up --name {0}`",
        args.name
    );
    let mut steps = Steps::default();
    let images = steps.take("building", load::build)?;
    steps.take("loading", || load::into_node(&node, &images))?;
    steps.print(&format!("images in {}", args.name));
    Ok(())
}

/// Deletes a cluster, and whatever is left of one.
///
/// # Errors
///
/// When kind cannot.
pub fn down(args: &Down) -> Result<()> {
    let mut steps = Steps::default();
    if docker::answers() {
        steps.take("kind", || kind::delete(&args.name))?;
    } else {
        println!("no docker answers here: no cluster runs");
    }
    for left in [kubeconfig(&args.name), logs(&args.name)] {
        // Most often there is nothing to remove.
        let _ = fs::remove_file(&left).or_else(|_| fs::remove_dir_all(&left));
    }
    if args.engine {
        steps.take("docker engine", engine::stop)?;
    } else if engine::is_ours() {
        println!("the docker engine goes on: `cargo xtask cluster down --engine` stops it");
    }
    steps.print(&format!("cluster {} is gone", args.name));
    Ok(())
}

/// Where what long steps say is kept.
fn logs(name: &str) -> PathBuf {
    paths::target().join("cluster").join(name)
}

/// Where a cluster's kubeconfig is when nobody says where.
fn kubeconfig(name: &str) -> PathBuf {
    paths::target().join("cluster").join(format!("{name}.kubeconfig"))
}

/// Where this one's is: a whole path, since it is printed for use anywhere.
fn kubeconfig_of(args: &Up) -> Result<PathBuf> {
    let file = args.kubeconfig.clone().unwrap_or_else(|| kubeconfig(&args.name));
    let file = env::current_dir()?.join(file);
    let folder = file.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(file)
}

/// Prints what a shell needs to use the cluster.
fn print_way(cluster: &Cluster) -> Result<()> {
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
