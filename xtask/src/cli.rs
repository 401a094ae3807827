//! The verbs and their manual.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{demo, wasm};

/// corsward's verbs.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// What can be asked for.
#[derive(Subcommand, Debug)]
enum Verb {
    /// Show CORS at work: operator, Envoy and sample back ends, on this machine
    Demo(demo::Args),
    /// Build the filter for Envoy and check that it keeps within its size
    Wasm,
}

/// Runs the verb that the command line names.
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().verb.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

// === impl Verb ===

impl Verb {
    fn run(self) -> Result<()> {
        match self {
            Self::Demo(args) => demo::run(&args),
            Self::Wasm => wasm::run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
