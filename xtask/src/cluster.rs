//! `cargo xtask cluster`: Kubernetes on this machine, with Istio, and the images that tests need in it.

use std::path::PathBuf;

use anyhow::Result;
use xtask_offline::cluster::{self, NAME};

use crate::{backends, images};

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// The actions on a cluster.
#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// Make a cluster with Istio, and say how to reach it
    ///
    /// One that is there and well stays as it is; one that is not well is deleted and made again. The first time where
    /// nothing can be pulled takes about twenty minutes on two cores, every other time about one.
    Up(Up),

    /// Build the images that tests need, and load them into the cluster
    ///
    /// corsward-operator and corsward-e2e/backends. Images that the cluster has already are not loaded again.
    Load(Load),

    /// Delete a cluster
    ///
    /// The docker engine goes on, and with it what other clusters need, even when `up` started it.
    Down(Down),
}

/// The options for a new cluster.
#[derive(clap::Args, Clone, Debug)]
pub struct Up {
    /// The cluster's name: kubectl knows it as kind-NAME
    #[arg(long, default_value = NAME)]
    pub name: String,
    /// Leave out Istio, and the Gateway API's resources with it
    #[arg(long)]
    pub no_istio: bool,
    /// File for the cluster's kubeconfig [default: target/cluster/NAME.kubeconfig]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// The cluster that images are loaded into.
#[derive(clap::Args, Clone, Debug)]
pub struct Load {
    /// The cluster's name
    #[arg(long, default_value = NAME)]
    pub name: String,
}

/// The cluster to delete.
#[derive(clap::Args, Clone, Debug)]
pub struct Down {
    /// The cluster's name
    #[arg(long, default_value = NAME)]
    pub name: String,
    /// Stop the docker engine too, if `up` started it
    #[arg(long)]
    pub engine: bool,
}

/// Does what is asked.
///
/// # Errors
///
/// Fails if it cannot be done here; the sentence says what is missing.
pub fn run(args: &Args) -> Result<()> {
    match &args.verb {
        Verb::Up(Up { name, no_istio, kubeconfig }) => {
            cluster::up(name, !no_istio, kubeconfig.as_deref()).map(drop)
        }
        Verb::Load(Load { name }) => load(name),
        Verb::Down(Down { name, engine }) => cluster::down(name, *engine),
    }
}

/// Builds the images that tests need, and loads them into the cluster's node.
///
/// # Errors
///
/// Fails if one cannot be built, or the cluster is not there.
pub fn load(name: &str) -> Result<()> {
    cluster::load(name, || {
        images::run(&images::Args { operator: true })?;
        Ok(vec![images::operator_tag(), backends::image()?])
    })
}
