//! Atlas: the applications of `tests/atlas`, each in front of a CORS layer.
//!
//! Each listens on the port of 127.0.0.1 that the environment variable `PORT` names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::go::Module;
use super::{Program, back_ends, cached};
use crate::fingerprint::Fingerprint;
use crate::{command, paths};

/// A program of `tests/atlas/python`.
///
/// # Errors
///
/// Fails if there is no Python with pip, or a package cannot be fetched.
pub fn python(program: &str) -> Result<Command> {
    back_ends::python("tests/atlas/python", &format!("{program}.py"))
}

/// A program of `tests/atlas/node`.
///
/// # Errors
///
/// Fails if there is no Node.js with npm, or a package cannot be fetched.
pub fn node(program: &str) -> Result<Command> {
    back_ends::node_in_its_folder("tests/atlas/node", &format!("{program}.mjs"))
}

/// A middleware of `tests/atlas/go`.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn go(program: &str) -> Result<Command> {
    let module = Module::of_ours("the middlewares in Go", "tests/atlas/go", "a minute")?;
    let folder = module.build([("atlas", "corsward.io/tests/atlas/go")].iter())?;
    let mut go = Command::new(folder.join("atlas"));
    go.arg(program);
    Ok(go)
}

/// A crate of `tests/atlas/rust`.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn rust(program: &str) -> Result<Command> {
    let sources = paths::root().join("tests/atlas/rust");
    let fingerprint = Fingerprint::default().tree(&sources)?;
    let binary = cached(&format!("rust-{fingerprint}/atlas"), |folder| {
        // Kept: a change of one application compiles no crate again.
        let target = paths::cache().join("rust-target");
        let mut build = command::cargo();
        build.args(["build", "--quiet", "--locked", "--manifest-path"]);
        build.arg(sources.join("Cargo.toml")).arg("--target-dir").arg(&target);
        command::wait_for("building the crates (cargo build; some minutes at first)", &mut build)?;
        let binary = folder.path().join("atlas");
        fs::copy(target.join("debug/corsward-atlas"), &binary)?;
        Ok(binary)
    })?;
    let mut rust = Command::new(binary);
    // A refusal of settings is one sentence.
    rust.arg(program).env("RUST_BACKTRACE", "0");
    Ok(rust)
}

/// A project of `tests/atlas/java`, with this argument.
///
/// # Errors
///
/// Fails if Java or Maven is missing and may not be installed, or it cannot be packaged.
pub fn java(project: &str, argument: Option<&str>) -> Result<Command> {
    let mut java = back_ends::java("application", &format!("tests/atlas/java/{project}"))?;
    java.args(argument);
    Ok(java)
}

/// Apache httpd.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub fn apache() -> Result<PathBuf> {
    Program { names: &["apache2", "httpd"], variable: "APACHE_BIN", package: "apache2-bin" }.get()
}

/// The folder with the modules of Apache httpd.
///
/// # Errors
///
/// Fails if no folder has them.
pub fn apache_modules() -> Result<&'static Path> {
    const FOLDERS: [&str; 3] =
        ["/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules"];
    let mut folders = FOLDERS.iter().map(Path::new);
    let folder = folders.find(|folder| folder.join("mod_headers.so").is_file());
    folder.with_context(|| format!("no mod_headers.so in {}", FOLDERS.join(", ")))
}

/// HAProxy.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub fn haproxy() -> Result<PathBuf> {
    Program { names: &["haproxy"], variable: "HAPROXY_BIN", package: "haproxy" }.get()
}
