//! `cargo xtask test`: the whole proof, from the lints to a browser.

mod other_envoys;
mod summary;

use std::num::NonZero;
use std::process::Command;
use std::time::Instant;
use std::{env, thread};

use anyhow::{Result, bail};

use crate::{build, command, lint, native, tools, wasm};
pub use other_envoys::{ENVOY_VERSION, OTHER_ENVOYS, other_envoys};
use summary::Summary;

/// Tells the tests that drive a browser to leave themselves out.
pub const NO_BROWSER: &str = "CORSWARD_NO_BROWSER";

/// Tells the tests which shell of the filter runs in their Envoys: `wasm` or `native`.
pub const FILTER: &str = "CORSWARD_FILTER";

/// The tests that run once more with the native filter. Traps are those of a virtual machine; `native` loads the module itself.
const NATIVE: [&str; 12] = [
    "browser",
    "caches",
    "configuration",
    "envoy",
    "filters",
    "hostile",
    "local_replies",
    "normalization",
    "observability",
    "own_requests",
    "preflight_cache",
    "workloads",
];

/// The variable for the number of tests that a test binary runs at a time.
const THREADS: &str = "RUST_TEST_THREADS";

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Leave out what drives Chromium
    #[arg(long)]
    pub no_browser: bool,
}

/// Lints, builds, and runs every test of the workspace.
///
/// # Errors
///
/// Fails if a tool cannot be had, something does not build, or a test fails.
pub fn run(args: &Args) -> Result<()> {
    let begun = Instant::now();
    let step = |title: &str| eprintln!("\n=== {title} ({} s) ===", begun.elapsed().as_secs());

    step("tools");
    tools(args)?;
    step("lint");
    lint::run()?;
    step("the filter");
    wasm::run()?;
    native::run(&native::Args { arch: None })?;
    step("the operator");
    build::operator()?;
    step("tests");
    let (succeeded, summary) = tests(args, cargo_test().arg("--workspace"))?;
    step("tests of Envoy, with the native filter");
    let (native_succeeded, native_summary) = tests(args, &mut with_native_filter())?;

    step("summary");
    print!("{summary}\nwith the native filter:\n{native_summary}");
    if args.no_browser {
        println!("left out: the browser (--no-browser)");
    }
    if !(succeeded && native_succeeded) {
        bail!("`cargo test` failed: see above");
    }
    Ok(())
}

/// Gets the tools before anything long begins, so that a missing one is known at once.
fn tools(args: &Args) -> Result<()> {
    eprintln!("Envoy: {}", tools::envoy(tools::ENVOY_VERSION)?.display());
    eprintln!("wrk: {}", tools::wrk()?.display());
    eprintln!("nginx: {}", tools::nginx()?.display());
    eprintln!("Varnish: {}", tools::varnishd()?.display());
    let kubernetes = tools::kubernetes()?;
    for program in [&kubernetes.apiserver, &kubernetes.etcd, &kubernetes.kubectl] {
        eprintln!("Kubernetes: {}", program.display());
    }
    eprintln!("Helm: {}", tools::helm()?.display());
    eprintln!("resources of the Prometheus operator: {}", tools::prometheus_crds()?.display());
    eprintln!("resources of Istio: {}", tools::istio_crds()?.display());
    eprintln!("resources of the Gateway API: {}", tools::gateway_crds()?.display());
    for shop in [
        tools::gin()?,
        tools::spring()?,
        tools::django("shop.py")?,
        tools::starlette()?,
        tools::express()?,
    ] {
        eprintln!("a back end: {}", command::shown(&shop));
    }
    if !args.no_browser {
        eprintln!("Chromium: {}", tools::chromium()?.display());
        eprintln!("Node.js: {}", tools::node()?.display());
        eprintln!("playwright-core: {}", tools::playwright()?.display());
    }
    Ok(())
}

fn tests(args: &Args, test: &mut Command) -> Result<(bool, Summary)> {
    test.arg("--no-fail-fast");
    if args.no_browser {
        test.env(NO_BROWSER, "1");
    }
    let mut summary = Summary::default();
    let succeeded = command::watch(test, |line| summary.read(line))?;
    Ok((succeeded, summary))
}

/// The tests that look at an Envoy from outside, whichever shell its filter has.
fn with_native_filter() -> Command {
    let mut test = cargo_test();
    // Of the whole workspace, as above: a part of it would be built anew, with the features that it needs alone.
    test.arg("--workspace").env(FILTER, "native");
    for binary in NATIVE {
        test.args(["--test", binary]);
    }
    test
}

/// `cargo test`, with more tests at a time than there are processors: most of their time they wait for a server to start, or for a Lease to
/// run out.
fn cargo_test() -> Command {
    let mut test = command::cargo();
    test.arg("test");
    if env::var_os(THREADS).is_none() {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        test.env(THREADS, processors.saturating_mul(2).to_string());
    }
    test
}
