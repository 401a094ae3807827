//! An archive: the binary, its completions and man pages, and the licence, in one folder.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tar::Builder;

use super::name;
use crate::arch::Arch;
use crate::{build, command, paths, tar_gz};

/// The shells, and the names that they look for.
const SHELLS: [(&str, &str); 3] =
    [("bash", "corsward.bash"), ("fish", "corsward.fish"), ("zsh", "_corsward")];

/// Writes the archive of a binary for that architecture into `folder`, and its SHA-256 digest beside it. `runs_here` is the same program for
/// this machine. Says where the archive is.
///
/// # Errors
///
/// Fails if `runs_here` cannot print its completions and man pages, or a file cannot be written.
pub fn write(binary: &Path, arch: Arch, runs_here: &Path, folder: &Path) -> Result<PathBuf> {
    let name = name(arch);
    let mut archive = Builder::new(Vec::new());
    let program = fs::read(binary).with_context(|| format!("read {}", binary.display()))?;
    let licence = fs::read(paths::root().join("LICENSE"))?;
    let mut append = |path: &str, mode, bytes: &[u8]| {
        tar_gz::append(&mut archive, &format!("{name}/{path}"), mode, bytes)
    };
    append(build::COMMAND.name, 0o755, &program)?;
    append("LICENSE", 0o644, &licence)?;
    for (shell, file) in SHELLS {
        let script = command::read(Command::new(runs_here).args(["completions", shell]))?;
        append(&format!("completions/{file}"), 0o644, &script)?;
    }
    for (page, text) in pages(runs_here)? {
        append(&format!("man/{page}"), 0o644, &text)?;
    }
    let packed = tar_gz::packed(&archive.into_inner()?)?;
    fs::create_dir_all(folder)?;
    let file = folder.join(format!("{name}.tar.gz"));
    fs::write(&file, &packed).with_context(|| format!("write {}", file.display()))?;
    // As `sha256sum --check` reads it.
    let digest = format!("{}  {name}.tar.gz\n", tar_gz::sha256(&packed));
    fs::write(folder.join(format!("{name}.tar.gz.sha256")), digest)?;
    Ok(file)
}

/// The man pages by their names.
fn pages(binary: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    command::read(Command::new(binary).args(["man", "--to"]).arg(folder.path()))?;
    let page = |entry: io::Result<DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?))
    };
    fs::read_dir(folder.path())?.map(page).collect()
}
