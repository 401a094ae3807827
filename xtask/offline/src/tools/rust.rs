//! Parts of the Rust toolchain.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;

/// The compilation target of the filter.
pub const WASM_TARGET: &str = "wasm32-wasip1";

/// The cargo-fuzz that the fuzz targets are run with.
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// Makes sure that the filter's target can be compiled for.
///
/// # Errors
///
/// Fails if it is missing and rustup is not here to add it.
pub fn wasm_target() -> Result<()> {
    rust_target(WASM_TARGET)
}

/// Makes sure that a target can be compiled for.
///
/// # Errors
///
/// Fails if it is missing and rustup is not here to add it.
pub fn rust_target(target: &str) -> Result<()> {
    let sysroot = command::read(command::rustc().args(["--print", "sysroot"]))?;
    let sysroot = String::from_utf8(sysroot)?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(target).is_dir() {
        return Ok(());
    }
    needs_rustup(target)?;
    let mut add = Command::new("rustup");
    add.args(["target", "add", target]).current_dir(crate::paths::root());
    command::wait_for(&format!("adding the Rust target {target}"), &mut add)
}

/// Makes sure that `cargo +nightly fuzz` can be called.
///
/// # Errors
///
/// Fails if a part is missing and cannot be fetched.
pub fn cargo_fuzz() -> Result<()> {
    needs_rustup("the nightly toolchain")?;
    let installed = command::read(Command::new("rustup").args(["toolchain", "list"]))?;
    if !String::from_utf8_lossy(&installed).lines().any(|line| line.starts_with("nightly")) {
        let mut install = Command::new("rustup");
        install.args(["toolchain", "install", "nightly", "--profile", "minimal"]);
        command::wait_for("installing the nightly toolchain (rustup)", &mut install)?;
    }
    if command::find("cargo-fuzz").is_none() {
        let mut install = command::cargo();
        install.args(["install", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ_VERSION]);
        command::wait_for("installing cargo-fuzz (cargo install)", &mut install)
            .context("cargo-fuzz is missing: get it with `cargo install --locked cargo-fuzz`")?;
    }
    Ok(())
}

fn needs_rustup(what: &str) -> Result<()> {
    if command::find("rustup").is_none() {
        bail!("{what} is missing: get rustup from https://rustup.rs, it installs the rest");
    }
    Ok(())
}
