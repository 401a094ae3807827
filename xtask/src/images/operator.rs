//! The operator's image: a static binary and the filter's two modules, on nothing.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::VERSION;
use crate::{build, command, docker, native, paths};

/// The image's name; its tag is the version. The chart asks for the same.
const NAME: &str = "corsward-operator";

/// The operator's image, as docker knows it.
pub fn tag() -> String {
    format!("{NAME}:{VERSION}")
}

/// Builds what the image holds into `folder`, and the image itself where docker answers.
pub(super) fn build(module: &Path, folder: &Path) -> Result<()> {
    let binary = build::shipped(build::OPERATOR)?;
    fs::create_dir_all(folder)?;
    fs::copy(&binary, folder.join(NAME))?;
    fs::copy(module, folder.join("corsward_filter.wasm"))?;
    let native = native::build()?;
    fs::copy(&native, folder.join(native.file_name().unwrap_or_default()))?;
    println!("operator: {}", folder.display());
    if !docker::answers() {
        println!("left out: the operator's image, because no docker answers here");
        return Ok(());
    }
    let tag = tag();
    let mut build = docker::cli(&["build", "--target", "prebuilt", "--tag", &tag, "--file"]);
    build.arg(paths::root().join("operator/Dockerfile"));
    // The folder is all that is sent: it need not be below the repository.
    build.args(["--build-arg", "PREBUILT=.", "--build-arg", &format!("VERSION={VERSION}")]);
    command::wait_for(&format!("building {tag}"), build.arg(folder))?;
    println!("image   {tag}");
    Ok(())
}
