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
    let prebuilt = folder.strip_prefix(paths::root()).unwrap_or(folder);
    let mut docker = Command::new("docker");
    docker.args(["build", "--file", "operator/Dockerfile", "--target", "prebuilt", "--tag", &tag]);
    docker.arg("--build-arg").arg(format!("PREBUILT={}", prebuilt.display()));
    docker.arg("--build-arg").arg(format!("VERSION={VERSION}"));
    command::wait_for(&format!("building {tag}"), docker.arg(".").current_dir(paths::root()))?;
    println!("image   {tag}");
    Ok(())
}

fn docker_answers() -> bool {
    let mut version = Command::new("docker");
    version.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}
