//! The demo's page in a real browser.

use std::io::Write as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::process::{self, Process};
use crate::{paths, tools};

/// A browser's timeout for a table.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A browser that has the page open.
#[derive(Debug)]
pub struct Browser {
    process: Process,
    stdin: ChildStdin,
    tables: Receiver<String>,
}

/// The page's content after one run of its calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Table {
    /// The configuration under which every row ran.
    pub in_force: Option<u64>,
    /// Whether the page said that no policy is in force.
    pub no_policy: bool,
    /// The rows, in the order of the page.
    pub rows: Vec<Row>,
}

/// A call, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The call's name in `examples/page/rows.json`.
    pub id: String,
    /// The text that the browser shared with the page.
    pub said: String,
    /// The expected text.
    pub expected: String,
}

// === impl Browser ===

impl Browser {
    /// Opens `url` in Chromium.
    ///
    /// # Errors
    ///
    /// Fails if Chromium, Node.js or playwright-core are missing and cannot be had.
    pub fn open(url: &str) -> Result<Self> {
        let mut command = Command::new(tools::node()?);
        command
            .arg(paths::root().join("xtask/src/demo/browser.cjs"))
            .arg(tools::playwright()?)
            .arg(tools::chromium()?)
            .arg(url)
            // A line reloads the page; the browser closes when this pipe does.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::spawn("the browser", command)?;
        let stdout = process.stdout().context("the browser's stdout is a pipe")?;
        let stdin = process.stdin().context("the browser's stdin is a pipe")?;
        Ok(Self { process, stdin, tables: process::lines(stdout) })
    }

    /// Reloads the page: its table runs again, and the browser's cookies stay.
    ///
    /// # Errors
    ///
    /// Fails if the browser has ended.
    pub fn reload(&mut self) -> Result<()> {
        self.stdin.write_all(b"reload\n").context("reload the page")
    }

    /// Waits for the table of the next run.
    ///
    /// # Errors
    ///
    /// Fails if the browser ends or takes too long.
    pub fn next_table(&self) -> Result<Table> {
        self.next_report()
    }

    /// Waits for the next value that the page passes to `tableDone`; any page may be open.
    ///
    /// # Errors
    ///
    /// Fails if the browser ends or takes too long, or the value has an unknown form.
    pub fn next_report<T: DeserializeOwned>(&self) -> Result<T> {
        match self.tables.recv_timeout(TIMEOUT) {
            Ok(line) => serde_json::from_str(&line).with_context(|| format!("a report: {line}")),
            Err(RecvTimeoutError::Timeout) => bail!("the page did not finish its table in time"),
            Err(RecvTimeoutError::Disconnected) => bail!("the browser ended; see above why"),
        }
    }

    /// Waits for a table that ran under a configuration other than `in_force`.
    ///
    /// # Errors
    ///
    /// As [`Browser::next_table`].
    pub fn table_after(&self, in_force: Option<u64>) -> Result<Table> {
        loop {
            let table = self.next_table()?;
            if table.in_force != in_force {
                return Ok(table);
            }
        }
    }

    /// Closes it.
    ///
    /// # Errors
    ///
    /// Fails if it had to be killed.
    pub fn close(mut self) -> Result<()> {
        drop(self.stdin);
        self.process.wait(TIMEOUT).map(drop)
    }
}

// === impl Table ===

impl Table {
    /// The rows in which the browser said something else than expected.
    pub fn disagreements(&self) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.said != row.expected).collect()
    }

    /// The browser's text in the row `id`.
    pub fn said(&self, id: &str) -> Option<&str> {
        self.rows.iter().find(|row| row.id == id).map(|row| row.said.as_str())
    }
}
