//! Files that are complete or absent, for every reader and after every crash.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Writes `bytes` to a temporary name beside `path`, makes them durable, and renames.
///
/// # Errors
///
/// Fails if any of that fails; `path` is then as it was.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary(path)?;
    let mut file = fs::File::create_new(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(path)
}

/// Makes `path` a link to `target`, in place of what has that name.
pub(crate) fn link(path: &Path, target: &Path) -> io::Result<()> {
    let temporary = temporary(path)?;
    symlink(target, &temporary)?;
    if let Err(error) = fs::rename(&temporary, path) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(path)
}

/// Makes a rename durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A name beside `path` for what takes its place, which nothing has.
fn temporary(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    // A dot in front: watchers of folders look away. The same name every time: a crash leaves one file, not many.
    let temporary = path.with_file_name(format!(".{}.tmp", name.to_string_lossy()));
    // Whatever has that name, such as a link to elsewhere, is not written through.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(temporary),
    }
}

/// Reads the regular file at `path`, of at most `max` bytes; any other kind of file might never end.
///
/// # Errors
///
/// Fails if there is no such file, or it cannot be read.
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    // Opening a pipe waits for a writer, so a look comes first.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= max) {
        return Ok(bytes);
    }
    Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {max} bytes")))
}

/// Is exactly this at `path`?
pub(crate) fn holds(path: &Path, bytes: &[u8]) -> bool {
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    read(path, len).is_ok_and(|present| present == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_by_the_temporary_name_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (dir.path().join("a"), dir.path().join("elsewhere"));
        fs::write(&elsewhere, "theirs").unwrap();
        symlink(&elsewhere, dir.path().join(".a.tmp")).unwrap();
        write(&path, b"ours").unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"theirs");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert!(holds(&path, b"ours") && !holds(&path, b"our") && !holds(&path, b"ours too"));
    }

    #[test]
    fn what_is_no_regular_file_or_too_long_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "1234").unwrap();
        assert_eq!(read(&dir.path().join("a"), 4).unwrap(), b"1234");
        assert!(read(&dir.path().join("a"), 3).is_err());
        assert!(read(Path::new("/dev/zero"), 4).is_err());
        assert!(read(dir.path(), 4).is_err());
    }
}
