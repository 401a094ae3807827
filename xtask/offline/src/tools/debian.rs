//! Installing with apt-get, where the user is root on Debian or its like.

use std::fmt;
use std::process::Command;

use anyhow::Result;

use crate::{command, paths};

/// A program that is not here and that this process may not install: the text says how to get it.
#[derive(Debug)]
pub struct Missing(String);

/// Installs `package`, which holds `program`; `variable` may name a different one.
///
/// # Errors
///
/// Fails if that is not possible here: the error says how to get the program.
pub(super) fn install(program: &str, package: &str, variable: &str) -> Result<()> {
    let has_apt = command::find("apt-get").is_some();
    if !has_apt || !is_root() {
        let hint = match has_apt {
            true => format!("install it with `sudo apt-get install {package}`"),
            false => "install it as this system does".to_owned(),
        };
        let missing = format!("{program} is missing: {hint}, or name it in {variable}");
        return Err(Missing(missing).into());
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
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

// === impl Missing ===

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
