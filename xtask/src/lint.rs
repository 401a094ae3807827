//! `cargo xtask lint`: the checks that need no run of the product.

use anyhow::Result;

use crate::{command, generate, tools};

/// Checks format, lints, dependencies and the freshness of generated files.
///
/// # Errors
///
/// Fails if one of them is not in order.
pub fn run() -> Result<()> {
    cargo("fmt --all --check")?;
    cargo("clippy --workspace --all-targets -- -D warnings")?;
    tools::wasm_target()?;
    // The shell alone: what it is made of was linted above, where a pointer has its usual size.
    let target = tools::WASM_TARGET;
    cargo(&format!("clippy -p corsward-filter --no-deps --target {target} -- -D warnings"))?;
    dependencies()?;
    generate::run(&generate::Args { check: true })
}

/// Judges the dependencies by `deny.toml`. Advisories are left out: they change from day to day and need the network,
/// so they would fail an unchanged tree.
fn dependencies() -> Result<()> {
    if command::find("cargo-deny").is_none() {
        eprintln!("left out: cargo-deny is not here (`cargo install --locked cargo-deny`)");
        return Ok(());
    }
    cargo("deny check bans licenses sources")
}

/// Runs cargo with the words of a line.
fn cargo(line: &str) -> Result<()> {
    command::run(command::cargo().args(line.split(' ')))
}
