//! Back ends with a CORS layer or a CSRF check of their own: programs of `tests/backends`, each in front of its framework.
//!
//! Each listens on the port of 127.0.0.1 that the environment variable `PORT` names.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::go::Module;
use super::{cached, maven, node, node_packages, pip};
use crate::fingerprint::Fingerprint;
use crate::folder::copy;
use crate::paths;

/// The Python that the packages are for, and later ones.
const PYTHON: &str = "3.11";

/// The shop behind gin and gin-contrib/cors.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn gin() -> Result<Command> {
    let sources = "tests/backends/gin";
    let folder = Module::of_ours("the shop behind gin", sources, "half a minute")?
        .build([("gin", "corsward.io/tests/backends/gin")].iter())?;
    Ok(Command::new(folder.join("gin")))
}

/// The shop behind Spring Boot and Spring MVC's CORS.
///
/// # Errors
///
/// Fails if Java or Maven is missing and may not be installed, or it cannot be packaged.
pub fn spring() -> Result<Command> {
    java("shop", "tests/backends/spring")
}

/// A Spring Cloud Gateway with the CORS settings of the file that `SETTINGS` names, in front of the address that `UPSTREAM` names.
///
/// # Errors
///
/// Fails if Java or Maven is missing and may not be installed, or it cannot be packaged.
pub fn spring_gateway() -> Result<Command> {
    java("gateway", "tests/backends/spring-gateway")
}

/// A program of `tests/backends/django`: `shop.py` has Django's CSRF check and django-cors-headers, `cors.py` the latter with the
/// settings of a file.
///
/// # Errors
///
/// Fails if there is no Python with pip, or a package cannot be fetched.
pub fn django(program: &str) -> Result<Command> {
    python("tests/backends/django", program)
}

/// An application behind Starlette's `CORSMiddleware` with the arguments of a file.
///
/// # Errors
///
/// Fails if there is no Python with pip, or a package cannot be fetched.
pub fn starlette() -> Result<Command> {
    python("tests/backends/starlette", "cors.py")
}

/// A server with the middleware `cors` of Express and the options of a file.
///
/// # Errors
///
/// Fails if there is no Node.js with npm, or a package cannot be fetched.
pub fn express() -> Result<Command> {
    let sources = "tests/backends/express";
    let mut express = Command::new(node()?);
    express.env("PACKAGES", node_packages_of(sources)?);
    express.arg(paths::root().join(sources).join("cors.mjs"));
    Ok(express)
}

/// The folder with the `node_modules` that a folder of this repository locks.
fn node_packages_of(sources: &str) -> Result<PathBuf> {
    let lists = ["package.json", "package-lock.json"];
    let lists = lists.map(|list| paths::root().join(sources).join(list));
    let fingerprint = lists.iter().try_fold(Fingerprint::default(), |all, list| all.tree(list))?;
    cached(&format!("{}-{fingerprint}/packages", last(sources)), |folder| {
        for list in &lists {
            let name = list.file_name().unwrap_or_default();
            fs::copy(list, folder.path().join(name))?;
        }
        node_packages("the back end's packages", folder.path())?;
        Ok(folder.path().to_owned())
    })
}

/// A program of a folder of this repository that imports the packages which the folder locks: run from a copy beside them.
pub(super) fn node_in_its_folder(sources: &str, program: &str) -> Result<Command> {
    let packages = node_packages_of(sources)?;
    let from = paths::root().join(sources);
    let fingerprint = Fingerprint::default().tree(&from)?;
    let place = cached(&format!("{}-{fingerprint}/programs", last(sources)), |folder| {
        copy(&from, folder.path())?;
        std::os::unix::fs::symlink(
            packages.join("node_modules"),
            folder.path().join("node_modules"),
        )?;
        Ok(folder.path().to_owned())
    })?;
    let mut node = Command::new(node()?);
    node.arg(place.join(program));
    Ok(node)
}

/// The last element of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The program of a Maven project whose final name is `name`.
pub(super) fn java(name: &str, sources: &str) -> Result<Command> {
    let jar = maven::packaged(name, &paths::root().join(sources))?;
    let mut java = Command::new(maven::java()?);
    // A quick start in little memory.
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-jar"]).arg(jar);
    Ok(java)
}

/// A program of a folder of this repository, with the packages that the folder requires.
pub(super) fn python(sources: &str, program: &str) -> Result<Command> {
    let folder = paths::root().join(sources);
    let requirements = folder.join("requirements.txt");
    let fingerprint = Fingerprint::default().tree(&requirements)?;
    let packages = cached(&format!("{}-{fingerprint}/packages", last(sources)), |packages| {
        pip::python_packages(&requirements, PYTHON, packages.path())?;
        Ok(packages.path().to_owned())
    })?;
    let mut python = Command::new(pip::python()?);
    python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    python.arg(folder.join(program));
    Ok(python)
}
