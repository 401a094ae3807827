//! Files: the bytes of the files at the paths of a command.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use corsward_manifest::document::{EXTENSIONS, MAX_FILE_LEN};
use corsward_manifest::finding::SourceReason;

/// The path of standard input.
pub(crate) const STDIN: &str = "-";

/// A file, and the bytes of it.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The name that outputs have.
    pub name: String,
    /// Its bytes, or the reason why it cannot be read.
    pub bytes: Result<Vec<u8>, SourceReason>,
    /// Its source.
    pub source: FileSource,
}

/// The source of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// A path of the command names it.
    Path,
    /// A folder has it, and it may be for other programs.
    Folder,
    /// An API server: the file is one object of a live cluster.
    Cluster,
}

/// The files at those paths, each once, in the order of the paths. The files of a folder are in the order of their names.
pub(super) fn at<P: AsRef<Path>>(paths: &[P]) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = Vec::new();
    let mut names = std::collections::HashSet::new();
    for path in paths {
        add(path.as_ref(), FileSource::Path, &mut files);
    }
    files.retain(|file| names.insert(file.name.clone()));
    files
}

fn add(path: &Path, source: FileSource, files: &mut Vec<SourceFile>) {
    // The files of `.` are named as in a shell.
    let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
    let is_stdin = source == FileSource::Path && name == STDIN;
    if !is_stdin && path.is_dir() {
        match entries(path) {
            Ok(entries) => entries.iter().for_each(|entry| add(entry, FileSource::Folder, files)),
            Err(error) => {
                let bytes = Err(SourceReason::Unreadable(error.to_string()));
                files.push(SourceFile { name, bytes, source: FileSource::Path });
            }
        }
    } else {
        let bytes = if is_stdin { read_bounded(io::stdin().lock(), 0) } else { read_file(path) };
        files.push(SourceFile { name, bytes, source });
    }
}

/// The bytes of the file at a path, or of standard input.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SourceReason> {
    if path == Path::new(STDIN) { read_bounded(io::stdin().lock(), 0) } else { read_file(path) }
}

fn read_file(path: &Path) -> Result<Vec<u8>, SourceReason> {
    // Not only a file: a pipe of the shell's, say.
    let read = |file: File| read_bounded(&file, file.metadata().map_or(0, |it| it.len()));
    let failed = |error: io::Error| Err(SourceReason::Unreadable(error.to_string()));
    File::open(path).map_or_else(failed, read)
}

/// The folders and manifests in a folder, in the order of their names. A link to a folder may lead around in a circle.
fn entries(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_hidden = name.to_string_lossy().starts_with('.');
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_manifest = extension.is_some_and(|extension| EXTENSIONS.contains(&extension));
        // A pipe among the files would be waited for.
        let is_taken = entry.file_type()?.is_dir() || (is_manifest && path.is_file());
        if !is_hidden && is_taken {
            entries.push(path);
        }
    }
    entries.sort();
    Ok(entries)
}

/// The bytes of an input that claims to have `len`.
fn read_bounded(input: impl Read, len: u64) -> Result<Vec<u8>, SourceReason> {
    let mut bytes = Vec::with_capacity(usize::try_from(len.min(MAX_FILE_LEN)).unwrap_or_default());
    input
        .take(MAX_FILE_LEN.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| SourceReason::Unreadable(error.to_string()))?;
    let len = len.max(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    if len > MAX_FILE_LEN {
        return Err(SourceReason::TooLarge { len, max: MAX_FILE_LEN });
    }
    Ok(bytes)
}
