//! `cargo xtask wasm`: the filter as Envoy loads it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{build, command, tools};

/// What the filter is compiled for.
pub const TARGET: &str = "wasm32-wasip1";

/// The largest module that may be shipped.
pub const BUDGET: u64 = 200 * 1024;

/// Builds the module and says where it is.
///
/// # Errors
///
/// When the target cannot be had or the filter does not compile.
pub fn build() -> Result<PathBuf> {
    tools::wasm_target()?;
    let mut cargo = command::cargo();
    cargo.args(["build", "-p", "corsward-filter", "--profile", "wasm", "--target", TARGET]);
    let files = build::artifacts(&mut cargo)?;
    let module = files.into_iter().find(|file| file.ends_with("corsward_filter.wasm"));
    module.context("cargo built no corsward_filter.wasm")
}

/// Builds the module, prints its size, and refuses one above the budget.
///
/// # Errors
///
/// As [`build`], and when the module is too large.
pub fn run() -> Result<()> {
    let module = build()?;
    let size = fs::metadata(&module)?.len();
    println!("{}\n{}", module.display(), judge(size)?);
    Ok(())
}

fn judge(size: u64) -> Result<String> {
    let kib = |bytes: u64| format!("{}.{} KiB", bytes / 1024, bytes % 1024 * 10 / 1024);
    if size > BUDGET {
        bail!(
            "the module has {size} bytes, {} above its budget of {}",
            kib(size - BUDGET),
            kib(BUDGET)
        );
    }
    Ok(format!(
        "{size} bytes ({}), {} below its budget of {}",
        kib(size),
        kib(BUDGET - size),
        kib(BUDGET)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_may_use_its_budget_and_not_a_byte_more() {
        assert!(judge(BUDGET).is_ok());
        let refused = judge(BUDGET + 1024).unwrap_err().to_string();
        assert_eq!(refused, "the module has 205824 bytes, 1.0 KiB above its budget of 200.0 KiB");
    }
}
