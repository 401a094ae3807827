//! A real Envoy, started from a [`Bootstrap`], asked through its admin interface, stopped when dropped.
//!
//! ```text
//! Plugin --> Slot --> Listener --> Bootstrap --start--> Envoy --admin--> Stats
//! ```

mod admin;
mod bootstrap;
mod listener;
mod plugin;
mod slot;
pub mod stats_tags;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

pub use self::admin::{Admin, Stats};
pub use self::bootstrap::Bootstrap;
pub use self::listener::{Listener, Refusals, route};
pub use self::plugin::{INERT, NAME, Plugin, Shell};
pub use self::slot::Slot;
use crate::process::Process;
use crate::wait;

/// Timeout for the start and the stop of an Envoy.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The tail of a log in a message: lines, and characters of each.
const TAIL_LINES: usize = 12;
const TAIL_WIDTH: usize = 600;

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: Admin,
    log: PathBuf,
}

// === impl Envoy ===

impl Envoy {
    /// Starts `binary` and waits until it serves. Bootstrap and log are kept in `directory`.
    ///
    /// # Errors
    ///
    /// Fails if Envoy refuses the bootstrap, has no V8 for a Wasm filter, or does not become ready; the
    /// sentence holds the last lines of its log.
    pub fn start(binary: &Path, bootstrap: &Bootstrap, directory: &Path) -> Result<Self> {
        let mut envoy = Self::spawn(binary, bootstrap, directory, Stdio::null())?;
        envoy.wait_until_ready()?;
        Ok(envoy)
    }

    /// Starts `binary` without waiting for more than its admin interface.
    ///
    /// # Errors
    ///
    /// As [`Envoy::start`], readiness apart.
    pub fn spawn(
        binary: &Path,
        bootstrap: &Bootstrap,
        directory: &Path,
        stdout: Stdio,
    ) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let rendered = bootstrap.render();
        let configuration = directory.join("bootstrap.json");
        let log = directory.join("envoy.log");
        let admin_address = directory.join("admin.address");
        // Of an earlier Envoy in the same directory.
        let _ = fs::remove_file(&admin_address);
        fs::write(&configuration, &rendered)?;
        let mut command = Command::new(binary);
        command
            .args(["--disable-hot-restart", "--log-level", "info"])
            // What Envoy waits for before it closes connections that a changed listener leaves.
            .args(["--drain-time-s", "1", "--parent-shutdown-time-s", "2"])
            // Access logs, too, are for somebody who waits.
            .args(["--file-flush-interval-msec", "100"])
            .args(["--concurrency", &bootstrap.workers().to_string()])
            .arg("--config-path")
            .arg(&configuration)
            .arg("--admin-address-path")
            .arg(&admin_address)
            .env("CORSWARD_LABELS", bootstrap.labels())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(File::create(&log)?);
        let mut process = Process::spawn(format!("Envoy ({})", binary.display()), command)?;
        let address = wait::until("Envoy's admin interface", TIMEOUT, || {
            ensure_running(&mut process, &log)?;
            Ok(read_address(&admin_address))
        })?;
        let envoy = Self { process, admin: Admin::new(address), log };
        ensure!(
            !rendered.contains(Shell::Wasm.type_url())
                || envoy.log()?.contains("envoy.wasm.runtime.v8"),
            "{} has no V8 (envoy.wasm.runtime.v8 is missing in its start log): it cannot run the filter; \
             take another version",
            binary.display()
        );
        Ok(envoy)
    }

    /// Waits until Envoy says that it serves.
    ///
    /// # Errors
    ///
    /// Fails if it ends before, or takes too long.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        self.wait_for("Envoy to become ready", |admin| Ok(admin.is_ready()))
    }

    /// Waits until `condition` holds.
    ///
    /// # Errors
    ///
    /// Fails if it does not within half a minute, or Envoy ends, or `condition` fails.
    pub fn wait_for(
        &mut self,
        what: &str,
        mut condition: impl FnMut(&Admin) -> Result<bool>,
    ) -> Result<()> {
        let Self { process, admin, log } = self;
        wait::until(what, TIMEOUT, || {
            ensure_running(process, log)?;
            Ok(condition(admin)?.then_some(()))
        })
        .map_err(|error| match process.exited() {
            // It says so itself.
            Ok(Some(_)) => error,
            _ => anyhow!("{error:#}; Envoy's log ends with:\n{}", tail(log)),
        })
    }

    /// Its admin interface.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The address of its admin interface.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Counters and gauges by name.
    ///
    /// # Errors
    ///
    /// Fails if the admin interface does not answer.
    pub fn stats(&self) -> Result<Stats> {
        self.admin.stats()
    }

    /// Envoy's dump of its configuration.
    ///
    /// # Errors
    ///
    /// Fails if the admin interface does not answer.
    pub fn config_dump(&self) -> Result<serde_json::Value> {
        self.admin.json("/config_dump?include_eds")
    }

    /// The address of a listener, also if Envoy chose its port.
    ///
    /// # Errors
    ///
    /// Fails if Envoy has no such listener.
    pub fn address(&self, listener: &str) -> Result<SocketAddr> {
        self.admin.listener(listener)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The path of its log.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Its log so far.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn log(&self) -> Result<String> {
        read_log(&self.log)
    }

    /// Its exit status, if it has ended.
    ///
    /// # Errors
    ///
    /// Fails if the system does not say.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.process.exited()
    }

    /// Refuses to go on when it has ended.
    ///
    /// # Errors
    ///
    /// Fails if it has; the sentence holds the last lines of its log.
    pub fn ensure_running(&mut self) -> Result<()> {
        ensure_running(&mut self.process, &self.log)
    }

    /// Stops it and waits until it is gone.
    ///
    /// # Errors
    ///
    /// Fails if it did not end by itself.
    pub fn stop(mut self) -> Result<()> {
        self.process.stop(TIMEOUT).map(drop)
    }
}

fn ensure_running(process: &mut Process, log: &Path) -> Result<()> {
    if let Some(status) = process.exited()? {
        bail!("{} ended ({status}); its log ends with:\n{}", process.name(), tail(log));
    }
    Ok(())
}

/// The address once it is written whole.
fn read_address(path: &Path) -> Option<SocketAddr> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn read_log(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last lines of a log, for a message.
pub(crate) fn tail(path: &Path) -> String {
    let text = read_log(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    let cut = |line: &&str| line.chars().take(TAIL_WIDTH).collect::<String>();
    last.iter().map(cut).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
