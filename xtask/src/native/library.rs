//! Library: the symbols of a shared object, and the libraries that it needs.

use anyhow::{Context, Result, bail, ensure};
use object::Endianness;
use object::elf::{
    DF_1_NODELETE, DT_FLAGS_1, DT_NEEDED, FileHeader64, SHN_UNDEF, SHT_DYNSYM, STB_WEAK,
};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _, Sym as _};

/// The parts of glibc, in releases in which they are files of their own and in those in which they are not.
const GLIBC_FILES: [&str; 6] = [
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

/// The functions that Envoy looks up, and those that it offers.
const HOOK: &str = "envoy_dynamic_module_on_";
const CALLBACK: &str = "envoy_dynamic_module_callback_";

/// What is known of a shared object without running it.
#[derive(Debug, Default)]
pub(super) struct Library {
    pub(super) exports: Vec<String>,
    imports: Vec<Import>,
    pub(super) needed: Vec<String>,
    /// A process that has loaded it keeps it.
    is_kept: bool,
}

/// A symbol that another object is to have.
#[derive(Debug)]
struct Import {
    name: String,
    /// Such as `GLIBC_2.14`.
    version: Option<String>,
    /// May be missing.
    is_weak: bool,
}

// === impl Library ===

impl Library {
    pub(super) fn read(file: &[u8]) -> Result<Self> {
        let header = FileHeader64::<Endianness>::parse(file)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, file)?;
        let symbols = sections.symbols(endian, file, SHT_DYNSYM)?;
        let versions = sections.versions(endian, file)?;
        let mut library = Self::default();
        for (index, symbol) in symbols.enumerate() {
            let name = text(symbols.symbol_name(endian, symbol)?);
            if name.is_empty() {
                continue;
            }
            if symbol.st_shndx(endian) != SHN_UNDEF {
                library.exports.push(name);
                continue;
            }
            let version = match &versions {
                Some(versions) => versions.version(versions.version_index(endian, index))?,
                None => None,
            };
            let version = version.map(|version| text(version.name()));
            let is_weak = symbol.st_bind() == STB_WEAK;
            library.imports.push(Import { name, version, is_weak });
        }
        for segment in header.program_headers(endian, file)? {
            for entry in segment.dynamic(endian, file)?.into_iter().flatten() {
                let value = u32::try_from(entry.d_val(endian));
                if entry.tag(endian) == DT_NEEDED {
                    let name = symbols.strings().get(value?).ok().context("a library's name")?;
                    library.needed.push(text(name));
                } else if entry.tag(endian) == DT_FLAGS_1 {
                    library.is_kept = value? & DF_1_NODELETE != 0;
                }
            }
        }
        Ok(library)
    }

    /// Makes sure that an Envoy beside a glibc of this version, or a newer one, can load it and nothing else is needed.
    pub(super) fn check(&self, glibc: (u32, u32)) -> Result<()> {
        ensure!(!self.exports.is_empty(), "the module exports nothing");
        ensure!(self.is_kept, "Envoy could unload the module while its thread runs");
        for name in &self.exports {
            ensure!(
                name.starts_with(HOOK),
                "the module exports {name}, which is no hook of Envoy's"
            );
        }
        for name in &self.needed {
            ensure!(GLIBC_FILES.contains(&name.as_str()), "the module needs {name}");
        }
        for Import { name, version, is_weak } in &self.imports {
            match version {
                None if name.starts_with(CALLBACK) || *is_weak => {}
                None => bail!("the module needs {name}, which is no callback of Envoy's"),
                Some(version) => match glibc_version(version) {
                    None => bail!("the module needs {name} of {version}"),
                    Some(version) => ensure!(
                        version <= glibc || *is_weak,
                        "the module needs {name} of glibc {}.{}, newer than {}.{}",
                        version.0,
                        version.1,
                        glibc.0,
                        glibc.1
                    ),
                },
            }
        }
        Ok(())
    }

    /// The oldest glibc that has all that it needs.
    pub(super) fn glibc(&self) -> (u32, u32) {
        let versions = self.imports.iter().filter_map(|import| import.version.as_deref());
        versions.filter_map(glibc_version).max().unwrap_or_default()
    }
}

/// `GLIBC_2.14` to its numbers.
fn glibc_version(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("GLIBC_")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_envoy_may_not_have_is_named() {
        let fit = || Library {
            is_kept: true,
            exports: vec!["envoy_dynamic_module_on_program_init".into()],
            imports: vec![
                import("envoy_dynamic_module_callback_log", None, false),
                import("memcpy", Some("GLIBC_2.14"), false),
                import("__gmon_start__", None, true),
            ],
            needed: vec!["libc.so.6".into()],
        };
        fit().check((2, 31)).unwrap();
        assert_eq!(fit().glibc(), (2, 14));
        for (change, want) in [
            (
                Box::new(|library: &mut Library| library.exports.push("rust_eh_personality".into()))
                    as Box<dyn Fn(&mut Library)>,
                "the module exports rust_eh_personality, which is no hook of Envoy's",
            ),
            (
                Box::new(|library| library.is_kept = false),
                "Envoy could unload the module while its thread runs",
            ),
            (
                Box::new(|library| library.needed.push("libgcc_s.so.1".into())),
                "the module needs libgcc_s.so.1",
            ),
            (
                Box::new(|library| library.imports.push(import("fopen", None, false))),
                "the module needs fopen, which is no callback of Envoy's",
            ),
            (
                Box::new(|library| {
                    library.imports.push(import("stat", Some("GLIBC_2.33"), false));
                }),
                "the module needs stat of glibc 2.33, newer than 2.31",
            ),
            (
                Box::new(|library| {
                    library.imports.push(import("_Unwind_Resume", Some("GCC_3.0"), false));
                }),
                "the module needs _Unwind_Resume of GCC_3.0",
            ),
        ] {
            let mut library = fit();
            change(&mut library);
            assert_eq!(library.check((2, 31)).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn a_file_that_is_no_library_is_refused() {
        assert!(Library::read(b"#!/bin/sh\n").is_err());
    }

    fn import(name: &str, version: Option<&str>, is_weak: bool) -> Import {
        Import { name: name.into(), version: version.map(str::to_owned), is_weak }
    }
}
