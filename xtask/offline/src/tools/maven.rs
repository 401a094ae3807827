//! Java, and the programs that Maven packages.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Program, cached, debian};
use crate::command;
use crate::fingerprint::Fingerprint;
use crate::folder::copy;

/// The environment variable that names a Java.
const JAVA_HOME: &str = "JAVA_HOME";

const MAVEN: Program = Program { names: &["mvn"], variable: "MVN_BIN", package: "maven" };

/// The Java that runs programs: of `JAVA_HOME`, else of the `PATH`.
///
/// # Errors
///
/// Fails if there is none and it may not be installed.
pub(super) fn java() -> Result<PathBuf> {
    program("java")
}

/// The program of a Maven project of this repository, whose final name is `name`: packaged once.
///
/// # Errors
///
/// Fails if Java or Maven is missing and may not be installed, or the project cannot be packaged.
pub(super) fn packaged(name: &str, sources: &Path) -> Result<PathBuf> {
    let fingerprint = Fingerprint::default().tree(sources)?;
    let file = format!("{name}.jar");
    cached(&format!("maven-{fingerprint}/{file}"), |folder| {
        // Maven compiles with the same Java's compiler.
        program("javac")?;
        copy(sources, folder.path())?;
        let mut package = Command::new(MAVEN.get()?);
        package.args(["--batch-mode", "--quiet", "-DskipTests", "package"]);
        package.current_dir(folder.path());
        let what = format!("packaging {name} (mvn package; half a minute)");
        command::wait_for(&what, &mut package)?;
        Ok(folder.path().join("target").join(&file))
    })
}

/// A program of the Java development kit.
fn program(name: &str) -> Result<PathBuf> {
    if let Some(home) = env::var_os(JAVA_HOME).filter(|home| !home.is_empty()) {
        let program = Path::new(&home).join("bin").join(name);
        if !program.is_file() {
            bail!("{JAVA_HOME} has no {}: correct it or unset it", program.display());
        }
        return Ok(program);
    }
    if let Some(found) = command::find(name) {
        return Ok(found);
    }
    debian::install(name, "default-jdk-headless", JAVA_HOME)?;
    command::find(name).with_context(|| format!("the package brought no {name} to the PATH"))
}
