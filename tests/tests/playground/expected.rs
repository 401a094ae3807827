//! Expected content: the JSON of the real commands, as the page shows it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use xtask::build;

/// The values of the page's fields.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    pub(crate) policy: String,
    origin: String,
    method: String,
    url: String,
    headers: String,
    credentials: String,
}

/// The content of the page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shown {
    count: String,
    pub(crate) findings: Vec<Found>,
    pub(crate) result: String,
    pub(crate) notes: Vec<String>,
    pub(crate) steps: Vec<Step>,
    diagnoses: Vec<Diagnosis>,
    pub(crate) edits: Vec<String>,
    refused: Vec<String>,
}

/// A finding of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    pub(crate) code: String,
    pub(crate) line: String,
    field: String,
    pub(crate) subject: String,
    fault: String,
    fix: String,
}

/// A step of the browser.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    title: String,
    details: Vec<String>,
    sent: String,
    policies: Vec<String>,
    answer: String,
    assumed: String,
    passes: String,
    conclusion: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Diagnosis {
    code: String,
    fault: String,
    fix: String,
}

/// The content that belongs to those fields, by the commands.
pub(crate) fn expected(fields: &Fields) -> Result<Shown> {
    let (checked, _) = run(&["check", "--output=json", "-"], &fields.policy)?;
    let Fields { policy, origin, method, url, headers, credentials } = fields;
    let mut args = vec!["explain".to_owned(), "--output=json".to_owned(), "-".to_owned()];
    args.push(format!("--origin={}", origin.trim()));
    args.push(format!("--url={}", url.trim()));
    args.push(format!("--method={}", method.trim()));
    let lines = headers.lines().map(str::trim).filter(|line| !line.is_empty());
    args.extend(lines.map(|line| format!("--header={line}")));
    args.push(format!("--credentials={credentials}"));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (explained, said) = run(&args, policy)?;
    let mut notes: Vec<String> = Some(plain(&note(&said))).into_iter().collect();
    notes.extend(
        explained["proxy"].as_str().map(|proxy| format!("The proxy of {} answers.", plain(proxy))),
    );
    notes.extend(texts(&explained["notes"]));
    notes.retain(|note| !note.is_empty());

    let findings: Vec<Value> = list(&checked);
    let edits: Vec<String> = texts(&explained["edits"]);
    let result = explained["result"].as_str().unwrap_or("none");
    Ok(Shown {
        count: count(&findings),
        findings: findings.iter().map(Found::of).collect(),
        result: result.to_owned(),
        notes,
        steps: list(&explained["steps"]).iter().map(Step::of).collect(),
        diagnoses: list(&explained["diagnoses"])
            .iter()
            .map(|diagnosis| Diagnosis::of(diagnosis, !edits.is_empty()))
            .collect(),
        refused: explained["refused"].as_str().map(plain).into_iter().collect(),
        edits,
    })
}

/// The JSON that the command prints, or nothing, and what it says beside.
fn run(args: &[&str], input: &str) -> Result<(Value, String)> {
    static CORSWARD: OnceLock<PathBuf> = OnceLock::new();
    let program = match CORSWARD.get() {
        Some(program) => program,
        None => CORSWARD.get_or_init(|| build::command_line().unwrap_or_default()),
    };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("run {}", program.display()))?;
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().context("stdin is a pipe")?.write_all(input.as_bytes());
    let output = child.wait_with_output()?;
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Ok((json, String::from_utf8(output.stderr)?))
}

fn count(findings: &[Value]) -> String {
    let of = |severity: &str| {
        let number = findings.iter().filter(|it| it["severity"] == severity).count();
        let many = if number == 1 { "" } else { "s" };
        (number > 0).then(|| format!("{number} {severity}{many}"))
    };
    let counts: Vec<String> = ["refusal", "warning", "hint"].into_iter().filter_map(of).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

/// The last line that a command says, without its label. The page's findings are beside its notes, so it names no command for them.
fn note(said: &str) -> String {
    let note = said.lines().last().unwrap_or_default();
    let note = note.strip_prefix("error: ").or(note.strip_prefix("warning: ")).unwrap_or(note);
    note.replace(" at -", "").replace("`corsward check` says", "the findings say")
}

/// Text without the marks of code, as HTML shows it at the ends.
fn plain(text: &str) -> String {
    text.replace('`', "").trim().to_owned()
}

fn text(value: &Value) -> String {
    plain(value.as_str().unwrap_or_default())
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}

/// A request or a response: its first line, and its headers.
fn message(first: String, headers: &Value) -> String {
    let line = |header: &Value| {
        let part = |name: &str| header[name].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", part("name"), part("value"))
    };
    let lines: Vec<String> = std::iter::once(first).chain(list(headers).iter().map(line)).collect();
    lines.join("\n").trim().to_owned()
}

// === impl Found ===

impl Found {
    fn of(finding: &Value) -> Self {
        let subject = format!("{} {}", text(&finding["kind"]), text(&finding["object"]));
        Self {
            code: format!("{} {}", text(&finding["code"]), text(&finding["severity"])),
            line: format!("line {}", finding["line"]),
            field: finding["field"].as_str().unwrap_or_default().trim().to_owned(),
            subject: subject.trim().to_owned(),
            fault: text(&finding["fault"]),
            fix: text(&finding["fix"]),
        }
    }
}

// === impl Step ===

impl Step {
    fn of(step: &Value) -> Self {
        let (sent, answer) = (&step["sent"], &step["answer"]);
        let first =
            format!("{} {}", text(&sent["method"]), sent["target"].as_str().unwrap_or_default());
        let judged = |policy: &Value| {
            let role = match policy["role"].as_str() {
                Some("dryRun") => "in a dry run ",
                Some("overridden") => "alone ",
                _ => "",
            };
            let [name, verdict, why] = ["policy", "verdict", "why"].map(|it| text(&policy[it]));
            format!("{name} {role}{verdict}{why}")
        };
        Self {
            title: text(&step["title"]),
            details: texts(&step["details"]),
            sent: if sent.is_null() { String::new() } else { message(first, &sent["headers"]) },
            policies: list(&step["policies"]).iter().map(judged).collect(),
            answer: if answer.is_null() {
                String::new()
            } else {
                message(answer["status"].to_string(), &answer["headers"])
            },
            assumed: text(&step["assumed"]),
            passes: match step["passes"].as_bool() {
                Some(true) => "passes",
                Some(false) => "fails",
                None => "open",
            }
            .to_owned(),
            conclusion: text(&step["conclusion"]),
        }
    }
}

// === impl Diagnosis ===

impl Diagnosis {
    fn of(diagnosis: &Value, has_edits: bool) -> Self {
        Self {
            code: text(&diagnosis["code"]),
            fault: text(&diagnosis["message"]),
            fix: if has_edits { String::new() } else { text(&diagnosis["fix"]) },
        }
    }
}
