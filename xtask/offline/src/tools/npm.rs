//! Packages of npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Program, cached, named_by, node};
use crate::command;

/// The library that drives the browser. A newer one may need a newer Chromium; any recent does.
pub const PLAYWRIGHT_VERSION: &str = "1.65.1";

/// The package of `wasm-opt`. A different version makes a different module of the same sources.
pub const BINARYEN_VERSION: &str = "132.0.0";

const NPM: Program = Program { names: &["npm"], variable: "NPM_BIN", package: "npm" };

/// The `node_modules` folder that holds `playwright-core`.
///
/// # Errors
///
/// Fails if npm is missing and may not be installed, or the package cannot be fetched.
pub fn playwright() -> Result<PathBuf> {
    let folder = cached(&format!("playwright-{PLAYWRIGHT_VERSION}"), |folder| {
        install(&format!("playwright-core@{PLAYWRIGHT_VERSION}"), folder.path())?;
        Ok(folder.path().to_owned())
    })?;
    Ok(folder.join("node_modules"))
}

/// The optimizer of WebAssembly: the program that `WASM_OPT_BIN` names, or else binaryen's own build
/// of it for Node.js.
///
/// # Errors
///
/// Fails if Node.js or npm is missing and may not be installed, or the package cannot be fetched.
pub fn wasm_opt() -> Result<Command> {
    if let Some(named) = named_by("WASM_OPT_BIN")? {
        return Ok(Command::new(named));
    }
    // The package is ten times as large as the one script of it that is needed.
    let script = cached(&format!("binaryen-{BINARYEN_VERSION}/wasm-opt"), |folder| {
        install(&format!("binaryen@{BINARYEN_VERSION}"), folder.path())?;
        Ok(folder.path().join("node_modules/binaryen/bin/wasm-opt"))
    })?;
    let mut wasm_opt = Command::new(node()?);
    wasm_opt.arg(script);
    Ok(wasm_opt)
}

/// Puts what `folder/package-lock.json` lists into `folder/node_modules`; no package runs a script of its own.
///
/// # Errors
///
/// Fails if npm is missing and may not be installed, or a package cannot be fetched.
pub fn node_packages(what: &str, folder: &Path) -> Result<()> {
    let mut install = Command::new(NPM.get()?);
    install.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder);
    command::wait_for(&format!("fetching {what} (npm)"), &mut install)
}

/// Puts a package into `folder/node_modules`.
fn install(package: &str, folder: &Path) -> Result<()> {
    let mut install = Command::new(NPM.get()?);
    install.args(["install", "--no-audit", "--no-fund", "--no-save", package]);
    install.arg("--prefix").arg(folder);
    command::wait_for(&format!("fetching {package} (npm)"), &mut install)
}
