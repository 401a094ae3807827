//! Runs scenarios in a cluster that is there: kind, Istio and corsward's chart, as `cargo xtask e2e` makes them.

mod gateway;
mod load;
mod proxy;
mod release;
mod runner;
mod scenario;
mod scenario_cluster;
mod scenarios;
mod sharing;
mod upstream;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;

/// Tell scenarios to the cluster that KUBECONFIG names
///
/// The cluster holds Istio, corsward's chart and the images of `cargo xtask cluster load`.
/// `cargo xtask e2e` makes one, tells every scenario to it and removes it; this is for one scenario, over and over.
#[derive(Parser, Debug)]
#[command(name = "corsward-e2e", max_term_width = 100)]
struct Args {
    /// Tell only scenarios whose name contains one of these
    scenarios: Vec<String>,
    /// Number of scenarios at a time
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Print their names
    #[arg(long)]
    list: bool,
    /// Leave the namespaces of the scenarios as they are
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
    let named = |scenario: &&Scenario| {
        args.scenarios.is_empty()
            || args.scenarios.iter().any(|part| scenario.name.contains(part.as_str()))
    };
    let scenarios: Vec<&Scenario> = scenarios::all().filter(named).collect();
    ensure!(
        !scenarios.is_empty(),
        "no scenario is called {:?}: --list prints their names",
        args.scenarios
    );
    if args.list {
        scenarios.iter().for_each(|scenario| println!("{}", scenario.name));
        return Ok(true);
    }
    runner::tell(&ScenarioCluster::reach(args.keep)?, &scenarios, args.jobs)
}
