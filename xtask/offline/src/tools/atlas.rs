//! Atlas: the applications of `tests/atlas`, each in front of a CORS layer.
//!
//! Each listens on the port of 127.0.0.1 that the environment variable `PORT` names.

use std::process::Command;

use anyhow::Result;

use super::back_ends;
use super::go::Module;

/// A program of `tests/atlas/python`.
///
/// # Errors
///
/// Fails if there is no Python with pip, or a package cannot be fetched.
pub fn python(program: &str) -> Result<Command> {
    back_ends::python("tests/atlas/python", &format!("{program}.py"))
}

/// A program of `tests/atlas/node`.
///
/// # Errors
///
/// Fails if there is no Node.js with npm, or a package cannot be fetched.
pub fn node(program: &str) -> Result<Command> {
    back_ends::node_in_its_folder("tests/atlas/node", &format!("{program}.mjs"))
}

/// A middleware of `tests/atlas/go`.
///
/// # Errors
///
/// Fails if it cannot be built.
pub fn go(program: &str) -> Result<Command> {
    let module = Module::of_ours("the middlewares in Go", "tests/atlas/go", "a minute")?;
    let folder = module.build([("atlas", "corsward.io/tests/atlas/go")].iter())?;
    let mut go = Command::new(folder.join("atlas"));
    go.arg(program);
    Ok(go)
}
