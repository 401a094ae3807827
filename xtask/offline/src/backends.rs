//! The back ends of the scenarios: what is fetched and built on this machine, so that their image needs nothing but files.
//!
//! ```text
//! tests/e2e/backends/Dockerfile, apps/ ------------------------------> target/e2e/backends, the image's context
//!                    apps/django/requirements.txt -- pip install ----> … apps/python
//!                    apps/node/package-lock.json --- npm ci ---------> … apps/node_modules
//!                    socks-proxy/ ------------------ go build -------> … apps/socks-proxy
//!                    front/ ------------------------ npm ci, vite ---> … apps/front
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::folder::{copy, files_of};
use crate::{cluster, command, docker, paths, tools};

/// The Python of the image: Debian bookworm's.
const PYTHON: &str = "3.11";

/// Entries that are made here, not copied.
const MADE: [&str; 3] = ["python", "node_modules", "front"];

/// The image of all back ends, built: its name.
///
/// # Errors
///
/// Fails if a package cannot be fetched, or docker cannot build it.
pub fn image() -> Result<String> {
    const NAME: &str = "corsward-e2e/backends:dev";
    let context = context()?;
    let mut build = docker::cli(&["build", "--tag", NAME, "--build-arg"]);
    build.arg(format!("BASE={}", cluster::base_image()?)).arg(context);
    let log = paths::target().join("cluster/backends.log");
    command::log(&format!("building {NAME}"), &mut build, &log)?;
    Ok(NAME.to_owned())
}

/// The folder from which `docker build` makes the image; unchanged parts are not made again.
///
/// # Errors
///
/// Fails if a package cannot be fetched, or the front end cannot be built.
fn context() -> Result<PathBuf> {
    let sources = paths::root().join("tests/e2e/backends");
    let context = paths::target().join("e2e/backends");
    let apps = context.join("apps");
    fs::create_dir_all(&apps).with_context(|| format!("cannot make {}", apps.display()))?;

    for entry in fs::read_dir(&apps)? {
        let path = entry?.path();
        // What is made, and the stamp beside it.
        if MADE.iter().any(|made| path.file_stem().is_some_and(|stem| stem == *made)) {
            continue;
        }
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
    }
    copy(&sources.join("apps"), &apps)?;
    for file in ["Dockerfile", ".dockerignore"] {
        fs::copy(sources.join(file), context.join(file))?;
    }

    let requirements = sources.join("apps/django/requirements.txt");
    made_of(std::slice::from_ref(&requirements), &apps.join("python"), |folder| {
        tools::python_packages(&requirements, PYTHON, folder)
    })?;
    let sockets =
        ["package.json", "package-lock.json"].map(|name| sources.join("apps/node").join(name));
    made_of(&sockets, &apps.join("node_modules"), |folder| {
        for file in &sockets {
            fs::copy(file, folder.join(file.file_name().context("a file has a name")?))?;
        }
        tools::node_packages("the WebSocket server's packages", folder)?;
        // Only what is inside stays.
        let packages = folder.with_extension("packages");
        if packages.exists() {
            // Of a run that ended in between.
            fs::remove_dir_all(&packages)?;
        }
        fs::rename(folder.join("node_modules"), &packages)?;
        fs::remove_dir_all(folder)?;
        Ok(fs::rename(packages, folder)?)
    })?;
    fs::copy(tools::socks_proxy()?, apps.join("socks-proxy"))
        .context("cannot copy the SOCKS proxy")?;
    let front = sources.join("front");
    made_of(&files_of(&front)?, &apps.join("front"), |folder| build_front(&front, folder))?;
    Ok(context)
}

/// Builds the front end into `folder`.
fn build_front(sources: &Path, folder: &Path) -> Result<()> {
    let workshop = tempfile::tempdir().context("a folder to build the front end in")?;
    copy(sources, workshop.path())?;
    tools::node_packages("the front end's packages", workshop.path())?;
    let mut vite = Command::new(tools::node()?);
    vite.args(["node_modules/vite/bin/vite.js", "build", "--emptyOutDir", "--outDir"]);
    vite.arg(folder).current_dir(workshop.path());
    command::wait_for("building the front end (vite)", &mut vite)
}

/// Makes the folder `place` anew, unless it was made of the same files the last time.
fn made_of(inputs: &[PathBuf], place: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let stamp = place.with_extension("made-of");
    let mut read = Vec::new();
    for input in inputs {
        read.extend_from_slice(format!("== {}\n", input.display()).as_bytes());
        let bytes = fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
        read.extend_from_slice(&bytes);
    }
    if place.exists() && fs::read(&stamp).is_ok_and(|made_of| made_of == read) {
        return Ok(());
    }
    // Half of it must not be taken for the whole of it.
    let _ = fs::remove_file(&stamp);
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::create_dir_all(place)?;
    make(place)?;
    fs::write(&stamp, read).with_context(|| format!("cannot write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_of_the_same_files_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input");
        let place = folder.path().join("place");
        let make = |text: &str, made: &mut Vec<String>| {
            fs::write(&input, text).unwrap();
            made_of(std::slice::from_ref(&input), &place, |place| {
                made.push(text.to_owned());
                Ok(fs::write(place.join(text), text)?)
            })
        };
        let mut made = Vec::new();
        for text in ["one", "one", "two", "two", "one"] {
            make(text, &mut made).unwrap();
            assert!(place.join(text).exists(), "{text}");
        }
        assert_eq!(made, ["one", "two", "one"]);
        assert!(!place.join("two").exists(), "nothing of the last time is left");
    }

    #[test]
    fn what_failed_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input");
        fs::write(&input, "one").unwrap();
        let place = folder.path().join("place");
        let inputs = std::slice::from_ref(&input);
        assert!(made_of(inputs, &place, |_| anyhow::bail!("the network went away")).is_err());
        let mut again = false;
        made_of(inputs, &place, |_| {
            again = true;
            Ok(())
        })
        .unwrap();
        assert!(again);
    }
}
