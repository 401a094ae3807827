//! `cargo xtask native`: the filter as a dynamic module, which an Envoy loads into its own process.
//!
//! ```text
//! cargo build (linked by zig against an old glibc) --> library (checked) --> target/native/libcorsward-VERSION.so
//! ```

mod library;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use self::library::Library;
use crate::arch::Arch;
use crate::{build, command, paths, tools, wasm};

/// The largest module that may be shipped.
const BUDGET: u64 = 1024 * 1024;

/// The glibc that the module is linked against: that of Debian 11, and older than that of any image of Envoy since 1.38.
const GLIBC: (u32, u32) = (2, 31);

/// The version of everything here: that of the workspace. It is in the file's name, because an Envoy that has loaded a file never
/// loads another one of that name.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The architecture to build for: amd64 or arm64 [default: this machine's]
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<Arch>,
}

/// A build of the module.
struct Build<'b> {
    arch: Arch,
    /// The name of the file, without `lib` and `.so`.
    name: &'b str,
    features: &'b [&'b str],
}

/// Builds the module of an architecture, checks it, and says where it is and what it needs.
///
/// # Errors
///
/// Fails if a tool cannot be had, the filter does not compile, or the module is not fit to be shipped.
pub fn run(args: &Args) -> Result<()> {
    let arch = args.arch.map_or_else(Arch::here, Ok)?;
    let name = match arch == Arch::here()? {
        true => shipped_name(),
        false => format!("{}-{}", shipped_name(), arch.name()),
    };
    let (file, library) = Build { arch, name: &name, features: &[] }.make()?;
    println!("{}", file.display());
    println!("size      {} bytes, of {BUDGET} at most", fs::metadata(&file)?.len());
    println!("exports   {} functions, all of Envoy's ABI", library.exports.len());
    println!("needs     {}", library.needed.join(", "));
    println!("glibc     {} or newer", shown(library.glibc()));
    Ok(())
}

/// Builds the module of this machine and says where it is.
///
/// # Errors
///
/// As [`run`].
pub fn build() -> Result<PathBuf> {
    Ok(Build { arch: Arch::here()?, name: &shipped_name(), features: &[] }.make()?.0)
}

/// Builds a module that panics on a request with the header `x-corsward-panic`: for tests of what happens then.
///
/// # Errors
///
/// As [`run`].
pub fn panicking() -> Result<PathBuf> {
    let shipped = fs::read(build()?)?;
    let name = "corsward-panicking";
    let (place, made_beside) =
        (folder().join(format!("lib{name}.so")), folder().join("panicking.made-beside"));
    // Cargo builds both into one file, so each time after the other. The same sources are in both.
    if place.is_file() && fs::read(&made_beside).is_ok_and(|there| there == shipped) {
        return Ok(place);
    }
    Build { arch: Arch::here()?, name, features: &["panicking"] }.make()?;
    fs::write(made_beside, shipped)?;
    Ok(place)
}

/// The folder of the modules.
fn folder() -> PathBuf {
    paths::target().join("native")
}

/// The name of the module that is shipped.
fn shipped_name() -> String {
    format!("corsward-{VERSION}")
}

fn shown((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

// === impl Build ===

impl Build<'_> {
    /// Builds it, and puts it into its place unless the same is there.
    fn make(&self) -> Result<(PathBuf, Library)> {
        fs::create_dir_all(folder())?;
        // Two processes that ask at the same time do the work one after the other.
        let _lock = tools::lock(&folder())?;
        let built = self.compile()?;
        let library = Library::read(&built)?;
        library.check(GLIBC)?;
        wasm::names_no_machine(&built)?;
        if built.len() as u64 > BUDGET {
            bail!("the module has {} bytes, more than its budget of {BUDGET}", built.len());
        }
        let place = folder().join(format!("lib{}.so", self.name));
        if !fs::read(&place).is_ok_and(|there| there == built) {
            let written = tempfile::Builder::new().prefix(".native-").tempfile_in(folder())?;
            fs::write(written.path(), &built)?;
            // Envoy may run as a different user.
            fs::set_permissions(written.path(), fs::Permissions::from_mode(0o644))?;
            written.persist(&place)?;
        }
        Ok((place, library))
    }

    /// Compiles the filter with cargo.
    fn compile(&self) -> Result<Vec<u8>> {
        let target = format!("{}-unknown-linux-gnu", self.arch.of_target());
        tools::rust_target(&target)?;
        let mut flags = wasm::source_flags()?;
        // As a flag of the target's code alone: build scripts and macros are linked as ever.
        flags.push(format!("-Clinker={}", self.linker()?.display()));
        // Its thread runs until the process ends.
        flags.push("-Clink-arg=-Wl,-z,nodelete".to_owned());
        let mut cargo = command::cargo();
        cargo.args(["build", "--profile", "native", "--locked", "-p", "corsward-filter-native"]);
        cargo.args(["--target", &target, "--features", &self.features.join(",")]);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        let file = build::artifact(&mut cargo, "libcorsward_filter_native.so")?;
        fs::read(&file).with_context(|| format!("read {}", file.display()))
    }

    /// A program that links against the old glibc. Zig brings the stubs of every version, and a static unwinder.
    fn linker(&self) -> Result<PathBuf> {
        let target = format!("{}-linux-gnu.{}", self.arch.of_target(), shown(GLIBC));
        tools::zig_compiler(&target, &folder().join(format!("link-{}", self.arch.name())))
    }
}
