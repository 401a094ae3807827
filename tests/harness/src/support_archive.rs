//! Support archive: the files of what `corsward collect` writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use xtask::command;

/// Unpacks an archive in a folder, and returns its files by their names below the archive's own folder, which is beside it.
pub fn unpacked(folder: &Path, archive: &str) -> Result<BTreeMap<String, String>> {
    command::read(Command::new("tar").args(["-xzf", archive]).current_dir(folder))?;
    let root = folder.join("corsward-support");
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root)?.display().to_string();
                files.insert(name, fs::read_to_string(&path)?);
            }
        }
    }
    Ok(files)
}
