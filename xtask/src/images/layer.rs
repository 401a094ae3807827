//! The one layer of the filter's image: a compressed archive with `plugin.wasm` in it, and nothing of this machine or moment.

use std::io::Write as _;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

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
        append(&mut archive, FILE, module)?;
        let unpacked = archive.into_inner()?;
        // No name and no time of making.
        let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        packed.write_all(&unpacked)?;
        Ok(Self { packed: packed.finish()?, unpacked })
    }
}

/// Appends a file with read permission for all users, without owner and time.
pub(super) fn append<W: std::io::Write>(
    archive: &mut Builder<W>,
    name: &str,
    bytes: &[u8],
) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, name, bytes)?;
    Ok(())
}
