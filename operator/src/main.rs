//! The operator binary.

use std::process::ExitCode;

use clap::Parser as _;
use corsward_operator::args::Args;
use corsward_operator::start::start;

fn main() -> ExitCode {
    start(Args::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
