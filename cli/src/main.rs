//! The binary `corsward`, which is also `kubectl-corsward` and `kubectl-cors`.

use std::process::ExitCode;

#[cfg(target_family = "wasm")]
use std::io;

#[cfg(not(target_family = "wasm"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(not(target_family = "wasm"))]
fn main() -> ExitCode {
    corsward_cli::run(std::env::args_os())
}

/// In a page there are no arguments: its fields come from standard input.
#[cfg(target_family = "wasm")]
fn main() -> ExitCode {
    let answer = io::read_to_string(io::stdin()).map_err(Into::into);
    match answer.and_then(|case| corsward_cli::page::answer(&case)) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
