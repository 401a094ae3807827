//! The operator binary.

use std::process::ExitCode;

use clap::Parser as _;
use corsward_operator::args::Args;
use corsward_operator::start::{exit_code, start};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    start(Args::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(exit_code(&error))
    })
}
