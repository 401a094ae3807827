//! The core by itself, outside any proxy: `policy/benches/decide.rs`.

use anyhow::Result;

use crate::command;

/// Runs the native benchmarks for the tables that they print.
pub(super) fn measure() -> Result<String> {
    let mut cargo = command::cargo();
    cargo.args(["bench", "--quiet", "-p", "corsward-policy", "--bench", "decide"]);
    eprintln!("$ {}", command::shown(&cargo));
    Ok(String::from_utf8(command::read(&mut cargo)?)?)
}
