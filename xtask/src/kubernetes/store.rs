//! The store of an API server.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{log_to, tail_of};
use crate::process::Process;
use crate::{ports, wait};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A running etcd.
#[derive(Debug)]
pub struct Store {
    etcd: Process,
    url: String,
}

// === impl Store ===

impl Store {
    pub(super) fn start(program: &Path, directory: &Path) -> Result<Self> {
        let url = format!("http://127.0.0.1:{}", ports::free());
        let log = directory.join("etcd.log");
        let mut etcd = Command::new(program);
        etcd.current_dir(directory).args(["--name=test", "--data-dir=etcd", "--log-level=warn"]);
        // What a test wrote need not survive the machine.
        etcd.args(["--unsafe-no-fsync", "--listen-peer-urls=http://127.0.0.1:0"]);
        etcd.arg(format!("--listen-client-urls={url}"));
        etcd.arg(format!("--advertise-client-urls={url}"));
        log_to(&log, &mut etcd)?;
        let mut store = Self { etcd: Process::spawn("etcd", etcd)?, url };
        store.wait_until_ready().with_context(|| tail_of(&log))?;
        Ok(store)
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it in the middle of its work, until it is resumed.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be signalled.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be signalled.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Forgets every version of every object but the last: who asks for what followed an older one is answered 410.
    ///
    /// # Errors
    ///
    /// Fails if etcd does not.
    pub fn compact(&self) -> Result<()> {
        let now = self.ask("range", &json!({ "key": "AA==" }))?["header"]["revision"].clone();
        self.ask("compaction", &json!({ "revision": now, "physical": true })).map(drop)
    }

    /// Looks whether it still knows what was so at a revision.
    ///
    /// # Errors
    ///
    /// Fails if it does not.
    pub fn knows_revision(&self, revision: u64) -> Result<()> {
        self.ask("range", &json!({ "key": "AA==", "revision": revision })).map(drop)
    }

    fn ask(&self, what: &str, question: &Value) -> Result<Value> {
        let url = format!("{}/v3/kv/{what}", self.url);
        let mut answer = ureq::post(&url).send(question.to_string())?;
        Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.etcd.pid()).ok().and_then(Pid::from_raw);
        let pid = pid.context("etcd has a process id")?;
        kill_process(pid, signal).with_context(|| format!("send {signal:?} to etcd"))
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let url = format!("{}/health", self.url);
        wait::until("etcd to be ready", TIMEOUT, || {
            let ended = self.etcd.exited()?;
            ensure!(ended.is_none(), "it ended: {ended:?}");
            Ok(ureq::get(&url).call().is_ok().then_some(()))
        })
    }
}
