//! Tells stories to a cluster that is there: kind, Istio and corsward's chart, as `cargo xtask e2e` makes them.

mod cluster;
mod door;
mod gateway;
mod load;
mod place;
mod proxy;
mod published;
mod release;
mod sharing;
mod stories;
mod story;
mod teller;
mod until;
mod upstream;
mod workload;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::cluster::Cluster;
use crate::story::Story;

/// Tell stories to the cluster that KUBECONFIG names
///
/// The cluster holds Istio, corsward's chart and the images of `cargo xtask cluster load`.
/// `cargo xtask e2e` makes one, tells every story to it and removes it; this is for one story, over and over.
#[derive(Parser, Debug)]
#[command(name = "corsward-e2e", max_term_width = 100)]
struct Args {
    /// Tell only stories whose name contains one of these
    stories: Vec<String>,
    /// How many at a time
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Print their names
    #[arg(long)]
    list: bool,
    /// Leave the namespaces of the stories as they are
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool> {
    let named = |story: &&Story| {
        args.stories.is_empty()
            || args.stories.iter().any(|part| story.name.contains(part.as_str()))
    };
    let stories: Vec<&Story> = stories::all().filter(named).collect();
    ensure!(
        !stories.is_empty(),
        "no story is called {:?}: --list prints their names",
        args.stories
    );
    if args.list {
        stories.iter().for_each(|story| println!("{}", story.name));
        return Ok(true);
    }
    teller::tell(&Cluster::reach(args.keep)?, &stories, args.jobs)
}
