//! `cargo xtask wasm`: the filter as Envoy loads it.
//!
//! ```text
//! cargo build --> exports (unused callbacks removed) --> wasm-opt --> target/wasm/corsward_filter.wasm
//! ```

mod exports;
mod record;
mod sources;
mod trap;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use self::record::{Record, Sizes};
pub use self::trap::TRAPPED_HEADERS;
use crate::tools::WASM_TARGET;
use crate::{build, command, paths, tools};

/// The largest module that may be shipped.
pub const BUDGET: u64 = 200 * 1024;

/// The options of `wasm-opt`. The features are those that rustc uses for this target: the optimized module must use
/// no others. Nothing lies in the first 1024 bytes of memory but the end of a stack of 1 MiB, so that a constant may be added
/// to an address by the instruction that uses it.
const OPTIONS: [&str; 8] = [
    "-Oz",
    "--converge",
    "--const-hoisting",
    "--low-memory-unused",
    "--enable-bulk-memory",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
];

/// A finished module.
struct Module {
    file: PathBuf,
    sizes: Sizes,
}

/// Builds the module and says where it is.
///
/// # Errors
///
/// Fails if a tool cannot be had or the filter does not compile.
pub fn build() -> Result<PathBuf> {
    Ok(Module::build()?.file)
}

/// Builds the module and, from it, one that traps on a request with [`TRAPPED_HEADERS`] header lines or more: for tests of
/// what a proxy does when a filter dies.
///
/// # Errors
///
/// As [`build`].
pub fn trapping() -> Result<PathBuf> {
    let module = fs::read(build()?)?;
    let place = paths::target().join("wasm/corsward_filter_trap.wasm");
    let trapping = trap::set(&module)?;
    if fs::read(&place).is_ok_and(|there| there == trapping) {
        return Ok(place);
    }
    let folder = place.parent().context("a module is in a folder")?;
    let written = tempfile::Builder::new().prefix(".trap-").tempfile_in(folder)?;
    fs::write(written.path(), trapping)?;
    written.persist(&place)?;
    Ok(place)
}

/// Builds the module, prints its size after each step, and refuses one above the budget.
///
/// # Errors
///
/// As [`build`], and when the module is too large.
pub fn run() -> Result<()> {
    let Module { file, sizes } = Module::build()?;
    println!("{}", file.display());
    println!("after cargo         {:>7} bytes", sizes.cargo);
    println!("callbacks removed   {:>7} bytes", sizes.stripped);
    println!("final               {:>7} bytes", sizes.finished);
    println!("budget              {BUDGET:>7} bytes");
    println!("{}", check_size(sizes.finished)?);
    Ok(())
}

/// A `cargo build` for [`WASM_TARGET`] that leaves no path of this machine in what it builds.
///
/// # Errors
///
/// Fails if the toolchain for it cannot be had.
pub(crate) fn cargo() -> Result<Command> {
    tools::wasm_target()?;
    let mut cargo = command::cargo();
    cargo.args(["build", "--profile", "wasm", "--target", WASM_TARGET]);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", sources::flags()?.join("\x1f"));
    Ok(cargo)
}

fn check_size(size: u64) -> Result<String> {
    let kib = |bytes: u64| format!("{}.{} KiB", bytes / 1024, bytes % 1024 * 10 / 1024);
    if size > BUDGET {
        bail!(
            "the module has {size} bytes, {} above its budget of {}",
            kib(size - BUDGET),
            kib(BUDGET)
        );
    }
    Ok(format!(
        "{size} bytes ({}), {} below its budget of {}",
        kib(size),
        kib(BUDGET - size),
        kib(BUDGET)
    ))
}

// === impl Module ===

impl Module {
    fn build() -> Result<Self> {
        let built = Self::compile()?;
        let folder = paths::target().join("wasm");
        fs::create_dir_all(&folder)?;
        // Two processes that ask at the same time do the work once.
        let lock = File::create(folder.join(".lock"))?;
        lock.lock()?;
        let file = folder.join("corsward_filter.wasm");
        let record = Record::new(&folder);
        let key = record::key(&built);
        if file.is_file()
            && let Some(sizes) = record.read(&key)
        {
            return Ok(Self { file, sizes });
        }
        let sizes = finish(&built, &file)?;
        record.write(&key, sizes)?;
        Ok(Self { file, sizes })
    }

    /// Compiles the filter with cargo.
    fn compile() -> Result<Vec<u8>> {
        let mut cargo = cargo()?;
        let module =
            build::artifact(cargo.args(["-p", "corsward-filter"]), "corsward_filter.wasm")?;
        fs::read(&module).with_context(|| format!("read {}", module.display()))
    }
}

/// Removes what the filter does not use, optimizes the rest, and puts it at `place` when it is whole.
fn finish(built: &[u8], place: &Path) -> Result<Sizes> {
    let folder = place.parent().context("a module is in a folder")?;
    let scratch = tempfile::Builder::new().prefix(".finish-").tempdir_in(folder)?;
    let stripped = scratch.path().join("stripped.wasm");
    fs::write(&stripped, exports::strip(built)?)?;

    let finished = scratch.path().join("finished.wasm");
    let mut optimize = tools::wasm_opt()?;
    optimize.args(OPTIONS).arg(&stripped).arg("-o").arg(&finished);
    command::wait_for("optimizing the filter's module (wasm-opt)", &mut optimize)?;

    names_no_machine(&fs::read(&finished)?)?;
    let size_of = |file: &Path| fs::metadata(file).map(|meta| meta.len());
    let sizes = Sizes {
        cargo: built.len() as u64,
        stripped: size_of(&stripped)?,
        finished: size_of(&finished)?,
    };
    fs::rename(&finished, place)?;
    Ok(sizes)
}

/// Flags of rustc with which a module names no folder of this machine.
///
/// # Errors
///
/// Fails if the folders are not known.
pub(crate) fn source_flags() -> Result<Vec<String>> {
    sources::flags()
}

/// Refuses a module that names a folder of this machine.
///
/// # Errors
///
/// Fails if it does.
pub(crate) fn names_no_machine(module: &[u8]) -> Result<()> {
    let names = sources::named_in(module)?;
    ensure!(names.is_empty(), "the module names folders of this machine: {}", names.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_may_use_its_budget_and_not_a_byte_more() {
        assert!(check_size(BUDGET).is_ok());
        let refused = check_size(BUDGET + 1024).unwrap_err().to_string();
        assert_eq!(refused, "the module has 205824 bytes, 1.0 KiB above its budget of 200.0 KiB");
    }
}
