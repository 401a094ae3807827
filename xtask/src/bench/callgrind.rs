//! Instructions of a benchmark, counted by callgrind: the same on a busy machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{build, command};

/// Builds a benchmark, and says where it is.
pub(super) fn program(package: &str, bench: &str) -> Result<PathBuf> {
    let mut cargo = command::cargo();
    cargo.args(["bench", "-p", package, "--bench", bench, "--no-run"]);
    let is_program = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&format!("{bench}-")) && file.extension().is_none()
    };
    let program = build::artifacts(&mut cargo)?.into_iter().find(is_program);
    program.context("cargo built no benchmark")
}

/// Returns the number of instructions in the function `counted` of a benchmark, and what the benchmark prints.
pub(super) fn count(program: &Path, counted: &str, args: &[String]) -> Result<(f64, Vec<u8>)> {
    let scratch = tempfile::tempdir()?;
    let (out, log) = (scratch.path().join("out"), scratch.path().join("log"));
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg(format!("--toggle-collect=*{counted}*"));
    valgrind.arg(program).args(args);
    valgrind.env("VALGRIND_OPTS", {
        let (out, log) = (out.display(), log.display());
        format!("--callgrind-out-file={out} --log-file={log}")
    });
    let printed = command::read(&mut valgrind)?;
    let log = fs::read_to_string(log)?;
    let collected = log.lines().find_map(|line| line.split_once("Collected : "));
    let collected = collected.context("valgrind counted nothing")?.1.trim().parse()?;
    Ok((collected, printed))
}
