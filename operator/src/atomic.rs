//! Files that are there whole or not at all, whoever reads and whatever crashes.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes `bytes` to a temporary name beside `path`, makes them durable, and renames.
///
/// # Errors
///
/// Where any of that fails; `path` is then as it was.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // A dot in front: watchers of folders look away. The same name every time: a crash leaves one file, not many.
    let temporary = folder.join(format!(".{}.tmp", name.to_string_lossy()));
    let mut file = fs::File::create(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    // The rename itself is durable once the folder is.
    fs::File::open(folder)?.sync_all()
}

/// Is exactly this at `path`?
pub(crate) fn holds(path: &Path, bytes: &[u8]) -> bool {
    fs::read(path).is_ok_and(|present| present == bytes)
}
