//! `completions` and `man`: scripts for shells, words for kubectl and pages for manuals, from the arguments themselves.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::engine::complete;

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

/// Prints the words that may stand in the place of the last argument, as kubectl asks `kubectl_complete-cors` for them: each with its help,
/// and in the last line what the shell does with them (cobra, `ShellCompDirective`).
pub(crate) fn kubectl(arguments: Vec<OsString>, out: &mut impl Write) -> anyhow::Result<Outcome> {
    const OTHER_FILES: u8 = 0;
    const NO_SPACE: u8 = 2;
    const NO_OTHER_FILES: u8 = 4;
    let last = arguments.len().saturating_sub(1);
    let folder = env::current_dir()?;
    let words = complete(&mut Args::command(), arguments, last, Some(&folder))?;
    let mut directive = if words.is_empty() { OTHER_FILES } else { NO_OTHER_FILES };
    for word in words.iter().filter(|word| !word.is_hide_set()) {
        let value = word.get_value().to_string_lossy();
        // A folder is the begin of a path.
        if value.ends_with('/') {
            directive |= NO_SPACE;
        }
        let help = word.get_help().map(ToString::to_string).unwrap_or_default();
        match help.lines().next() {
            Some(help) => writeln!(out, "{value}\t{help}")?,
            None => writeln!(out, "{value}")?,
        }
    }
    writeln!(out, ":{directive}")?;
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
