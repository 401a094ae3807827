//! A program of Linux: the files that it needs beside itself.

use anyhow::{Result, bail, ensure};
use object::Endianness;
use object::elf::{DT_NEEDED, EM_AARCH64, EM_X86_64, ET_DYN, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

use crate::arch::Arch;

/// Makes sure that a program runs on every Linux of that architecture, an empty image included.
///
/// # Errors
///
/// Fails if it is no program of Linux for it, asks for a dynamic linker or a library, or has its code at one address.
pub(super) fn assert_static(program: &[u8], arch: Arch) -> Result<()> {
    let header = FileHeader64::<Endianness>::parse(program)?;
    let endian = header.endian()?;
    let machine = match arch {
        Arch::Amd64 => EM_X86_64,
        Arch::Arm64 => EM_AARCH64,
    };
    ensure!(header.e_machine(endian) == machine, "no program for {}", arch.name());
    let is_movable = header.e_type(endian) == ET_DYN;
    ensure!(
        is_movable,
        "not position-independent: its code is at the same address in each process"
    );
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
        tools::rust_target(&target).unwrap();
        let program = |name: &str, args: &[&str]| {
            let program = folder.path().join(name);
            let mut rustc = command::rustc();
            rustc.args(args).arg(&source).arg("-o").arg(&program);
            command::read(&mut rustc).unwrap();
            fs::read(program).unwrap()
        };
        let here = Arch::here().unwrap();
        let at_one_address = ["--target", &target, "-Crelocation-model=static"];
        let (fixed, dynamic) = (program("fixed", &at_one_address), program("dynamic", &[]));
        let program = program("static", &["--target", &target]);
        assert_static(&program, here).unwrap();
        for other in Arch::ALL.into_iter().filter(|arch| *arch != here) {
            let why = assert_static(&program, other).unwrap_err().to_string();
            assert_eq!(why, format!("no program for {}", other.name()));
        }
        let why = assert_static(&fixed, here).unwrap_err().to_string();
        assert!(why.starts_with("not position-independent"), "{why}");
        let why = assert_static(&dynamic, here).unwrap_err().to_string();
        assert!(why.starts_with("not static: it asks for /lib"), "{why}");
        assert!(assert_static(b"#!/bin/sh\n", here).is_err());
    }
}
