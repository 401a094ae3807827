//! `corsward`: policies on a user's machine and in CI.
//!
//! A command is a module of its name: its arguments, and `run`, which prints to the writer it gets and returns an [`Outcome`].

mod args;
mod check;
#[cfg(not(target_family = "wasm"))]
mod collect;
mod completions;
mod diff;
#[cfg(not(target_family = "wasm"))]
mod doctor;
mod explain;
#[cfg(not(target_family = "wasm"))]
mod https;
#[cfg(not(target_family = "wasm"))]
mod import;
mod junit;
#[cfg_attr(target_family = "wasm", path = "live/offline.rs")]
mod live;
mod outcome;
mod output;
pub mod page;
pub mod policies;
mod render;
mod test;

pub mod yaml_text;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::args::Command;
pub use crate::outcome::Outcome;
use crate::output::Output;

/// Runs the command of those arguments, the first of which names the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut out = Output::new(io::stdout().lock());
    let outcome = if args::completes_kubectl(&arguments) {
        completions::kubectl(arguments, &mut out)
    } else {
        match args::parse(&arguments) {
            Ok(args) => run_command(&args.command, &mut out),
            // Help and the version are answers, too.
            Err(error) => error.exit(),
        }
    };
    match outcome.and_then(|outcome| Ok(out.flush().map(|()| outcome)?)) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            output::print_error(&error);
            Outcome::Unusable.into()
        }
    }
}

fn run_command(command: &Command, out: &mut impl io::Write) -> anyhow::Result<Outcome> {
    match command {
        Command::Check(args) => check::run(args, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Test(args) => test::run(args, out),
        Command::Diff(args) => diff::run(args, out),
        #[cfg(not(target_family = "wasm"))]
        Command::Import(args) => import::run(args, out),
        Command::Render(args) => render::run(args, out),
        #[cfg(not(target_family = "wasm"))]
        Command::Doctor(args) => doctor::run(args, out),
        #[cfg(not(target_family = "wasm"))]
        Command::Collect(args) => collect::run(args, out),
        Command::Completions(args) => completions::completions(args, out),
        Command::Man(args) => completions::man(args, out),
    }
}
