//! Istio: the definitions of its resources, its charts, and its programs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::go::{Module, in_module};
use super::{cached, helm};
use crate::command;

/// The Istio whose resources are published to, and that is installed in clusters.
pub const ISTIO_VERSION: &str = "1.31.1";

/// The sources of an Istio like that one, as a Go module: charts, istiod, and the proxies' agent. The same as in
/// `tests/cluster/istio/go.mod`. Releases of this module have no versions, only commits.
pub const ISTIO_COMMIT: &str = "v0.0.0-20260827124520-eed52ebb66ad";

/// The definitions of all of Istio's resources, in one file.
///
/// # Errors
///
/// Fails if the module cannot be fetched.
pub fn istio_crds() -> Result<PathBuf> {
    cached(&format!("istio-{ISTIO_VERSION}/crds.yaml"), |folder| {
        let module = format!("istio.io/api@v{ISTIO_VERSION}");
        let file = in_module(&module, "kubernetes/customresourcedefinitions.gen.yaml")?;
        let copy = folder.path().join("crds.yaml");
        fs::write(&copy, fs::read(file)?)?;
        Ok(copy)
    })
}

/// One of Istio's charts, packed: the one in a folder of its `manifests/charts`.
///
/// # Errors
///
/// Fails if the module cannot be fetched, or has no such chart.
pub fn istio_chart(folder: &str) -> Result<PathBuf> {
    let name = folder.rsplit('/').next().unwrap_or(folder);
    cached(&format!("istio-{ISTIO_COMMIT}/{name}.tgz"), |place| {
        let chart = istio_source(&format!("manifests/charts/{folder}"))?;
        let mut package = Command::new(helm()?);
        package.arg("package").arg(chart).arg("--destination").arg(place.path());
        command::read(&mut package)?;
        let packed = place.path().read_dir()?.next().context("helm packed no chart")?;
        Ok(packed?.path())
    })
}

/// A file or folder of Istio's sources.
///
/// # Errors
///
/// Fails if the module cannot be fetched, or holds no such file.
pub fn istio_source(file: &str) -> Result<PathBuf> {
    in_module(&format!("istio.io/istio@{ISTIO_COMMIT}"), file)
}

/// The folder of `pilot-discovery`, which is istiod, and `pilot-agent`, which runs beside every proxy.
///
/// # Errors
///
/// Fails if one cannot be built.
pub fn istio_programs() -> Result<PathBuf> {
    const PACKAGES: [(&str, &str); 2] = [
        ("pilot-agent", "istio.io/istio/pilot/cmd/pilot-agent"),
        ("pilot-discovery", "istio.io/istio/pilot/cmd/pilot-discovery"),
    ];
    Module {
        what: format!("Istio {ISTIO_VERSION}"),
        sources: "tests/cluster/istio",
        place: format!("istio-{ISTIO_COMMIT}"),
        stamp: String::new(),
        lasts: "about five minutes on two cores",
    }
    .build(PACKAGES.iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths;

    #[test]
    fn charts_and_programs_are_of_one_istio() {
        let module = paths::root().join("tests/cluster/istio/go.mod");
        let text = fs::read_to_string(module).unwrap();
        assert!(text.contains(&format!("istio.io/istio {ISTIO_COMMIT}")));
        assert!(text.contains(&format!("=> istio.io/api v{ISTIO_VERSION}\n")));
    }
}
