//! Snapshots for tests.

use std::path::{Path, PathBuf};

/// A folder of snapshots.
pub(crate) fn snapshots(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/snapshots").join(folder)
}

/// Compares with the snapshots of a folder.
pub(crate) fn snapshot_settings(folder: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(snapshots(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
