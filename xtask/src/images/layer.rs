//! The one layer of the filter's image: a compressed archive with `plugin.wasm` in it, and nothing of this machine or moment.

use anyhow::Result;
use tar::Builder;

use crate::tar_gz;

/// The name that Istio's agent looks for.
pub(super) const FILE: &str = "plugin.wasm";

/// A layer: its bytes as they travel, and what they are when unpacked.
pub(super) struct Layer {
    /// The compressed archive.
    pub(super) packed: Vec<u8>,
    /// The archive.
    pub(super) unpacked: Vec<u8>,
}

// === impl Layer ===

impl Layer {
    /// The layer that holds `module`: always the same bytes for the same module.
    pub(super) fn of(module: &[u8]) -> Result<Self> {
        let mut archive = Builder::new(Vec::new());
        tar_gz::append(&mut archive, FILE, 0o644, module)?;
        let unpacked = archive.into_inner()?;
        Ok(Self { packed: tar_gz::packed(&unpacked)?, unpacked })
    }
}
