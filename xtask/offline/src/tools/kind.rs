//! kind, and what a node made here holds beside Kubernetes.

use std::path::PathBuf;

use anyhow::Result;

use super::go::{Module, installed};
use super::{named_by, version};
use crate::command;

/// The kind that is built where there is none.
pub const KIND_VERSION: &str = "0.30.0";

/// The oldest kind whose nodes are like ours.
const OLDEST_KIND: (u32, u32) = (0, 27);

/// The program that `KIND_BIN` names, else one on the `PATH` that is new enough, else built from its Go module.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn kind() -> Result<PathBuf> {
    if let Some(named) = named_by("KIND_BIN")? {
        return Ok(named);
    }
    let found = command::find("kind");
    if let Some(found) = found.filter(|kind| version(kind, &["version"]) >= Some(OLDEST_KIND)) {
        return Ok(found);
    }
    installed("kind", KIND_VERSION, "sigs.k8s.io/kind", "half a minute")
}

/// CoreDNS, built with the plugins that a cluster needs.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn coredns() -> Result<PathBuf> {
    let module = "corsward.io/tests/cluster/coredns";
    let folder = Module::of_ours("CoreDNS", "tests/cluster/coredns", "a minute")?
        .build([("coredns", module)].iter())?;
    Ok(folder.join("coredns"))
}

/// The folder of the small programs between containerd and runc, and in every pod: `runc-wrapper` and `pause`.
///
/// # Errors
///
/// Fails if one cannot be built.
pub fn node_wrappers() -> Result<PathBuf> {
    Module::of_ours("a node", "tests/cluster/wrappers", "a few seconds")?
        .build([("pause", "./pause"), ("runc-wrapper", "./runc-wrapper")].iter())
}
