//! Stack: operator and Envoy, with a folder of policies in force on a listener.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io, thread};

use anyhow::Result;
use serde_json::Value;
use tempfile::TempDir;

use super::operator::Operator;
use crate::envoy::{Admin, Bootstrap, Envoy, Plugin, Shell, Slot, tail};
use crate::http::Client;
use crate::{build, native, tools, wait, wasm};

/// Timeout for the first configuration.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Envoy's file for refused requests, if the terminal is to stay silent.
const REFUSALS: &str = "refusals.log";

/// The programs that a stack consists of.
#[derive(Clone, Debug)]
pub struct Programs {
    envoy: PathBuf,
    operator: PathBuf,
    module: PathBuf,
}

/// The output of operator and Envoy in the terminal: policies accepted and refused, requests refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// All of it.
    Full,
    /// All but the operator's hints: the demo's page shows them.
    NoHints,
    /// Nothing: it goes to files, for the message when something fails.
    Silent,
}

/// Operator and Envoy at work. Dropping it ends both and removes what they wrote.
pub(super) struct Stack {
    // Fields are dropped in this order: the folder last.
    operator: Operator,
    envoy: Envoy,
    slot: Slot,
    /// The filter's gauge: which configuration it runs.
    digest_gauge: String,
    folder: TempDir,
}

/// Asks a stack what is in force, also from other threads.
#[derive(Clone)]
pub(super) struct Watch {
    operator: Client,
    envoy: Admin,
    digest_gauge: String,
}

/// The observations of a [`Watch`].
pub(super) struct Seen {
    /// The digest of the configuration that Envoy runs, as far as a gauge holds it.
    pub(super) in_force: Option<u64>,
    /// The operator's own account of every policy.
    pub(super) policies: Value,
}

// === impl Programs ===

impl Programs {
    /// Builds filter and operator, and finds or fetches Envoy.
    ///
    /// # Errors
    ///
    /// Fails if something does not compile or cannot be had.
    pub fn get(shell: Shell) -> Result<Self> {
        let envoy = thread::spawn(|| tools::envoy(tools::ENVOY_VERSION));
        let module = match shell {
            Shell::Wasm => wasm::build()?,
            Shell::Native => native::build()?,
        };
        let operator = build::operator()?;
        let envoy = envoy.join().map_err(|_| io::Error::other("fetching Envoy panicked"))??;
        Ok(Self { envoy, operator, module })
    }
}

// === impl Stack ===

impl Stack {
    /// Starts both and waits until the first configuration is in force. `bootstrap` gets the filter
    /// to put into its listener.
    pub(super) fn start(
        programs: &Programs,
        policies: &Path,
        voice: Voice,
        bootstrap: impl FnOnce(Value) -> Bootstrap,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("corsward-demo-").tempdir()?;
        let published = folder.path().join("published");
        fs::create_dir(&published)?;
        let Programs { envoy, operator, module } = programs;
        let plugin = Plugin::new(module);
        let digest_gauge = plugin.shell().stat("config.digest");
        let slot = Slot::new(&published, plugin);
        slot.publish_default()?;
        let operator =
            Operator::spawn(operator, module, policies, &published, folder.path(), voice)?;
        let bootstrap = bootstrap(slot.http_filter());
        // Refused requests are reported there, a line each.
        let stdout = match voice {
            Voice::Full | Voice::NoHints => Stdio::from(io::stderr()),
            Voice::Silent => Stdio::from(File::create(folder.path().join(REFUSALS))?),
        };
        let envoy = Envoy::spawn(envoy, &bootstrap, folder.path(), stdout)?;
        let mut stack = Self { operator, envoy, slot, digest_gauge, folder };
        let started = stack.envoy.wait_until_ready().and_then(|()| stack.wait_until_in_force());
        if voice == Voice::Silent && started.is_err() {
            eprintln!("{}", stack.last_words());
        }
        started.map(|()| stack)
    }

    pub(super) fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    pub(super) fn operator_addr(&self) -> SocketAddr {
        self.operator.admin().address()
    }

    pub(super) fn watch(&self) -> Watch {
        Watch {
            operator: self.operator.admin().clone(),
            envoy: self.envoy.admin().clone(),
            digest_gauge: self.digest_gauge.clone(),
        }
    }

    /// Waits until Envoy runs what the operator has published.
    ///
    /// The gauge is written on Envoy's main thread, just before that thread hands the configuration
    /// to the workers, and the admin interface answers on the same thread: once it shows the new
    /// digest, every worker has the change in its queue, before any request that comes later.
    pub(super) fn wait_until_in_force(&mut self) -> Result<()> {
        wait::until("the first configuration to be in force", TIMEOUT, || {
            self.ensure_running()?;
            let Some(published) = self.published_digest() else { return Ok(None) };
            let in_force = self.envoy.admin().stat(&self.digest_gauge)?;
            Ok((in_force == Some(published)).then_some(()))
        })
    }

    pub(super) fn ensure_running(&mut self) -> Result<()> {
        self.operator.ensure_running()?;
        self.envoy.ensure_running()
    }

    /// The last output of a silent stack, for the message about a failure.
    pub(super) fn last_words(&self) -> String {
        let (operator, refusals) =
            (self.operator.last_words(), tail(&self.folder.path().join(REFUSALS)));
        format!("The operator's log ends with:\n{operator}\nrefused requests, last:\n{refusals}")
    }

    pub(super) fn stop(self) -> Result<()> {
        self.envoy.stop()?;
        self.operator.stop()
    }

    /// The digest in the discovery file, cut to what a gauge holds.
    fn published_digest(&self) -> Option<u64> {
        let text = fs::read_to_string(self.slot.file()).ok()?;
        let (_, digest) = text.split_once("sha256:")?;
        gauge_of(digest.get(..64)?)
    }
}

// === impl Watch ===

impl Watch {
    pub(super) fn look(&self) -> Result<Seen> {
        Ok(Seen {
            in_force: self.envoy.stat(&self.digest_gauge)?,
            policies: self.operator.json("/policies")?,
        })
    }
}

/// The first 53 bits of a digest: a gauge that passes through a double keeps no more.
fn gauge_of(hexadecimal: &str) -> Option<u64> {
    let bits = u64::from_str_radix(hexadecimal.get(..16)?, 16).ok()?;
    Some(bits >> 11)
}
