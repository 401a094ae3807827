//! `cargo xtask fuzz`: the laws of the core against generated input.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{command, paths, tools};

/// The arguments of the subcommand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The target; all of them, one after the other, when left out
    pub target: Option<String>,

    /// Seconds for each target
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub seconds: u32,
}

/// Fuzzes one target or all.
///
/// # Errors
///
/// Fails if cargo-fuzz cannot be had, the target does not exist, or an input breaks a law.
pub fn run(args: &Args) -> Result<()> {
    // cargo-fuzz looks for a package, so it runs in the one it fuzzes.
    let policy = paths::root().join("policy");
    let known = targets(&policy.join("fuzz/fuzz_targets"))?;
    let chosen = match &args.target {
        None => known,
        Some(target) if known.contains(target) => vec![target.clone()],
        Some(target) => {
            bail!("no fuzz target is called {target}; those there are: {}", known.join(", "))
        }
    };
    tools::cargo_fuzz()?;
    let fuzz = |words: &[&str]| {
        command::run(command::cargo().current_dir(&policy).args(["+nightly", "fuzz"]).args(words))
    };
    for target in &chosen {
        fuzz(&["build", target])?;
        let limit = format!("-max_total_time={}", args.seconds);
        fuzz(&["run", target, "--", &limit]).with_context(|| {
            format!("{target} broke a law: the input is in policy/fuzz/artifacts/{target}")
        })?;
    }
    Ok(())
}

/// The names of the targets: each is one file.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let files =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let files = files.filter_map(|entry| Some(entry.ok()?.path()));
    let rust = files.filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<_> =
        rust.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_rust_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["wire_decode.rs", "decide_laws.rs", "notes.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(targets(folder.path()).unwrap(), ["decide_laws", "wire_decode"]);
    }
}
