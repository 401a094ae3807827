//! Installing with apt-get, where the user is root on Debian or its like.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{command, paths};

/// Installs `package`, which holds `program`; `variable` may name a different one.
///
/// # Errors
///
/// Fails if that is not possible here: the error says how to get the program.
pub(super) fn install(program: &str, package: &str, variable: &str) -> Result<()> {
    if command::find("apt-get").is_none() {
        bail!("{program} is missing: install it as this system does, or name it in {variable}");
    }
    if !is_root() {
        bail!(
            "{program} is missing: install it with `sudo apt-get install {package}`, \
             or name it in {variable}"
        );
    }
    // One process at a time: apt-get waits for dpkg, and fails where another one reads the list of packages.
    let _lock = super::lock(&paths::cache().join("debian"))?;
    if command::find(program).is_some() {
        return Ok(());
    }
    eprintln!("{program} is missing: installing the Debian package {package}");
    command::wait_for("reading the list of packages", apt_get().args(["update", "-q"]))?;
    let mut install = apt_get();
    install.args(["install", "-q", "-y", "--no-install-recommends", package]);
    command::wait_for(&format!("installing {package}"), &mut install)
}

/// `apt-get` that waits for others: a new machine may just be updating itself.
fn apt_get() -> Command {
    let mut apt_get = Command::new("apt-get");
    apt_get.args(["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]);
    apt_get.env("DEBIAN_FRONTEND", "noninteractive");
    apt_get
}

/// Whether we are root.
#[must_use]
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}
