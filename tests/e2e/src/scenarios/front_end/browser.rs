//! Browser: a real one, in which pages of the cluster are opened.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context, Result};
use corsward_test_harness::cluster::socks_proxy::SocksProxy;
use serde_json::Value;
use xtask::process::{self, Process};
use xtask::tools;

/// Timeout for all calls of a page.
const TIMEOUT: Duration = Duration::from_secs(90);

/// A browser; its cookies and caches last as long as it does.
#[derive(Debug)]
pub(super) struct Browser {
    process: Process,
    stdin: ChildStdin,
    visits: Receiver<String>,
}

/// The content of a page.
#[derive(Debug)]
pub(super) struct Visit {
    /// The result of each call, by its name, in the order of the page.
    pub(super) rows: Vec<(String, String)>,
    /// The errors in the browser's console.
    pub(super) errors: Vec<String>,
}

// === impl Browser ===

impl Browser {
    /// Starts one that reaches the cluster through the SOCKS proxy.
    pub(super) fn open(socks_proxy: SocksProxy) -> Result<Self> {
        let driver =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenarios/front_end/browser.cjs");
        let mut command = Command::new(tools::node()?);
        command
            .arg(driver)
            .arg(tools::playwright()?)
            .arg(tools::chromium()?)
            .arg(socks_proxy.address().to_string())
            // It ends when this pipe does.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::spawn("the browser", command)?;
        let stdout = process.stdout().context("the browser's stdout is a pipe")?;
        let stdin = process.stdin().context("the browser's stdin is a pipe")?;
        Ok(Self { process, stdin, visits: process::lines(stdout) })
    }

    /// Opens a page and waits until it has made its calls.
    pub(super) fn visit(&mut self, url: &str) -> Result<Visit> {
        writeln!(self.stdin, "{url}").context("tell the browser where to go")?;
        let line = self.visits.recv_timeout(TIMEOUT);
        let line = line.with_context(|| format!("{url} was not done in time; see above why"))?;
        Visit::parse(&line).with_context(|| format!("{url}: {line}"))
    }

    /// Closes it.
    pub(super) fn close(mut self) -> Result<()> {
        drop(self.stdin);
        self.process.wait(TIMEOUT).map(drop)
    }
}

// === impl Visit ===

impl Visit {
    fn parse(line: &str) -> Result<Self> {
        let Value::Object(visit) = serde_json::from_str(line)? else {
            anyhow::bail!("a visit is an object");
        };
        let list = |name: &str| visit.get(name).and_then(Value::as_array).context("a list");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = list("rows")?.iter().map(|row| (text(&row[0]), text(&row[1])));
        Ok(Self { rows: rows.collect(), errors: list("errors")?.iter().map(text).collect() })
    }

    /// Every row that says something else than expected, and every expectation without a row.
    pub(super) fn disagreements(&self, expected: &[(&str, &str)]) -> Vec<String> {
        let mut expected: BTreeMap<&str, &str> = expected.iter().copied().collect();
        let mut wrong = Vec::new();
        for (id, said) in &self.rows {
            match expected.remove(id.as_str()) {
                Some(want) if want == said => {}
                want => wrong.push(format!("{id}: {said}, not {}", want.unwrap_or("there"))),
            }
        }
        wrong.extend(expected.keys().map(|id| format!("{id}: not there")));
        wrong
    }
}
