//! Command: a program that is run to its end, with an input.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The output of a program, and whether it succeeded.
#[derive(Debug)]
pub struct CommandOutput {
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// Its exit status was 0.
    pub success: bool,
    /// Its exit status; `None` if a signal ended it.
    pub code: Option<i32>,
}

// === impl CommandOutput ===

impl CommandOutput {
    /// The standard output of a program that succeeded.
    pub fn ok(self) -> Result<String> {
        if self.success {
            return Ok(self.out.trim_end().to_owned());
        }
        let lines: Vec<&str> =
            self.err.trim_end().lines().filter(|line| !line.starts_with("Warning:")).collect();
        bail!(lines.join("\n"))
    }
}

/// Runs a program to its end.
pub fn run(command: &mut Command, input: &str) -> Result<CommandOutput> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
    let mut stdin = child.stdin.take().context("a program has an input")?;
    // It may end without reading.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let (success, code) = (output.status.success(), output.status.code());
    Ok(CommandOutput { out, err, success, code })
}
