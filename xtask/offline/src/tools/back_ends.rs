//! Back ends with a CORS layer or a CSRF check of their own: programs of `tests/backends`, each in front of its framework.
//!
//! Each listens on the port of 127.0.0.1 that the environment variable `PORT` names.

use std::process::Command;

use anyhow::Result;

use super::go::Module;
use super::{cached, maven, pip};
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
    let sources = paths::root().join("tests/backends/django");
    let requirements = sources.join("requirements.txt");
    let fingerprint = Fingerprint::default().tree(&requirements)?;
    let packages = cached(&format!("django-{fingerprint}/packages"), |folder| {
        pip::python_packages(&requirements, PYTHON, folder.path())?;
        Ok(folder.path().to_owned())
    })?;
    let mut django = Command::new(pip::python()?);
    django.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    django.arg(sources.join(program));
    Ok(django)
}
