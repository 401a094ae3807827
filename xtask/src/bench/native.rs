//! The core by itself, outside any proxy: `policy/benches/decide.rs`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::callgrind;
use crate::command;

/// The function of the benchmark in which callgrind counts.
const COUNTED: &str = "decide::counted";
/// Origins in the one policy of which a decision is counted.
const ORIGINS: usize = 10_000;
/// Policies of which the reading is counted.
const POLICIES: usize = 1_000;

/// Runs the native benchmarks for the tables that they print, and counts instructions where valgrind is installed.
pub(super) fn measure() -> Result<String> {
    let program = callgrind::program("corsward-policy", "decide")?;
    let mut text = String::from_utf8(command::read(&mut Command::new(&program))?)?;
    if command::find("valgrind").is_some() {
        text.push_str(&instructions(&program)?);
    }
    Ok(text)
}

fn instructions(program: &Path) -> Result<String> {
    let count = |what: &str, size: usize, runs: usize| -> Result<f64> {
        let args = [what.to_owned(), size.to_string(), runs.to_string()];
        let (collected, _) = callgrind::count(program, COUNTED, &args)?;
        Ok(collected / runs as f64)
    };
    let mut text = format!(
        "\nInstructions as callgrind counts them: of `decide` with {ORIGINS} origins in one policy, and of the decoding of each of\n\
         {POLICIES} policies\n\n| no origin | allowed | preflight | refused | decode |\n|---|---|---|---|---|\n|"
    );
    for kind in ["no-origin", "allowed", "preflight", "refused"] {
        write!(text, " {:.0} |", count(kind, ORIGINS, 1_000)?)?;
    }
    writeln!(text, " {:.0} |", count("decode", POLICIES, 5)? / POLICIES as f64)?;
    Ok(text)
}
