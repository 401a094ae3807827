//! Zig, whose linker knows every glibc, from the Python package that carries the program.

use std::path::PathBuf;

use anyhow::Result;

use super::{cached, named_by, pip};

/// A different version may bring a different unwinder.
const ZIG_VERSION: &str = "0.15.2";

/// The program, beside the library that it needs. `ZIG_BIN` names the user's own in its place.
///
/// # Errors
///
/// Fails if it cannot be fetched.
pub fn zig() -> Result<PathBuf> {
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
