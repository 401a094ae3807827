//! The tools that subcommands need: found where the user has them, else fetched or installed.

pub mod atlas;
mod back_ends;
mod debian;
mod envoy;
mod go;
mod istio;
mod kind;
mod kubernetes;
mod maven;
mod npm;
mod pip;
mod rust;
mod socks_proxy;
mod zig;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

pub use back_ends::{django, express, gin, spring, spring_gateway, starlette};
pub use debian::{Missing, is_root};
pub use envoy::{ENVOY_VERSION, envoy};
pub use go::go;
pub use istio::{
    ISTIO_COMMIT, ISTIO_VERSION, istio_chart, istio_crds, istio_programs, istio_source,
};
pub use kind::{KIND_VERSION, coredns, kind, node_wrappers};
pub use kubernetes::{
    GATEWAY_API_VERSION, HELM_VERSION, KUBERNETES_VERSION, Kubernetes, PROMETHEUS_OPERATOR_VERSION,
    gateway_crds, helm, kubectl, kubernetes, node_programs, prometheus_crds,
};
pub use npm::{BINARYEN_VERSION, PLAYWRIGHT_VERSION, node_packages, playwright, wasm_opt};
pub use pip::python_packages;
pub use rust::{WASM_TARGET, cargo_fuzz, rust_target, wasm_target};
pub use socks_proxy::socks_proxy;
pub use zig::{zig_archiver, zig_compiler};

use crate::{command, paths};

/// A program of the user's machine.
struct Program {
    /// Names it goes by on a `PATH`, the best first.
    names: &'static [&'static str],
    /// The environment variable that may name it instead.
    variable: &'static str,
    /// The Debian package that holds it.
    package: &'static str,
}

/// A Chromium (or Chrome) to drive.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub fn chromium() -> Result<PathBuf> {
    const CHROMIUM: Program = Program {
        names: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
        variable: "CHROMIUM_BIN",
        package: "chromium",
    };
    CHROMIUM.get()
}

/// The load generator.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub fn wrk() -> Result<PathBuf> {
    Program { names: &["wrk"], variable: "WRK_BIN", package: "wrk" }.get()
}

/// A caching proxy: nginx.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub fn nginx() -> Result<PathBuf> {
    Program { names: &["nginx"], variable: "NGINX_BIN", package: "nginx-light" }.get()
}

/// A second caching proxy: Varnish. It compiles its configuration, so its package brings a C compiler.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub fn varnishd() -> Result<PathBuf> {
    Program { names: &["varnishd"], variable: "VARNISHD_BIN", package: "varnish" }.get()
}

/// krew, the manager of kubectl's plugins.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn krew() -> Result<PathBuf> {
    go::installed("krew", "0.4.3", "sigs.k8s.io/krew/cmd/krew", "half a minute")
}

/// The Node.js that drives the browser and runs the module's optimizer.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub fn node() -> Result<PathBuf> {
    Program { names: &["node", "nodejs"], variable: "NODE_BIN", package: "nodejs" }.get()
}

// === impl Program ===

impl Program {
    /// Finds it, or installs it where that is allowed.
    fn get(&self) -> Result<PathBuf> {
        if let Some(named) = named_by(self.variable)? {
            return Ok(named);
        }
        if let Some(found) = self.find() {
            return Ok(found);
        }
        debian::install(self.names[0], self.package, self.variable)?;
        self.find().with_context(|| {
            format!("the package {} brought no {} to the PATH", self.package, self.names[0])
        })
    }

    fn find(&self) -> Option<PathBuf> {
        self.names.iter().find_map(|name| command::find(name))
    }
}

/// The program that makes the root of a Debian system.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub fn debootstrap() -> Result<PathBuf> {
    Program { names: &["debootstrap"], variable: "DEBOOTSTRAP_BIN", package: "debootstrap" }.get()
}

/// The docker engine, and the command that talks to it.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub fn dockerd() -> Result<PathBuf> {
    let engine = Program { names: &["dockerd"], variable: "DOCKERD_BIN", package: "docker.io" };
    let engine = engine.get()?;
    // Newer Debians have it in a package of its own.
    Program { names: &["docker"], variable: "DOCKER_BIN", package: "docker-cli" }.get()?;
    Ok(engine)
}

/// The file that an environment variable names, if it is set.
fn named_by(variable: &str) -> Result<Option<PathBuf>> {
    let Some(named) = env::var_os(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let file = PathBuf::from(named);
    if !file.is_file() {
        bail!("{variable} names {}, which is no file: correct it or unset it", file.display());
    }
    Ok(Some(file))
}

/// The first `MAJOR.MINOR` in what a program says of itself.
fn version(program: &Path, args: &[&str]) -> Option<(u32, u32)> {
    let said = Command::new(program).args(args).output().ok()?;
    first_version(&String::from_utf8_lossy(&said.stdout))
}

fn first_version(text: &str) -> Option<(u32, u32)> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
        let mut numbers = word.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

/// Something in the cache, fetched once.
fn cached(name: &str, fetch: impl FnOnce(&TempDir) -> Result<PathBuf>) -> Result<PathBuf> {
    fetched_once(&paths::cache().join(name), fetch)
}

/// The content of `place`, fetched once even if several processes ask at the same time: `fetch` gets an empty folder
/// beside it and returns the path of that folder that moves to `place`.
fn fetched_once(place: &Path, fetch: impl FnOnce(&TempDir) -> Result<PathBuf>) -> Result<PathBuf> {
    if place.exists() {
        return Ok(place.to_owned());
    }
    let parent = place.parent().context("a place in the cache has a parent")?;
    let _lock = lock(parent)?;
    if !place.exists() {
        let folder = tempfile::Builder::new().prefix(".fetch-").tempdir_in(parent)?;
        fs::rename(fetch(&folder)?, place)?;
    }
    Ok(place.to_owned())
}

/// Files of these names in the folder `place`, fetched once like one: `fetch` gets the names of those that are missing
/// and an empty folder to put them into.
fn fetched_together(
    place: &Path,
    names: &[&str],
    fetch: impl FnOnce(&[&str], &Path) -> Result<()>,
) -> Result<()> {
    let missing = || names.iter().copied().filter(|name| !place.join(name).exists());
    if missing().next().is_none() {
        return Ok(());
    }
    let _lock = lock(place)?;
    let missing: Vec<&str> = missing().collect();
    if !missing.is_empty() {
        let folder = tempfile::Builder::new().prefix(".fetch-").tempdir_in(place)?;
        fetch(&missing, folder.path())?;
        for name in missing {
            fs::rename(folder.path().join(name), place.join(name))?;
        }
    }
    Ok(())
}

/// Makes the folder and holds it alone, until what is returned is dropped.
///
/// # Errors
///
/// Fails if it cannot be made.
pub fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let lock = File::create(folder.join(".lock"))?;
    if lock.try_lock().is_err() {
        eprintln!("waiting for the process that is at work in {} …", folder.display());
        lock.lock()?;
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fetches a file, or fails after having begun to.
    fn fetch(place: &Path, content: Option<&str>) -> Result<PathBuf> {
        fetched_once(place, |folder| {
            let file = folder.path().join("half");
            fs::write(&file, content.unwrap_or("half"))?;
            content.context("the network went away")?;
            Ok(file)
        })
    }

    #[test]
    fn a_version_is_found_in_what_programs_say() {
        for (said, want) in [
            ("go version go1.26.8 linux/amd64", Some((1, 26))),
            ("Client Version: v1.34.2\nKustomize Version: v5.7.1", Some((1, 34))),
            (r#"version.BuildInfo{Version:"v4.3", GitCommit:""}"#, Some((4, 3))),
            ("go version devel go.x", None),
            ("", None),
        ] {
            assert_eq!(first_version(said), want, "{said}");
        }
    }

    #[test]
    fn a_fetch_that_fails_leaves_nothing_and_one_that_succeeds_is_the_last() {
        let cache = tempfile::tempdir().unwrap();
        let place = cache.path().join("tool-1/tool");
        assert!(fetch(&place, None).is_err());
        assert!(!place.exists());
        for asked in ["first", "second"] {
            fetch(&place, Some(asked)).unwrap();
            assert_eq!(fs::read_to_string(&place).unwrap(), "first", "asked {asked}");
        }
        let left = fs::read_dir(place.parent().unwrap()).unwrap().count();
        assert_eq!(left, 2, "the tool and its lock");
    }

    #[test]
    fn only_what_is_missing_is_fetched_and_a_failure_leaves_nothing_half() {
        let cache = tempfile::tempdir().unwrap();
        let place = cache.path().join("programs");
        let fetch = |names: &[&str], works: bool| {
            let mut asked = Vec::new();
            let done = fetched_together(&place, names, |missing, folder| {
                asked.extend(missing.iter().map(ToString::to_string));
                fs::write(folder.join(missing[0]), "")?;
                anyhow::ensure!(works, "the network went away");
                missing.iter().try_for_each(|name| Ok(fs::write(folder.join(name), "")?))
            });
            (asked, done.is_ok())
        };
        let said = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(fetch(&["a"], false), (said(&["a"]), false));
        assert_eq!(fetch(&["a", "b"], true), (said(&["a", "b"]), true));
        assert_eq!(fetch(&["a", "c"], true), (said(&["c"]), true));
        assert_eq!(fetch(&["a", "b", "c"], true), (said(&[]), true));
    }
}
