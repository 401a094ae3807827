//! Page: a page of the documentation, with the policies that it shows and the exchanges that they lead to.
//!
//! A `yaml` block with objects of `corsward.io` is an example. An `http` block after it is what a proxy with the policies of that example
//! does, exchange by exchange, with a blank line between two:
//!
//! ```text
//! # a remark
//! > GET /path HTTP/1.1                     the request
//! > Host: api.shop.example
//! > Origin: https://shop.example
//! ~ HTTP/1.1 401 Unauthorized              the back end's own answer; without such lines, `200 OK`
//! ~ WWW-Authenticate: Bearer
//! < HTTP/1.1 401 Unauthorized              the client's answer: every CORS header of it, and any other
//! < access-control-allow-origin: https://shop.example
//! < vary: Origin
//! = the back end is not asked              only where that is so
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use corsward_browser::CredentialsMode;
use corsward_test_harness::answer::Answer;
use corsward_test_harness::case::{Case, Expect, Request, Upstream};
use corsward_test_harness::text::from_latin1;

/// A line that says that no upstream is asked.
const NOT_ASKED: &str = "the back end is not asked";

/// The mark before a block that is a file of the repository, word for word.
const FILE: (&str, &str) = ("<!-- file: ", " -->");

/// The mark before a block with intended warnings, with their codes.
const WARNS: (&str, &str) = ("<!-- warns: ", " -->");

/// An example of a page, and what follows from it.
#[derive(Clone, Debug)]
pub struct Example {
    /// The page, and the line on which the example begins.
    pub place: String,
    /// The text of its objects.
    pub yaml: String,
    /// The file of the repository that it is a copy of.
    pub file: Option<String>,
    /// The codes of the warnings that it is meant to have.
    pub warns: Vec<String>,
    /// The exchanges of a proxy with its policies.
    pub exchanges: Vec<Exchange>,
}

/// A request, and the answer that the page shows.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request, and the upstream's answer to it.
    pub case: Case,
    /// The client's answer: its status.
    pub status: u16,
    /// The client's answer: its header lines, names in lower case.
    pub headers: Vec<(String, String)>,
}

/// A fenced block of a page.
struct Block<'p> {
    /// The line of its fence, from 1.
    line: usize,
    language: &'p str,
    text: String,
    /// The line above its fence.
    above: &'p str,
}

/// The examples of a page.
///
/// # Errors
///
/// Fails if the page cannot be read, or a block has an unknown form.
pub fn examples(file: &Path) -> Result<Vec<Example>> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut examples: Vec<Example> = Vec::new();
    for block in blocks(&text) {
        let place = format!("{name}:{}", block.line);
        match block.language {
            "yaml" if block.text.contains("apiVersion: corsward.io/") => {
                let example = Example {
                    file: marked(block.above, FILE).map(str::to_owned),
                    warns: marked(block.above, WARNS)
                        .map(|codes| codes.split(", ").map(str::to_owned).collect())
                        .unwrap_or_default(),
                    yaml: block.text,
                    exchanges: Vec::new(),
                    place,
                };
                examples.push(example);
            }
            "http" => {
                let example = examples
                    .last_mut()
                    .with_context(|| format!("{place}: no example stands before it"))?;
                let read = exchanges(&block.text, &place).with_context(|| place.clone())?;
                example.exchanges.extend(read);
            }
            _ => {}
        }
    }
    Ok(examples)
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let (mut open, mut above) = (false, "");
    for (at, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                blocks.push(Block { line: at + 1, language, text: String::new(), above });
                open = true;
            }
            None if open => {
                if let Some(block) = blocks.last_mut() {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
            }
            None => {}
        }
        above = line;
    }
    blocks
}

fn marked<'l>(line: &'l str, (before, after): (&str, &str)) -> Option<&'l str> {
    line.strip_prefix(before)?.strip_suffix(after)
}

fn exchanges(text: &str, place: &str) -> Result<Vec<Exchange>> {
    text.split("\n\n")
        .map(str::trim)
        .filter(|exchange| !exchange.is_empty())
        .enumerate()
        .map(|(at, exchange)| {
            read(exchange, &format!("{place}, exchange {}", at + 1)).context(exchange.to_owned())
        })
        .collect()
}

fn read(text: &str, name: &str) -> Result<Exchange> {
    let (mut request, mut own, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_asked = true;
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("#", _)) => {}
            Some((">", line)) => request.push(line),
            Some(("~", line)) => own.push(line),
            Some(("<", line)) => answer.push(line),
            Some(("=", NOT_ASKED)) => is_asked = false,
            _ => bail!("`{line}` begins with none of `# `, `> `, `~ `, `< `, `= `"),
        }
    }
    let (first, lines) = request.split_first().context("no request")?;
    let [method, path, _] = words(first).try_into().ok().context("no request line")?;
    let lines = headers(lines)?;
    let (host, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(name, _)| name == "host");
    let authority = host.first().map(|(_, host)| host.clone()).context("no `Host`")?;
    let has_cookie = lines.iter().any(|(name, _)| name == "cookie");
    let (first, shown) = answer.split_first().context("no answer")?;
    let (own_status, own) = match own.split_first() {
        Some((first, lines)) => (status(first)?, headers(lines)?),
        None => (200, Vec::new()),
    };
    let bytes = |(name, value): (String, String)| (name, value.into_bytes());
    let case = Case {
        suite: "docs".to_owned(),
        name: name.to_owned(),
        why: text.lines().next().unwrap_or_default().to_owned(),
        request: Request {
            method: method.to_owned(),
            authority,
            path: path.as_bytes().to_vec(),
            headers: lines.into_iter().map(bytes).collect(),
            credentials: if has_cookie { CredentialsMode::Include } else { CredentialsMode::Omit },
        },
        upstream: Upstream { status: own_status, headers: own.into_iter().map(bytes).collect() },
        expect: Expect { upstream_reached: is_asked, ..Expect::default() },
    };
    Ok(Exchange { case, status: status(first)?, headers: headers(shown)? })
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn status(line: &str) -> Result<u16> {
    let words = words(line);
    ensure!(words.first() == Some(&"HTTP/1.1"), "`{line}` is no status line");
    Ok(words.get(1).context("no status")?.parse()?)
}

fn headers(lines: &[&str]) -> Result<Vec<(String, String)>> {
    let header = |line: &&str| {
        let (name, value) = line.split_once(':').with_context(|| format!("`{line}`"))?;
        Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    lines.iter().map(header).collect()
}

// === impl Exchange ===

impl Exchange {
    /// Everything in which an answer is not the one that the page shows; empty: nothing.
    pub fn differences(&self, answer: &Answer) -> Vec<String> {
        let mut differences = Vec::new();
        if answer.status != self.status {
            differences.push(format!("the status is {}", answer.status));
        }
        if answer.upstream_reached != self.case.expect.upstream_reached {
            let word = if answer.upstream_reached { "is" } else { "is not" };
            differences.push(format!("the back end {word} asked"));
        }
        for (name, shown) in &self.headers {
            match answer.get(name).map(|value| from_latin1(&value)) {
                Some(value) if value == *shown => {}
                Some(value) => differences.push(format!("{name} is `{value}`")),
                None => differences.push(format!("{name} is not there")),
            }
        }
        let is_ours = |name: &str| {
            name.starts_with("access-control-") || ["vary", "x-corsward"].contains(&name)
        };
        for (name, value) in answer.lines(is_ours) {
            if !self.headers.iter().any(|(shown, _)| *shown == name) {
                differences.push(format!("{name}: `{}` is there too", from_latin1(value)));
            }
        }
        differences
    }
}
