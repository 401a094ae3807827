//! `cargo xtask archives`: the command as users fetch it. A static binary with completions and man pages, and krew's manifest.
//!
//! ```text
//! build::shipped --> archive (tar.gz, SHA-256) --> krew (manifest) --> target/archives
//! ```

mod archive;
mod krew;

use anyhow::Result;

pub use self::archive::write;
pub use self::krew::write as write_manifest;
use crate::arch::Arch;
use crate::{build, paths};

/// The version of everything here: that of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The architectures to build for, by commas: amd64, arm64 [default: this machine's]
    #[arg(long, value_name = "ARCH", value_delimiter = ',')]
    pub arch: Vec<Arch>,
    /// The folder on the web where the archives will be, for krew's manifest
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Builds the archives and the manifest, and says where they are.
///
/// # Errors
///
/// Fails if something cannot be built.
pub fn run(args: &Args) -> Result<()> {
    let folder = paths::target().join("archives");
    let here = Arch::here()?;
    let all = if args.arch.is_empty() { vec![here] } else { args.arch.clone() };
    for arch in all {
        let binary = build::shipped_for(build::COMMAND, arch)?;
        let runs_here = if arch == here { binary.clone() } else { build::command_line()? };
        println!("archive: {}", write(&binary, arch, &runs_here, &folder)?.display());
    }
    match &args.url {
        Some(url) => println!("krew:    {}", write_manifest(&folder, url)?.display()),
        None => println!("left out: krew's manifest (`--url` says where the archives will be)"),
    }
    Ok(())
}

/// The name of an archive: `corsward-0.1.0-linux-amd64`.
fn name(arch: Arch) -> String {
    format!("{}-{VERSION}-linux-{}", build::COMMAND.name, arch.name())
}
