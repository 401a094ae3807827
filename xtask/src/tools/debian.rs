//! Installing with apt-get, where the user is root on Debian or its like.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

/// Installs `package`, which holds `program`; `variable` may name another.
///
/// # Errors
///
/// When that is not possible here: the error says how to get the program.
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
    eprintln!("{program} is missing: installing the Debian package {package}");
    let mut update = Command::new("apt-get");
    command::wait_for("reading the list of packages", update.args(["update", "-q"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-q", "-y", "--no-install-recommends", package]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    command::wait_for(&format!("installing {package}"), &mut install)
}

/// Whether we are root.
#[must_use]
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}
