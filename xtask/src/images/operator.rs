//! The operator's image: a static binary and the filter's module, on nothing.

use std::env::consts::ARCH;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::VERSION;
use crate::{build, command, paths, tools};

/// The image's name; its tag is the version. The chart asks for the same.
const NAME: &str = "corsward-operator";

/// Builds what the image holds into `folder`, and the image itself where docker answers.
pub(super) fn build(module: &Path, folder: &Path) -> Result<()> {
    let target = format!("{ARCH}-unknown-linux-musl");
    let compiler = tools::musl(&target)?;
    let mut cargo = command::cargo();
    cargo.args(["build", "--release", "--locked", "-p", "corsward-operator", "--target", &target]);
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    // `ring` has parts in C.
    cargo.env(format!("CC_{}", target.replace('-', "_")), compiler);
    let files = build::artifacts(&mut cargo)?;
    let binary = files.into_iter().find(|file| file.ends_with(NAME));
    let binary = binary.context("cargo built no corsward-operator")?;
    fs::create_dir_all(folder)?;
    fs::copy(&binary, folder.join(NAME))?;
    fs::copy(module, folder.join("corsward_filter.wasm"))?;
    println!("operator: {}", folder.display());
    if !docker_answers() {
        println!("left out: the operator's image, because no docker answers here");
        return Ok(());
    }
    let tag = format!("{NAME}:{VERSION}");
    let mut docker = Command::new("docker");
    docker.args(["build", "--target", "prebuilt", "--tag", &tag, "--file"]);
    docker.arg(paths::root().join("operator/Dockerfile"));
    // The folder is all that is sent: it need not be below the repository.
    docker.args(["--build-arg", "PREBUILT=.", "--build-arg", &format!("VERSION={VERSION}")]);
    command::wait_for(&format!("building {tag}"), docker.arg(folder))?;
    println!("image   {tag}");
    Ok(())
}

fn docker_answers() -> bool {
    let mut version = Command::new("docker");
    version.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}
