//! What comes from npm.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{Program, cached};
use crate::command;

/// The library that drives the browser. A newer one may need a newer Chromium; any recent does.
pub const PLAYWRIGHT_VERSION: &str = "1.65.1";

/// The `node_modules` folder that holds `playwright-core`.
///
/// # Errors
///
/// When npm is missing and may not be installed, or the package cannot be fetched.
pub fn playwright() -> Result<PathBuf> {
    const NPM: Program = Program { names: &["npm"], variable: "NPM_BIN", package: "npm" };
    let folder = cached(&format!("playwright-{PLAYWRIGHT_VERSION}"), |folder| {
        let package = format!("playwright-core@{PLAYWRIGHT_VERSION}");
        let mut install = Command::new(NPM.get()?);
        install.args(["install", "--no-audit", "--no-fund", "--no-save", &package]);
        install.arg("--prefix").arg(folder.path());
        command::wait_for(&format!("fetching {package} (npm)"), &mut install)?;
        Ok(folder.path().to_owned())
    })?;
    Ok(folder.join("node_modules"))
}
