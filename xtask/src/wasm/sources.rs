//! Paths of sources on this machine, which the module must not contain.
//!
//! A panic says where it was, so the compiler writes the path of every source into the module.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{command, paths};

/// Flags of rustc that shorten the paths of sources to what is the same everywhere.
pub(super) fn flags() -> Result<Vec<String>> {
    let mut folders = vec![paths::root(), library()?];
    folders.extend(registries()?);
    Ok(folders.iter().map(|folder| format!("--remap-path-prefix={}/=", folder.display())).collect())
}

/// The folders of this machine that `module` names.
pub(super) fn named_in(module: &[u8]) -> Result<Vec<String>> {
    let root = paths::root();
    let folders = ["cli", "filter", "operator", "policy"].map(|name| root.join(name)).into_iter();
    let folders = folders.chain([paths::target(), cargo_home()?, sysroot()?]);
    let names = folders.map(|folder| format!("{}/", folder.display()));
    Ok(names.filter(|name| contains(module, name.as_bytes())).collect())
}

/// The folders of cargo's unpacked crates, one for each registry.
fn registries() -> Result<Vec<PathBuf>> {
    let sources = cargo_home()?.join("registry/src");
    let Ok(entries) = fs::read_dir(&sources) else { return Ok(Vec::new()) };
    let folders = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>();
    // The same order every time: cargo compiles again when a flag moves.
    folders.map(|mut folders| {
        folders.sort();
        folders
    })
}

fn cargo_home() -> Result<PathBuf> {
    let named = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let default = || env::home_dir().map(|home| home.join(".cargo"));
    named.or_else(default).context("there is no home directory: set CARGO_HOME")
}

/// The toolchain's folder.
fn sysroot() -> Result<PathBuf> {
    let sysroot = command::read(command::rustc().args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(String::from_utf8(sysroot)?.trim()))
}

/// The folder of the standard library's sources, if they are installed.
fn library() -> Result<PathBuf> {
    Ok(sysroot()?.join("lib/rustlib/src/rust"))
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_machine_is_found_in_the_module() {
        let root = paths::root();
        let module = |name: &str| [b"\0asm", name.as_bytes()].concat();
        assert!(named_in(&module("policy/src/decide.rs")).unwrap().is_empty());
        assert!(named_in(&module("serde-1.0.0/src/lib.rs")).unwrap().is_empty());
        for folder in [root.join("policy"), cargo_home().unwrap(), sysroot().unwrap()] {
            let source = folder.join("src/lib.rs");
            assert_eq!(
                named_in(&module(&source.to_string_lossy())).unwrap().len(),
                1,
                "{source:?}"
            );
        }
    }

    #[test]
    fn every_registry_s_crates_are_named_without_it() {
        let flags = flags().unwrap().join("\n");
        for registry in registries().unwrap() {
            assert!(flags.contains(&format!("={}/=", registry.display())), "{flags}");
        }
    }
}
