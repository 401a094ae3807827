//! `cargo xtask demo`.

use anyhow::Result;

/// What the verb accepts.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the demo until it is told to stop.
///
/// # Errors
///
/// When something it needs is missing or does not start.
pub fn run(_args: &Args) -> Result<()> {
    anyhow::bail!("the demo is not written yet")
}
