//! `cargo xtask demo --once`: the tour of the README, printed and checked.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::sample::{self, Sample};
use super::stack::Programs;
use crate::wait;

/// Timeout for an edited policy to be in force.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The steps of the tour.
const STEPS: &str = include_str!("tour.json");
/// Response headers that differ from run to run, or belong to one connection only.
const LEFT_OUT: [&str; 4] = ["date", "content-length", "transfer-encoding", "connection"];

/// A step of `tour.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    title: String,
    #[serde(flatten)]
    action: Action,
}

/// The action of a step.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// Sends a request and compares the answer.
    Request { line: String, headers: Vec<String>, expect: Expectation },
    /// Changes a policy file.
    Edit { file: String, replace: String, with: String, outcome: Outcome },
}

/// The expected form of an answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    status: u16,
    /// Lines that must be there.
    #[serde(default)]
    headers: Vec<String>,
    /// No header name may begin with any of these.
    #[serde(default)]
    absent: Vec<String>,
}

/// The effect of an edited policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Accepted,
    Refused,
}

/// The head of an answer.
struct Head {
    status_line: String,
    headers: Vec<String>,
}

/// Runs the tour on a copy of the demo's policies.
pub(super) fn run(programs: &Programs) -> Result<()> {
    let steps: Vec<Step> = serde_json::from_str(STEPS).context("tour.json")?;
    let policies = copy_of_policies()?;
    // The tour alone is what is printed.
    let sample = Sample::start_silent(programs, policies.path())?;
    let toured = walk(&steps, &sample, policies.path());
    if toured.is_err() {
        eprintln!("{}", sample.last_words());
    }
    let stopped = sample.stop();
    toured.and(stopped)
}

/// Performs every step, also after one whose answer is not as expected.
fn walk(steps: &[Step], sample: &Sample, policies: &Path) -> Result<()> {
    let mut differences = Vec::new();
    for (number, step) in (1..).zip(steps) {
        println!("# {number}. {}", step.title);
        let found = step.action.perform(sample, policies)?;
        match found.as_slice() {
            [] => println!(),
            found => println!("! {}\n", found.join("\n! ")),
        }
        differences.extend(found);
    }
    ensure!(differences.is_empty(), "{} answers are not as expected", differences.len());
    println!("{} steps, all as expected.", steps.len());
    Ok(())
}

/// The demo's policies in a folder of their own, which may be edited.
///
/// # Errors
///
/// Fails if they cannot be copied.
pub fn copy_of_policies() -> Result<tempfile::TempDir> {
    let copy = tempfile::Builder::new().prefix("corsward-policies-").tempdir()?;
    for entry in fs::read_dir(sample::policies())? {
        let entry = entry?;
        fs::copy(entry.path(), copy.path().join(entry.file_name()))?;
    }
    Ok(copy)
}

/// Replaces a text that occurs in a policy file.
///
/// # Errors
///
/// Fails if it does not occur, or the file cannot be written.
pub fn edit(file: &Path, replace: &str, with: &str) -> Result<()> {
    let text = fs::read_to_string(file)?;
    ensure!(text.contains(replace), "{} does not contain `{replace}`", file.display());
    fs::write(file, text.replacen(replace, with, 1))?;
    Ok(())
}

// === impl Action ===

impl Action {
    /// Does it, prints it, and returns what is not as expected.
    fn perform(&self, sample: &Sample, policies: &Path) -> Result<Vec<String>> {
        match self {
            Self::Request { line, headers, expect } => {
                let request = request(line, headers);
                print_lines('>', &request);
                let answer = exchange(sample.api(), &request)?;
                print_lines('<', &answer.shown());
                Ok(expect.differences(&answer))
            }
            Self::Edit { file, replace, with, outcome } => {
                print_lines('-', &lines_of(replace));
                print_lines('+', &lines_of(with));
                let before = sample.in_force()?;
                edit(&policies.join(file), replace, with)?;
                let finding = await_outcome(sample, before, *outcome)?;
                print_lines('=', &[finding]);
                Ok(Vec::new())
            }
        }
    }
}

// === impl Expectation ===

impl Expectation {
    fn differences(&self, answer: &Head) -> Vec<String> {
        let Self { status, headers, absent } = self;
        let status_is = answer.status_line.split(' ').nth(1);
        let status =
            (status_is != Some(&status.to_string())).then(|| format!("expected status {status}"));
        let missing = headers
            .iter()
            .filter(|line| !answer.headers.contains(line))
            .map(|line| format!("expected `{line}`"));
        let unwanted = answer
            .headers
            .iter()
            .filter(|line| absent.iter().any(|prefix| line.starts_with(prefix)))
            .map(|line| format!("did not expect `{line}`"));
        status.into_iter().chain(missing).chain(unwanted).collect()
    }
}

// === impl Head ===

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, _body) = text.split_once("\r\n\r\n").context("the answer has no end")?;
        let mut lines = head.split("\r\n").map(str::to_owned);
        let status_line = lines.next().context("the answer is empty")?;
        Ok(Self { status_line, headers: lines.collect() })
    }

    fn shown(&self) -> Vec<String> {
        let worth_showing = |line: &&String| {
            let name = line.split(':').next().unwrap_or_default();
            !LEFT_OUT.iter().any(|left_out| left_out.eq_ignore_ascii_case(name))
        };
        let headers = self.headers.iter().filter(worth_showing);
        std::iter::once(&self.status_line).chain(headers).cloned().collect()
    }
}

/// The lines of a request. `Host` always names the default port, so that the tour prints the same on every machine.
fn request(line: &str, headers: &[String]) -> Vec<String> {
    let first = [format!("{line} HTTP/1.1"), "Host: localhost:8600".to_owned()];
    first.into_iter().chain(headers.iter().cloned()).collect()
}

fn exchange(server: SocketAddr, request: &[String]) -> Result<Head> {
    let mut connection = TcpStream::connect(server)?;
    connection.write_all((request.join("\r\n") + "\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    Head::parse(&answer)
}

fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).collect()
}

fn print_lines(mark: char, lines: &[String]) {
    for line in lines {
        println!("{mark} {line}");
    }
}

/// Waits until the edited policy is in force, or until the operator says why it is not.
fn await_outcome(sample: &Sample, before: Option<u64>, outcome: Outcome) -> Result<String> {
    match outcome {
        Outcome::Accepted => wait::until("the edited policy to be in force", TIMEOUT, || {
            let changed = sample.in_force()? != before;
            Ok(changed.then(|| "in force in Envoy".to_owned()))
        }),
        Outcome::Refused => wait::until("the edited policy to be refused", TIMEOUT, || {
            Ok(first_refusal(&sample.account()?))
        }),
    }
}

/// The first finding of the operator that refuses a policy.
fn first_refusal(account: &serde_json::Value) -> Option<String> {
    let policies = account["policies"].as_array()?;
    let mut findings = policies.iter().filter_map(|policy| policy["findings"].as_array()).flatten();
    let refusal = findings.find(|finding| finding["severity"] == "refusal")?;
    let part = |name: &str| refusal[name].as_str().unwrap_or_default().to_owned();
    Some(format!("{} {}: {}", part("code"), part("field"), part("message")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nvary: Origin\r\ndate: now\r\nx: y\r\n\r\nbody";

    #[test]
    fn what_differs_from_run_to_run_is_not_shown() {
        let head = Head::parse(ANSWER).unwrap();
        assert_eq!(head.shown(), ["HTTP/1.1 200 OK", "vary: Origin", "x: y"]);
    }

    #[test]
    fn every_difference_is_named() {
        let expectation: Expectation = serde_json::from_str(
            r#"{ "status": 204, "headers": ["vary: Origin", "a: b"], "absent": ["x"] }"#,
        )
        .unwrap();
        assert_eq!(
            expectation.differences(&Head::parse(ANSWER).unwrap()),
            ["expected status 204", "expected `a: b`", "did not expect `x: y`"]
        );
    }
}
