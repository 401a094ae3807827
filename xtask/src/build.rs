//! The native binaries.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;

/// Builds `corsward-operator` (dev profile) and says where it is.
///
/// # Errors
///
/// When it does not compile.
pub fn operator() -> Result<PathBuf> {
    operator_of("dev")
}

/// Builds `corsward-operator` as it is shipped (release profile) and says where it is.
///
/// # Errors
///
/// When it does not compile.
pub fn release_operator() -> Result<PathBuf> {
    operator_of("release")
}

fn operator_of(profile: &str) -> Result<PathBuf> {
    let mut build = command::cargo();
    build.args(["build", "-p", "corsward-operator", "--bins", "--profile", profile]);
    let files = artifacts(&mut build)?;
    let name = format!("corsward-operator{}", std::env::consts::EXE_SUFFIX);
    files.into_iter().find(|file| file.ends_with(&name)).context("cargo built no corsward-operator")
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
