//! Memory of an Envoy over many changes of a filter's configuration.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::policies;
use crate::envoy::{Bootstrap, Envoy, Listener, Plugin, Slot};
use crate::tools;

/// Policies of the configuration that changes.
pub(super) const POLICIES: usize = 100;

/// Number of changes.
pub(super) const UPDATES: u64 = 100;

/// Resident memory of one Envoy with the filter, in MiB.
pub(super) struct Memory {
    /// With an inert filter.
    pub(super) inert: f64,
    /// With the first configuration.
    pub(super) first: f64,
    /// After all changes.
    pub(super) last: f64,
}

/// Changes a configuration again and again.
pub(super) fn measure(directory: &Path, module: &Path) -> Result<Memory> {
    let plugin = Plugin::new(module);
    fs::create_dir_all(directory)?;
    let slot = Slot::new(directory, plugin.clone());
    let answer = json!({ "match": { "prefix": "/" }, "direct_response": { "status": 200 } });
    let listener = Listener::new("main").http_filter(slot.http_filter()).routes([answer]);
    let binary = tools::envoy(tools::ENVOY_VERSION)?;
    slot.publish_default()?;
    let bootstrap = Bootstrap::new().listener(listener);
    let mut envoy = Envoy::start(&binary, &bootstrap, directory)?;
    let inert = resident(envoy.pid())?;
    let mut first = inert;
    for version in 1..=UPDATES + 1 {
        slot.publish(
            &plugin.clone().configured(policies::many(POLICIES, version)?),
            &version.to_string(),
        )?;
        envoy.wait_for("the filter to take a configuration", |admin| {
            let digest = admin.stat(&plugin.shell().stat("config.digest"))?;
            Ok(digest == Some(policies::digest_gauge(version)))
        })?;
        if version == 1 {
            first = resident(envoy.pid())?;
        }
    }
    let last = resident(envoy.pid())?;
    envoy.stop()?;
    Ok(Memory { inert, first, last })
}

/// The most memory that a process had resident so far, in MiB.
pub(super) fn most_resident(pid: u32) -> Result<f64> {
    mebibytes(pid, "VmHWM:")
}

/// The memory that a process has resident, in MiB.
pub(super) fn resident(pid: u32) -> Result<f64> {
    mebibytes(pid, "VmRSS:")
}

fn mebibytes(pid: u32, what: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: f64 = kilobytes.with_context(|| format!("{what} in kB"))?.parse()?;
    Ok(kilobytes / 1024.0)
}
