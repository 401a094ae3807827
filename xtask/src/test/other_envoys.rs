//! The scenarios about caches, configurations, paths, traps and an Envoy of one's own, on the Envoys that people still run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::summary::Summary;
use super::{FILTER, THREADS};
use crate::envoy::tail;
use crate::{command, native, paths, tools, wasm};

/// Tells the tests which version of Envoy to start in place of [`tools::ENVOY_VERSION`].
pub const ENVOY_VERSION: &str = "CORSWARD_ENVOY_VERSION";

/// The versions beside [`tools::ENVOY_VERSION`], and the filter in them. There is no 1.38: its package is built without V8, and it shows
/// the metrics of a native filter with the next request only (`tests/tests/native.rs` loads it).
pub const OTHER_ENVOYS: [(&str, &str); 4] =
    [("1.36.4", "wasm"), ("1.37.0", "wasm"), ("1.39.3", "wasm"), ("1.39.3", "native")];

/// Runs the scenarios on all of [`OTHER_ENVOYS`] at once, because they mostly wait, and prints a line for each. The output of the
/// tests goes into `target/e2e/envoy-VERSION-FILTER.log`.
///
/// # Errors
///
/// Fails if an Envoy cannot be had, the tests do not build, or one of them fails.
pub fn other_envoys() -> Result<()> {
    for (version, _) in OTHER_ENVOYS {
        tools::envoy(version)?;
    }
    wasm::build()?;
    native::build()?;
    command::run(scenarios().arg("--no-run"))?;
    let logs = paths::target().join("e2e");
    fs::create_dir_all(&logs)?;
    let log_of = |(version, filter)| logs.join(format!("envoy-{version}-{filter}.log"));
    let begun = Instant::now();
    let told = OTHER_ENVOYS.map(|envoy| start(envoy, &log_of(envoy)));
    // None is left running where another one fails.
    let told = told.map(|telling| telling.and_then(|mut telling| Ok(telling.wait()?)));
    println!("all at once: {} s", begun.elapsed().as_secs());
    let mut failed = Vec::new();
    for (envoy, status) in OTHER_ENVOYS.into_iter().zip(told) {
        let (log, (version, filter)) = (log_of(envoy), envoy);
        println!("Envoy {version}, {filter}: {}", read(&log)?.total());
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
    // With the features that all tests of the workspace are built with.
    cargo.arg("--workspace");
    for binary in ["caches", "configuration", "normalization", "own_envoy", "traps"] {
        cargo.args(["--test", binary]);
    }
    cargo
}

/// Starts them on one version, with one filter.
fn start((version, filter): (&str, &str), log: &Path) -> Result<Child> {
    let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
    let mut cargo = scenarios();
    // So many at once are enough for one processor to be kept busy; some must be quicker than Envoy makes a new machine.
    cargo.env(THREADS, "2");
    // Figures are printed, and kept with the rest.
    cargo.arg("--no-fail-fast").args(["--", "--nocapture"]);
    cargo.env(ENVOY_VERSION, version).env(FILTER, filter);
    cargo.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
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
