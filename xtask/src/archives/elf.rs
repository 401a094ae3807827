//! A program of Linux: the files that it needs beside itself.

use anyhow::{Result, bail, ensure};
use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

/// Makes sure that a program runs on every Linux of its architecture, an empty image included.
///
/// # Errors
///
/// Fails if it is no program of Linux, or asks for a dynamic linker or a library.
pub fn assert_static(program: &[u8]) -> Result<()> {
    let header = FileHeader64::<Endianness>::parse(program)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, program)?;
    ensure!(!segments.is_empty(), "no program");
    for segment in segments {
        if let Some(linker) = segment.interpreter(endian, program)? {
            bail!("not static: it asks for {}", String::from_utf8_lossy(linker));
        }
        let entries = segment.dynamic(endian, program)?.into_iter().flatten();
        let needed = entries.filter(|entry| entry.tag(endian) == DT_NEEDED);
        ensure!(needed.count() == 0, "not static: it needs shared libraries");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{command, tools};

    #[test]
    fn a_program_is_static_if_it_is_linked_against_musl() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("main.rs");
        fs::write(&source, "fn main() {}").unwrap();
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        tools::musl(&target).unwrap();
        let program = |name: &str, args: &[&str]| {
            let program = folder.path().join(name);
            let mut rustc = command::rustc();
            rustc.args(args).arg(&source).arg("-o").arg(&program);
            command::read(&mut rustc).unwrap();
            fs::read(program).unwrap()
        };
        assert_static(&program("static", &["--target", &target])).unwrap();
        let why = assert_static(&program("dynamic", &[])).unwrap_err().to_string();
        assert!(why.starts_with("not static: it asks for /lib"), "{why}");
        assert!(assert_static(b"#!/bin/sh\n").is_err());
    }
}
