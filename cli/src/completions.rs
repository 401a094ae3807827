//! `completions` and `man`: scripts for shells and pages for manuals, from the arguments themselves.

use std::fs;
use std::io::Write;

use anyhow::Context as _;

use clap::CommandFactory as _;

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::outcome::Outcome;

/// Prints completions.
pub(crate) fn completions(args: &CompletionsArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    // The generator panics where it cannot write: it writes into memory.
    let mut script = Vec::new();
    let mut command = Args::command();
    clap_complete::generate(args.shell, &mut command, "corsward", &mut script);
    out.write_all(&script)?;
    Ok(Outcome::Success)
}

/// Writes a page for each command.
pub(crate) fn man(args: &ManArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let folder = &args.to;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    clap_mangen::generate_to(Args::command(), folder)
        .with_context(|| format!("write pages to {}", folder.display()))?;
    writeln!(out, "{}", folder.display())?;
    Ok(Outcome::Success)
}
