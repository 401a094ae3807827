//! The scenarios about caches, configurations, paths, traps and an Envoy of one's own, on the Envoys that people still run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::THREADS;
use super::summary::Summary;
use crate::envoy::tail;
use crate::{command, paths, tools, wasm};

/// Tells the tests which version of Envoy to start in place of [`tools::ENVOY_VERSION`].
pub const ENVOY_VERSION: &str = "CORSWARD_ENVOY_VERSION";

/// The versions beside [`tools::ENVOY_VERSION`]. There is no 1.38: its package is built without V8.
pub const OTHER_ENVOYS: [&str; 3] = ["1.36.4", "1.37.0", "1.39.3"];

/// Runs the scenarios on all of [`OTHER_ENVOYS`] at once, because they mostly wait, and prints a line for each. The output of the
/// tests goes into `target/e2e/envoy-VERSION.log`.
///
/// # Errors
///
/// Fails if an Envoy cannot be had, the tests do not build, or one of them fails.
pub fn other_envoys() -> Result<()> {
    for version in OTHER_ENVOYS {
        tools::envoy(version)?;
    }
    wasm::build()?;
    command::run(scenarios().arg("--no-run"))?;
    let logs = paths::target().join("e2e");
    fs::create_dir_all(&logs)?;
    let log_of = |version| logs.join(format!("envoy-{version}.log"));
    let begun = Instant::now();
    let told = OTHER_ENVOYS.map(|version| start(version, &log_of(version)));
    // None is left running where another one fails.
    let told = told.map(|telling| telling.and_then(|mut telling| Ok(telling.wait()?)));
    println!("all at once: {} s", begun.elapsed().as_secs());
    let mut failed = Vec::new();
    for (version, status) in OTHER_ENVOYS.into_iter().zip(told) {
        let log = log_of(version);
        println!("Envoy {version}: {}", read(&log)?.total());
        if !status?.success() {
            eprintln!("{}", tail(&log));
            failed.push(log);
        }
    }
    if !failed.is_empty() {
        bail!("scenarios failed: see {}", shown(&failed));
    }
    Ok(())
}

fn scenarios() -> Command {
    let mut cargo = super::cargo_test();
    cargo.args(["-p", "corsward-tests"]);
    for binary in ["caches", "configuration", "normalization", "own_envoy", "traps"] {
        cargo.args(["--test", binary]);
    }
    cargo
}

/// Starts them on one version.
fn start(version: &str, log: &Path) -> Result<Child> {
    let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
    let mut cargo = scenarios();
    // So many at once are enough for one processor to be kept busy; some must be quicker than Envoy makes a new machine.
    cargo.env(THREADS, "2");
    // Figures are printed, and kept with the rest.
    cargo.arg("--no-fail-fast").args(["--", "--nocapture"]);
    cargo.env(ENVOY_VERSION, version).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    cargo.spawn().context("`cargo test` did not start")
}

fn read(log: &Path) -> Result<Summary> {
    let mut summary = Summary::default();
    let text = fs::read(log)?;
    String::from_utf8_lossy(&text).lines().for_each(|line| summary.read(line));
    Ok(summary)
}

fn shown(logs: &[PathBuf]) -> String {
    logs.iter().map(|log| log.display().to_string()).collect::<Vec<_>>().join(", ")
}
