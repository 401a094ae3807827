//! The operator as a child process.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::stack::Voice;
use crate::envoy::{Shell, tail};
use crate::http::Client;
use crate::ports;
use crate::process::Process;

/// Timeout for its stop.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The log lines without the findings that are hints: those come again with each edit.
const NO_HINTS: &str = "info,[{code}]=warn";

/// A running operator that turns a folder of policies into a discovery file.
pub(super) struct Operator {
    process: Process,
    admin: Client,
    log: PathBuf,
}

// === impl Operator ===

impl Operator {
    /// Starts it; `folder` takes its state and log, `published` what Envoy reads.
    pub(super) fn spawn(
        program: &Path,
        module: &Path,
        policies: &Path,
        published: &Path,
        folder: &Path,
        voice: Voice,
    ) -> Result<Self> {
        let admin = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let log = folder.join("operator.log");
        let mut command = Command::new(program);
        command
            .args(["run", "--source", &format!("dir:{}", policies.display())])
            .args(["--publish", &format!("file:{}", published.display())])
            .args(["--filter", Shell::of(module).name()])
            .arg("--module")
            .arg(module)
            .args(["--admin", &admin.to_string()])
            .arg("--state")
            .arg(folder.join("last-good.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if voice == Voice::NoHints {
            command.args(["--log", NO_HINTS]);
        }
        let mut process = Process::spawn("the operator", command)?;
        let said = process.stderr().context("the operator's stderr is a pipe")?;
        let file = File::create(&log)?;
        thread::spawn(move || pass_on(said, file, voice));
        Ok(Self { process, admin: Client::new(admin), log })
    }

    pub(super) fn admin(&self) -> &Client {
        &self.admin
    }

    /// The last lines of its log.
    pub(super) fn last_words(&self) -> String {
        tail(&self.log)
    }

    pub(super) fn ensure_running(&mut self) -> Result<()> {
        if let Some(status) = self.process.exited()? {
            bail!("the operator ended ({status}); its log ends with:\n{}", self.last_words());
        }
        Ok(())
    }

    pub(super) fn stop(mut self) -> Result<()> {
        self.process.stop(TIMEOUT).map(drop)
    }
}

/// Copies its output to its log, for the message at its death, and to the user's terminal.
fn pass_on(said: ChildStderr, mut log: File, voice: Voice) {
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        // Neither a full disk nor a closed terminal may stop the operator.
        let _ = writeln!(log, "{line}");
        if voice != Voice::Silent {
            let _ = writeln!(std::io::stderr(), "operator: {line}");
        }
    }
}
