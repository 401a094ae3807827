//! Check: every finding about the policies of files, and an exit code.

mod codes;
mod diagnostic;
mod fix;
mod github;
mod json;
mod junit;
mod sarif;
mod text;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use corsward_policy::Severity;

use self::diagnostic::Diagnostic;
use self::fix::Fixes;
use crate::outcome::Outcome;
use crate::output::note;
use crate::policies::{FileFinding, Policies, Subject, map};

const EXAMPLES: &str = "\
Examples:
  Check the policies below a folder, and the objects beside them:
    corsward check deploy/
  Check what a template makes:
    helm template shop ./chart | corsward check -
  Mark the lines of a pull request:
    corsward check -o github --deny-warnings deploy/
  Leave out a finding that is known, about one policy or about all:
    corsward check --suppress CORS-W001=shop/api --suppress CORS-I004 deploy/
  Make the edits that findings propose, and print what is left:
    corsward check --fix deploy/
  Explain the codes:
    corsward check --list

Exit codes: 0 no policy is refused, 1 one is, or a warning is denied, 2 a file cannot be read, or none holds an object of corsward.io.";

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Files, folders with all that is below them, or `-`, standard input. Guardrails, origin sets, Namespaces, Services and Gateways in them
    /// count; others may be in the cluster.
    #[arg(required_unless_present = "list", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The format.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    /// A finding to leave out: its code, and the object where it is about one alone.
    #[arg(long, value_name = "CODE[=NAMESPACE/NAME]", value_delimiter = ',')]
    suppress: Vec<Suppression>,
    /// Exit 1 if there is a warning.
    #[arg(long)]
    deny_warnings: bool,
    /// Make the edits that findings propose in the files first. Comments and the rest of each file stay as they are; a word of
    /// `dangerouslyAllow` is never written.
    #[arg(long)]
    fix: bool,
    /// Print every code with its severity, an example and the fix.
    #[arg(long)]
    list: bool,
}

/// A format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Each finding with its text, underlined.
    #[default]
    Text,
    /// A list of objects.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Commands of GitHub's runners, which mark lines of a pull request.
    Github,
    /// The XML of `JUnit`: each policy is a test.
    Junit,
}

/// A finding to leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Suppression {
    code: String,
    object: Option<String>,
}

/// Checks the files.
pub(crate) fn run(args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if args.list {
        return list(out);
    }
    let fixes = if args.fix { fix::fix(&args.paths, &args.suppress)? } else { Fixes::default() };
    let policies = Policies::read(&args.paths);
    let mut diagnostics = diagnostics(&policies);
    for diagnostic in &mut diagnostics {
        diagnostic.is_suppressed = diagnostic.is_suppressed(&args.suppress);
    }
    let denied = if args.deny_warnings { Severity::Warning } else { Severity::Refusal };
    match args.output {
        Format::Text => text::write(&diagnostics, out)?,
        Format::Json => json::write(&diagnostics, out)?,
        Format::Sarif => sarif::write(&diagnostics, out)?,
        Format::Github => github::write(&diagnostics, out)?,
        Format::Junit => junit::write(&policies, &diagnostics, denied, out)?,
    }
    out.flush()?;
    for left in &fixes.left {
        note(left);
    }
    if args.fix {
        note(format_args!("{} made", count(fixes.made, "edit", "edits")));
    }
    note(summary(&policies, &diagnostics));
    Ok(outcome(&policies, &diagnostics, denied))
}

/// The diagnostics of all files. A text is read again where there is a finding about it, and nowhere else.
fn diagnostics(policies: &Policies) -> Vec<Diagnostic<'_>> {
    let mut files: BTreeMap<usize, Vec<&FileFinding>> = BTreeMap::new();
    for found in &policies.findings {
        files.entry(found.place.file).or_default().push(found);
    }
    let files = files.into_iter().collect();
    map(files, |(file, found)| diagnostic::of_file(policies, file, found))
        .into_iter()
        .flatten()
        .collect()
}

fn outcome(policies: &Policies, diagnostics: &[Diagnostic<'_>], denied: Severity) -> Outcome {
    let outcomes = diagnostics.iter().filter(|it| !it.is_suppressed).map(|it| {
        let is_unreadable = it.found.place.document.is_none();
        match it.severity() {
            Severity::Refusal if is_unreadable => Outcome::Unusable,
            severity if severity <= denied => Outcome::Fault,
            _ => Outcome::Success,
        }
    });
    // A wrong path must not pass for a good policy.
    let is_empty = policies.policies.is_empty() && policies.dependencies == 0;
    let nothing = if is_empty { Outcome::Unusable } else { Outcome::Success };
    outcomes.max().unwrap_or(nothing)
}

/// The last line: the number of policies, files and findings.
fn summary(policies: &Policies, diagnostics: &[Diagnostic<'_>]) -> String {
    let total = count(policies.policies.len(), "policy", "policies");
    let total = format!("{total} in {}", count(policies.files.len(), "file", "files"));
    let of = |severity| {
        let shown = diagnostics.iter().filter(|it| !it.is_suppressed);
        shown.filter(|it| it.severity() == severity).count()
    };
    let suppressed = diagnostics.iter().filter(|it| it.is_suppressed).count();
    let counts = [
        (of(Severity::Refusal), "refusal", "refusals"),
        (of(Severity::Warning), "warning", "warnings"),
        (of(Severity::Hint), "hint", "hints"),
        (suppressed, "finding suppressed", "findings suppressed"),
    ];
    let counts = counts.iter().filter(|(number, ..)| *number > 0);
    let counts: Vec<String> = counts.map(|(number, one, many)| count(*number, one, many)).collect();
    let is_empty = policies.policies.is_empty() && policies.dependencies == 0;
    match (counts.as_slice(), is_empty) {
        ([], true) => format!("{total}: nothing of corsward.io was found"),
        ([], false) => format!("{total}: no finding"),
        (counts, _) => format!("{total}: {}", counts.join(", ")),
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Prints every code.
fn list(out: &mut impl Write) -> anyhow::Result<Outcome> {
    for row in codes::all() {
        writeln!(out, "{row}")?;
    }
    Ok(Outcome::Success)
}

// === impl Diagnostic ===

impl Diagnostic<'_> {
    fn is_suppressed(&self, suppressions: &[Suppression]) -> bool {
        let (code, subject) = (self.sentence.code, self.found.subject.as_ref());
        suppressions.iter().any(|it| it.matches(code, subject))
    }
}

// === impl Suppression ===

impl Suppression {
    fn matches(&self, code: &str, subject: Option<&Subject>) -> bool {
        let is_object = |object: &String| subject.is_some_and(|it| it.name() == *object);
        self.code == code && self.object.as_ref().is_none_or(is_object)
    }
}

impl FromStr for Suppression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (code, object) = match text.split_once('=') {
            Some((code, object)) => (code, Some(object.to_owned())),
            None => (text, None),
        };
        if codes::all().all(|known| known.code != code) {
            return Err(format!("`{code}` is no code: `corsward check --list` prints all of them"));
        }
        Ok(Self { code: code.to_owned(), object })
    }
}
