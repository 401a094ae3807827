//! `cargo xtask archives`: the command as users fetch it. A static binary with completions and man pages, and krew's manifest.
//!
//! ```text
//! build::shipped --> elf (static?) --> archive (tar.gz, SHA-256) --> krew (manifest) --> target/archives
//! ```

mod archive;
mod elf;
mod krew;

use std::env::consts::ARCH;
use std::fs;

use anyhow::{Context, Result};

pub use self::archive::write;
pub use self::elf::assert_static;
pub use self::krew::write as write_manifest;
use crate::{build, paths};

/// The version of everything here: that of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The folder on the web where the archives will be, for krew's manifest
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Builds the archive of this machine's architecture and the manifest, and says where they are.
///
/// # Errors
///
/// Fails if something cannot be built, or the binary needs another file to run.
pub fn run(args: &Args) -> Result<()> {
    let folder = paths::target().join("archives");
    let binary = build::shipped(build::COMMAND)?;
    let bytes = fs::read(&binary).with_context(|| format!("read {}", binary.display()))?;
    assert_static(&bytes).with_context(|| binary.display().to_string())?;
    let archive = write(&binary, architecture(), &folder)?;
    println!("archive: {}", archive.display());
    match &args.url {
        Some(url) => println!("krew:    {}", write_manifest(&folder, url)?.display()),
        None => println!("left out: krew's manifest (`--url` says where the archives will be)"),
    }
    Ok(())
}

/// This machine's architecture, as Go and Debian name it.
#[must_use]
pub fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The name of an archive: `corsward-0.1.0-linux-amd64`.
fn name(architecture: &str) -> String {
    format!("{}-{VERSION}-linux-{architecture}", build::COMMAND.name)
}
