//! Report: the walk of a request through a browser, as text and as JSON.

use std::fmt;
use std::io::{self, Write};

use corsward_browser::{HeaderLine, PageRequest, plan};
use serde::{Serialize, Serializer};

use super::advice::Advice;
use super::diagnosis::Diagnosis;
use super::implementation::Guess;
use super::reply::{Answer, Capture, Judgement};
use crate::output::OneLine;

/// The report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) request: Request,
    /// The targets of the proxy that answers, where the policies have others too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proxy: Option<String>,
    /// The parts of policies that are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    pub(super) steps: Vec<Step>,
    pub(super) result: WalkResult,
    pub(super) diagnoses: Vec<Diagnosis>,
    #[serde(flatten)]
    pub(super) advice: Advice,
    /// The implementation that answered, by its traits.
    pub(super) implementation: Option<Guess>,
}

/// The page's request.
#[derive(Debug, Serialize)]
pub(super) struct Request {
    origin: String,
    method: String,
    url: String,
    headers: Vec<Line>,
    credentials: String,
}

/// The result for the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WalkResult {
    /// The page reads the response.
    Readable,
    /// The browser keeps the response from the page, or sends no request.
    Blocked,
    /// No CORS: the page and the URL have the same origin.
    SameOrigin,
    /// An answer that decides is not known.
    Unknown,
}

/// One step of the browser.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    pub(super) title: String,
    pub(super) details: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<Sent>,
    /// The policy that decides, and those that it takes precedence over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) policies: Vec<Judgement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Received>,
    /// The part of the answer that is taken for granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) assumed: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) passes: Option<bool>,
    pub(super) conclusion: String,
    /// The way to an answer that a capture lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) capture: Option<Capture>,
}

/// A request on the wire.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    method: String,
    target: String,
    headers: Vec<Line>,
}

/// A response on the wire.
#[derive(Debug, Serialize)]
pub(super) struct Received {
    status: u16,
    headers: Vec<Line>,
}

/// A header line.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    #[serde(serialize_with = "lossy")]
    value: Vec<u8>,
}

fn lossy<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(value))
}

fn lines(headers: &[HeaderLine]) -> Vec<Line> {
    let line = |(name, value): &HeaderLine| Line { name: name.clone(), value: value.clone() };
    headers.iter().map(line).collect()
}

// === impl Request ===

impl Request {
    pub(super) fn of(page: &PageRequest) -> Self {
        Self {
            origin: page.origin.to_string(),
            method: page.method.clone(),
            url: page.url.to_string(),
            headers: lines(&page.headers),
            credentials: page.credentials.to_string(),
        }
    }
}

// === impl Sent ===

impl Sent {
    pub(super) fn of(page: &PageRequest, sent: &plan::Sent) -> Self {
        let query = page.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", page.url.path());
        Self { method: sent.method.clone(), target, headers: lines(&sent.headers) }
    }
}

// === impl Received ===

impl Received {
    /// The status and the lines that CORS reads.
    pub(super) fn of(answer: &Answer) -> Self {
        let is_read = |(name, _): &&HeaderLine| {
            let name = name.to_ascii_lowercase();
            name.starts_with("access-control-")
                || matches!(name.as_str(), "vary" | "location" | "www-authenticate" | "x-corsward")
        };
        let read: Vec<HeaderLine> = answer.headers.iter().filter(is_read).cloned().collect();
        Self { status: answer.status, headers: lines(&read) }
    }
}

// === impl Report ===

impl Report {
    /// Whether the page is not known to read the response, or there is a fault to report.
    pub(super) fn has_fault(&self) -> bool {
        matches!(self.result, WalkResult::Blocked | WalkResult::Unknown)
            || !self.diagnoses.is_empty()
    }

    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let marks = Marks::new();
        let Request { origin, method, url, headers: _, credentials } = &self.request;
        let mut line = |text: fmt::Arguments<'_>| writeln!(out, "{}", OneLine(text));
        line(format_args!("{method} {url}"))?;
        line(format_args!("from a page of {origin}, credentials: {credentials}"))?;
        if let Some(proxy) = &self.proxy {
            line(format_args!("to the proxy of {proxy}"))?;
        }
        for note in &self.notes {
            line(format_args!("note: {note}"))?;
        }
        writeln!(out)?;
        for (at, step) in self.steps.iter().enumerate() {
            step.print(at.saturating_add(1), &marks, out)?;
        }
        let (mark, result) = match self.result {
            WalkResult::Readable => (marks.good, "the page reads the response"),
            WalkResult::Blocked => (marks.bad, "the browser blocks the request"),
            WalkResult::SameOrigin => (marks.good, "no CORS: the page reads every response"),
            WalkResult::Unknown => (marks.open, "unknown: the deciding answer is not here"),
        };
        writeln!(out, "{mark} {result}")?;
        for Diagnosis { code, message, fix } in &self.diagnoses {
            let kind = if code.is_beside_cors() { " (not CORS)" } else { "" };
            writeln!(out, "\n{}{kind}: {}", code.word(), OneLine(message))?;
            if self.advice.edits.is_empty() || code.is_beside_cors() {
                writeln!(out, "   fix: {fix}")?;
            }
        }
        if !self.advice.edits.is_empty() {
            writeln!(out, "\nthe request passes with these edits:")?;
            for edit in &self.advice.edits {
                writeln!(out, "   {}", OneLine(edit))?;
            }
        }
        if let Some(refused) = &self.advice.refused {
            writeln!(out, "\nan edit that validation refuses:\n   {}", OneLine(refused))?;
        }
        if let Some(guess) = &self.implementation {
            writeln!(out, "\n{}", OneLine(guess))?;
        }
        Ok(())
    }
}

// === impl Step ===

impl Step {
    fn print(&self, number: usize, marks: &Marks, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{number}. {}", OneLine(&self.title))?;
        for detail in &self.details {
            writeln!(out, "   - {}", OneLine(detail))?;
        }
        if let Some(sent) = &self.sent {
            let Sent { method, target, headers } = sent;
            writeln!(out, "   sends    {}", OneLine(format_args!("{method} {target}")))?;
            print(headers, out)?;
        }
        for policy in &self.policies {
            writeln!(out, "   policy   {}", OneLine(policy))?;
        }
        if let Some(answer) = &self.answer {
            writeln!(out, "   gets     {}", answer.status)?;
            print(&answer.headers, out)?;
        }
        if let Some(assumed) = self.assumed {
            writeln!(out, "   assumed  {assumed}")?;
        }
        if !self.conclusion.is_empty() {
            let mark = match self.passes {
                Some(true) => marks.good,
                Some(false) => marks.bad,
                None => marks.open,
            };
            writeln!(out, "   {mark} {}", OneLine(&self.conclusion))?;
        }
        if let Some(Capture { command, option }) = &self.capture {
            writeln!(out, "     `{option}` takes the output of this command:")?;
            writeln!(out, "     {}", OneLine(command))?;
        }
        writeln!(out)
    }
}

fn print(headers: &[Line], out: &mut impl Write) -> io::Result<()> {
    for Line { name, value } in headers {
        let value = String::from_utf8_lossy(value);
        writeln!(out, "            {}", OneLine(format_args!("{name}: {value}")))?;
    }
    Ok(())
}

/// The marks of results, in colour on a terminal.
struct Marks {
    good: &'static str,
    bad: &'static str,
    open: &'static str,
}

// === impl Marks ===

impl Marks {
    fn new() -> Self {
        let choice = anstream::AutoStream::choice(&io::stdout());
        if choice == anstream::ColorChoice::Never {
            Self { good: "✓", bad: "✗", open: "?" }
        } else {
            Self { good: "\x1b[32m✓\x1b[0m", bad: "\x1b[31m✗\x1b[0m", open: "\x1b[33m?\x1b[0m" }
        }
    }
}
