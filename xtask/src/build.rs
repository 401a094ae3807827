//! The native binaries.

mod elf;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use self::elf::assert_static;
use crate::arch::Arch;
use crate::{command, paths, tools};

/// A package with a binary.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    package: &'static str,
    /// The binary's name.
    pub name: &'static str,
}

/// `corsward-operator`.
pub const OPERATOR: Program = Program { package: "corsward-operator", name: "corsward-operator" };
/// `corsward`.
pub const COMMAND: Program = Program { package: "corsward-cli", name: "corsward" };

/// Builds `corsward-operator` (dev profile) and says where it is.
///
/// # Errors
///
/// Fails if it does not compile.
pub fn operator() -> Result<PathBuf> {
    native(OPERATOR)
}

/// Builds `corsward`, the command line (dev profile), and says where it is.
///
/// # Errors
///
/// Fails if it does not compile.
pub fn command_line() -> Result<PathBuf> {
    native(COMMAND)
}

fn native(program: Program) -> Result<PathBuf> {
    let mut build = command::cargo();
    build.args(["build", "-p", program.package, "--bins"]);
    built(&mut build, program, std::env::consts::EXE_SUFFIX)
}

/// Builds a program as it is shipped, static and stripped, and says where it is.
///
/// # Errors
///
/// Fails if it does not compile.
pub fn shipped(program: Program) -> Result<PathBuf> {
    shipped_for(program, Arch::here()?)
}

/// Builds a program as it is shipped on that architecture, and says where it is.
///
/// # Errors
///
/// Fails if it does not compile, or needs another file to run.
pub fn shipped_for(program: Program, arch: Arch) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-musl", arch.of_target());
    let mut build = command::cargo();
    build.args(["build", "--release", "--locked", "-p", program.package, "--bins"]);
    build.args(["--target", &target]).env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    tools::rust_target(&target)?;
    let folder = paths::target().join("zig");
    fs::create_dir_all(&folder)?;
    // `ring` and the allocator have parts in C.
    let of_target = target.replace('-', "_");
    let compiler = tools::zig_compiler(
        &format!("{}-linux-musl", arch.of_target()),
        &folder.join(format!("cc-{}", arch.name())),
    )?;
    build.env(format!("CC_{of_target}"), &compiler);
    build.env(format!("AR_{of_target}"), tools::zig_archiver(&folder.join("ar"))?);
    let of_cargo = format!("CARGO_TARGET_{}", of_target.to_ascii_uppercase());
    build.env(format!("{of_cargo}_LINKER"), compiler);
    // The musl of Zig: that of Rust copies and compares memory slowly. Zig takes `-pie`, and leaves rustc's `-static-pie` out.
    let flags = "-Clink-self-contained=no -Clink-arg=-pie";
    build.env(format!("{of_cargo}_RUSTFLAGS"), flags);
    let file = built(&mut build, program, "")?;
    assert_static(&fs::read(&file)?, arch).with_context(|| file.display().to_string())?;
    Ok(file)
}

fn built(build: &mut Command, program: Program, suffix: &str) -> Result<PathBuf> {
    artifact(build, &format!("{}{suffix}", program.name))
}

/// Runs a `cargo build`, and says where the file of that name is that came out of it.
pub(crate) fn artifact(build: &mut Command, name: &str) -> Result<PathBuf> {
    let mut files = artifacts(build)?.into_iter();
    files.find(|file| file.ends_with(name)).with_context(|| format!("cargo built no {name}"))
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
