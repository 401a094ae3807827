//! `cargo xtask e2e`: every scenario, in a cluster made for them and removed after them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use xtask_offline::cluster::{self, Cluster};

use crate::{build, command, docker, images, paths, test, tools};

/// The cluster that is made where none is named.
const CLUSTER: &str = "corsward-e2e";

/// The chart's release, and its namespace.
const RELEASE: &str = "corsward";
const NAMESPACE: &str = "corsward-system";

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Tell only scenarios whose name contains one of these
    scenarios: Vec<String>,
    /// Number of scenarios at a time
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Use this cluster of `cargo xtask cluster up`, and leave it there
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Leave the cluster and the namespaces of the scenarios as they are
    #[arg(long)]
    keep: bool,
}

/// Tells them.
///
/// # Errors
///
/// Fails if the cluster cannot be made, or a scenario does not end well.
pub fn run(args: &Args) -> Result<()> {
    let begun = Instant::now();
    // The cluster and what is built for it are one run's at a time.
    let _alone = tools::lock(&paths::cache().join("e2e"))?;
    step("what tells the scenarios", begun);
    let runner = runner()?;
    let mut told = in_cluster(args, &runner, begun);
    if args.cluster.is_none() && !args.keep {
        step("the cluster goes", begun);
        let gone = cluster::down(CLUSTER, false);
        // Why a scenario failed is worth more than why its cluster is still there.
        told = told.and(gone);
    }
    if args.scenarios.is_empty() {
        step("other Envoys", begun);
        told = told.and(test::other_envoys());
    }
    told?;
    println!("\nall of it: {} s", begun.elapsed().as_secs());
    Ok(())
}

fn step(title: &str, begun: Instant) {
    eprintln!("\n=== {title} ({} s) ===", begun.elapsed().as_secs());
}

fn in_cluster(args: &Args, runner: &Path, begun: Instant) -> Result<()> {
    let name = args.cluster.as_deref().unwrap_or(CLUSTER);
    step("a cluster, and what is compiled for it", begun);
    if args.cluster.is_none() {
        // One that an interrupted run left may hold anything.
        cluster::down(name, false)?;
    }
    // Whoever makes a cluster waits most of the time, and this is the longest to compile.
    let (cluster, compiled) = thread::scope(|scope| {
        let compiling = scope.spawn(|| build::shipped(build::OPERATOR));
        let cluster = cluster::up(name, true, None);
        if let Err(error) = &cluster {
            eprintln!("no cluster: {error:#}; what is being compiled is still waited for");
        }
        (cluster, compiling.join())
    });
    let cluster = cluster?;
    compiled.map_err(|_| anyhow!("whoever compiled the operator panicked: see above"))??;
    step("images", begun);
    crate::cluster::load(name)?;
    step("the chart", begun);
    install(&cluster)?;
    step("scenarios", begun);
    tell(args, runner, &cluster)
}

/// Installs the chart as a user would, and waits until the operator is ready.
fn install(cluster: &Cluster) -> Result<()> {
    let mut helm = Command::new(tools::helm()?);
    helm.env("KUBECONFIG", &cluster.kubeconfig);
    helm.args(["upgrade", "--install", RELEASE]).arg(paths::root().join("charts/corsward"));
    helm.args(["--namespace", NAMESPACE, "--create-namespace", "--wait"]);
    helm.args(["--set", "image.pullPolicy=Never"]);
    // Pods of another image under the same name are replaced.
    let tag = images::operator_tag();
    let image = docker::inspect("image", &tag, "{{.Id}}");
    let image = image.with_context(|| format!("docker has no image {tag}"))?;
    helm.args(["--set-string", &format!("podAnnotations.image={image}")]);
    command::wait_for("helm install", &mut helm)
}

fn tell(args: &Args, runner: &Path, cluster: &Cluster) -> Result<()> {
    let mut scenarios = Command::new(runner);
    scenarios.env("KUBECONFIG", &cluster.kubeconfig);
    scenarios.args(["--jobs", &args.jobs.to_string()]).args(&args.scenarios);
    if args.keep {
        scenarios.arg("--keep");
    }
    if !command::watch(&mut scenarios, |_| ())? {
        bail!("a scenario did not end well: see above, and target/e2e");
    }
    Ok(())
}

/// Builds the runner of the scenarios.
fn runner() -> Result<PathBuf> {
    let mut build = command::cargo();
    build.args(["build", "-p", "corsward-e2e"]);
    build::artifact(&mut build, &format!("corsward-e2e{}", std::env::consts::EXE_SUFFIX))
}
