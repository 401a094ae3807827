//! Zig, a compiler of C and a linker for every target and every glibc, from the Python package that carries the program.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{cached, named_by, pip};

/// A different version may bring a different unwinder.
const ZIG_VERSION: &str = "0.15.2";

/// The program, beside the library that it needs. `ZIG_BIN` names the user's own in its place.
fn zig() -> Result<PathBuf> {
    if let Some(named) = named_by("ZIG_BIN")? {
        return Ok(named);
    }
    let package = cached(&format!("zig-{ZIG_VERSION}/ziglang"), |folder| {
        let requirement = format!("ziglang=={ZIG_VERSION}");
        pip::unpack(&format!("Zig {ZIG_VERSION}"), &requirement, folder.path())?;
        let package = folder.path().join("ziglang");
        pip::make_executable(&package.join("zig"))?;
        Ok(package)
    })?;
    Ok(package.join("zig"))
}

/// Writes a program that compiles C and links, for one of Zig's targets such as `aarch64-linux-musl`, and says where it is.
///
/// # Errors
///
/// Fails if Zig cannot be fetched, or `place` cannot be written.
pub fn zig_compiler(target: &str, place: &Path) -> Result<PathBuf> {
    // Build scripts name the target as clang does, and Zig has names of its own.
    let without_target = "for argument do\n  shift\n  case \"$argument\" in\n  --target=*) ;;\n  *) set -- \"$@\" \"$argument\" ;;\n  esac\ndone";
    write(
        place,
        &format!("{without_target}\nexec '{}' cc -target {target} \"$@\"", zig()?.display()),
    )
}

/// Writes a program that makes archives of what [`zig_compiler`] compiles, and says where it is.
///
/// # Errors
///
/// As [`zig_compiler`].
pub fn zig_archiver(place: &Path) -> Result<PathBuf> {
    write(place, &format!("exec '{}' ar \"$@\"", zig()?.display()))
}

/// Writes a script of the shell that can be run.
fn write(place: &Path, script: &str) -> Result<PathBuf> {
    let script = format!("#!/bin/sh\n{script}\n");
    if !fs::read_to_string(place).is_ok_and(|there| there == script) {
        fs::write(place, script)?;
        pip::make_executable(place)?;
    }
    Ok(place.to_owned())
}
