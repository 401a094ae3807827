//! The binary `corsward`, which is also `kubectl-corsward` and `kubectl-cors`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    corsward_cli::run(std::env::args_os())
}
