//! Back ends with a CORS layer or a CSRF check of their own: programs of `tests/backends`, each in front of its framework.
//!
//! Each listens on the port of 127.0.0.1 that the environment variable `PORT` names.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::go::Module;
use super::{cached, maven, node, node_packages, pip};
use crate::fingerprint::Fingerprint;
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
    let jar = maven::packaged("shop", &paths::root().join("tests/backends/spring"))?;
    let mut spring = Command::new(maven::java()?);
    // A quick start in little memory.
    spring.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-jar"]).arg(jar);
    Ok(spring)
}

/// A program of `tests/backends/django`: `shop.py` has Django's CSRF check and django-cors-headers, `cors.py` the latter with the
/// settings of a file.
///
/// # Errors
///
/// Fails if there is no Python with pip, or a package cannot be fetched.
pub fn django(program: &str) -> Result<Command> {
    python("django", program)
}

/// An application behind Starlette's `CORSMiddleware` with the arguments of a file.
///
/// # Errors
///
/// Fails if there is no Python with pip, or a package cannot be fetched.
pub fn starlette() -> Result<Command> {
    python("starlette", "cors.py")
}

/// A server with the middleware `cors` of Express and the options of a file.
///
/// # Errors
///
/// Fails if there is no Node.js with npm, or a package cannot be fetched.
pub fn express() -> Result<Command> {
    let sources = paths::root().join("tests/backends/express");
    let lists = ["package.json", "package-lock.json"].map(|list| sources.join(list));
    let fingerprint = lists.iter().try_fold(Fingerprint::default(), |all, list| all.tree(list))?;
    let packages = cached(&format!("express-{fingerprint}/packages"), |folder| {
        for list in &lists {
            let name = list.file_name().unwrap_or_default();
            fs::copy(list, folder.path().join(name))?;
        }
        node_packages("the back end's packages", folder.path())?;
        Ok(folder.path().to_owned())
    })?;
    let mut express = Command::new(node()?);
    express.env("PACKAGES", packages).arg(sources.join("cors.mjs"));
    Ok(express)
}

/// A program of a folder of `tests/backends`, with the packages that the folder requires.
fn python(folder: &str, program: &str) -> Result<Command> {
    let sources = paths::root().join("tests/backends").join(folder);
    let requirements = sources.join("requirements.txt");
    let fingerprint = Fingerprint::default().tree(&requirements)?;
    let packages = cached(&format!("{folder}-{fingerprint}/packages"), |packages| {
        pip::python_packages(&requirements, PYTHON, packages.path())?;
        Ok(packages.path().to_owned())
    })?;
    let mut python = Command::new(pip::python()?);
    python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    python.arg(sources.join(program));
    Ok(python)
}
