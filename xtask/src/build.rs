//! The native binaries.

use std::env::consts::ARCH;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{command, tools};

/// The operator's package.
const OPERATOR: &str = "corsward-operator";

/// Builds `corsward-operator` (dev profile) and says where it is.
///
/// # Errors
///
/// Fails if it does not compile.
pub fn operator() -> Result<PathBuf> {
    let mut build = command::cargo();
    build.args(["build", "-p", OPERATOR, "--bins"]);
    let name = format!("{OPERATOR}{}", std::env::consts::EXE_SUFFIX);
    program_of(&mut build, &name)
}

/// Builds `corsward`, the command line (dev profile), and says where it is.
///
/// # Errors
///
/// Fails if it does not compile.
pub fn command_line() -> Result<PathBuf> {
    let mut build = command::cargo();
    build.args(["build", "-p", "corsward-cli", "--bins"]);
    program_of(&mut build, &format!("corsward{}", std::env::consts::EXE_SUFFIX))
}

/// Builds `corsward-operator` as it is shipped, static and stripped, and says where it is.
///
/// # Errors
///
/// Fails if it does not compile.
pub fn shipped_operator() -> Result<PathBuf> {
    let target = format!("{ARCH}-unknown-linux-musl");
    let compiler = tools::musl(&target)?;
    let mut build = command::cargo();
    build.args(["build", "--release", "--locked", "-p", OPERATOR, "--bins", "--target", &target]);
    build.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    // `ring` and the allocator have parts in C.
    build.env(format!("CC_{}", target.replace('-', "_")), compiler);
    program_of(&mut build, OPERATOR)
}

fn program_of(build: &mut Command, name: &str) -> Result<PathBuf> {
    let files = artifacts(build)?;
    let found = files.into_iter().find(|file| file.ends_with(name));
    found.with_context(|| format!("cargo built no {name}"))
}

/// Runs a `cargo build` and lists the files that it says came out of it.
pub(crate) fn artifacts(build: &mut Command) -> Result<Vec<PathBuf>> {
    build.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let messages = command::read(build)?;
    Ok(String::from_utf8_lossy(&messages).lines().flat_map(files_of).collect())
}

/// The files one of cargo's messages names, if it is about an artifact.
fn files_of(message: &str) -> Vec<PathBuf> {
    let message: Value = serde_json::from_str(message).unwrap_or_default();
    if message["reason"] != "compiler-artifact" {
        return Vec::new();
    }
    let files = message["filenames"].as_array().into_iter().flatten();
    files.filter_map(Value::as_str).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_artifacts_name_files() {
        for (why, message, want) in [
            (
                "an artifact",
                r#"{"reason":"compiler-artifact","filenames":["/t/a","/t/b"]}"#,
                vec!["/t/a", "/t/b"],
            ),
            ("a diagnostic", r#"{"reason":"compiler-message","filenames":["/t/a"]}"#, vec![]),
            ("not JSON: a build script's own print", "hello", vec![]),
        ] {
            let want: Vec<_> = want.into_iter().map(PathBuf::from).collect();
            assert_eq!(files_of(message), want, "{why}");
        }
    }
}
