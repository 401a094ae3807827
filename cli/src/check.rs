//! Check: every finding about the policies of files, and an exit code.

mod applicability;
mod change;
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
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::bail;
use clap::ValueEnum;
use corsward_policy::Severity;

use self::diagnostic::Diagnostic;
use self::fix::Fixes;
use crate::live::ClusterArgs;
use crate::outcome::Outcome;
use crate::output::{note, write_json};
use crate::policies::{FileFinding, FileSource, LiveObjects, Place, Policies, Subject, map};

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
  Make the safe edits, and print what is left:
    corsward check --fix deploy/
  Check what is in the cluster of the current context:
    corsward check --cluster
  Check files as the cluster would have them, and fail for what they introduce alone:
    corsward check --cluster --context staging deploy/
  Explain the codes:
    corsward check --list

Exit codes: 0 no policy is refused, 1 one is, or a warning is denied, 2 a file cannot be read, none holds an object of corsward.io, or the
cluster does not answer. With --cluster and PATH the findings that the files introduce count.";

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct CheckArgs {
    /// Files, folders with all that is below them, or `-`, standard input. Guardrails, origin sets, Namespaces, Services and Gateways in them
    /// count; others may be in the cluster.
    #[arg(required_unless_present_any = ["list", "cluster"], value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The format.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    /// A finding to leave out: its code, and the object where it is about one alone.
    #[arg(long, value_name = "CODE[=NAMESPACE/NAME]", value_delimiter = ',')]
    suppress: Vec<Suppression>,
    /// Exit 1 if there is a warning.
    #[arg(long)]
    deny_warnings: bool,
    /// Make the safe edits of findings in the files first: those that write what the text means. Comments and the rest of each file stay as
    /// they are; a word of `dangerouslyAllow` is never written.
    #[arg(long, conflicts_with = "cluster")]
    fix: bool,
    /// With `--fix`: make the other edits too: one of several, those with a condition, and those that change what a policy does. Read the
    /// change.
    #[arg(long, requires = "fix")]
    unsafe_fixes: bool,
    /// Print every code with its severity, the class of its edits, an example and the fix, as text or JSON.
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

/// The checked objects.
struct Checked {
    policies: Policies,
    /// The cluster without the files, where they are laid over one.
    before: Option<Policies>,
    /// The name of the cluster.
    cluster: Option<String>,
}

/// Checks the files.
pub(crate) fn run(args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if args.list {
        return list(args.output, out);
    }
    let fixes = if args.fix {
        fix::fix(&args.paths, &args.suppress, args.unsafe_fixes)?
    } else {
        Fixes::default()
    };
    // The process ends soon, and returns the memory of ten thousand policies in one step.
    let checked = ManuallyDrop::new(Checked::read(args)?);
    let (policies, mut diagnostics) = (&checked.policies, checked.diagnostics());
    for diagnostic in &mut diagnostics {
        diagnostic.is_suppressed = diagnostic.is_suppressed(&args.suppress);
    }
    let denied = if args.deny_warnings { Severity::Warning } else { Severity::Refusal };
    match args.output {
        Format::Text => text::write(&diagnostics, out)?,
        Format::Json => json::write(&diagnostics, out)?,
        Format::Sarif => sarif::write(&diagnostics, out)?,
        Format::Github => github::write(&diagnostics, out)?,
        Format::Junit => junit::write(policies, &diagnostics, denied, out)?,
    }
    out.flush()?;
    for left in &fixes.left {
        note(left);
    }
    if args.fix {
        note(fixes.summary());
    }
    note(checked.summary(&diagnostics));
    Ok(checked.outcome(&diagnostics, denied))
}

/// Writes the findings about a live cluster, as JSON.
#[cfg_attr(target_family = "wasm", expect(dead_code, reason = "`collect` needs a cluster"))]
pub(crate) fn report(live: &LiveObjects, out: &mut impl Write) -> anyhow::Result<()> {
    let policies = Policies::read_over::<PathBuf>(live, &[]);
    json::write(&diagnostics(&policies), out)
}

/// The findings of those policies, as JSON.
pub(crate) fn findings(policies: &Policies) -> anyhow::Result<serde_json::Value> {
    Ok(serde_json::to_value(json::reports(&diagnostics(policies)))?)
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

/// The findings of each severity, and the suppressed ones, in words.
fn counts(diagnostics: &[Diagnostic<'_>]) -> String {
    let of = |severity| {
        let shown = diagnostics.iter().filter(|it| !it.is_suppressed);
        shown.filter(|it| it.severity() == severity).count()
    };
    let counts = [
        (of(Severity::Refusal), "refusal", "refusals"),
        (of(Severity::Warning), "warning", "warnings"),
        (of(Severity::Hint), "hint", "hints"),
        (
            diagnostics.iter().filter(|it| it.is_suppressed).count(),
            "finding suppressed",
            "findings suppressed",
        ),
    ];
    let counts = counts.iter().filter(|(number, ..)| *number > 0);
    let counts: Vec<String> = counts.map(|(number, one, many)| count(*number, one, many)).collect();
    counts.join(", ")
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Prints every code.
fn list(format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    match format {
        Format::Text => {
            for row in codes::all() {
                writeln!(out, "{row}")?;
            }
        }
        Format::Json => write_json(&codes::all().collect::<Vec<_>>(), out)?,
        Format::Sarif | Format::Github | Format::Junit => {
            bail!("--list prints text or JSON: leave `-o` out, or write `-o json`")
        }
    }
    Ok(Outcome::Success)
}

// === impl Checked ===

impl Checked {
    fn read(args: &CheckArgs) -> anyhow::Result<Self> {
        let Some(live) = args.cluster.read()? else {
            let policies = Policies::read(&args.paths);
            return Ok(Self { policies, before: None, cluster: None });
        };
        let policies = Policies::read_over(&live, &args.paths);
        let before = (!args.paths.is_empty()).then(|| Policies::read_over::<PathBuf>(&live, &[]));
        Ok(Self { policies, before, cluster: Some(live.name) })
    }

    /// The findings, each with its change where files are laid over a cluster.
    fn diagnostics(&self) -> Vec<Diagnostic<'_>> {
        let after = diagnostics(&self.policies);
        match &self.before {
            Some(before) => change::compared(diagnostics(before), after),
            None => after,
        }
    }

    fn outcome(&self, diagnostics: &[Diagnostic<'_>], denied: Severity) -> Outcome {
        let outcomes = diagnostics.iter().filter(|it| it.counts()).map(|it| {
            let is_unreadable = it.found.place.document.is_none() && !it.is_live;
            match it.severity() {
                Severity::Refusal if is_unreadable => Outcome::Unusable,
                severity if severity <= denied => Outcome::Fault,
                _ => Outcome::Success,
            }
        });
        // A wrong path must not pass for a good policy.
        let nothing = if self.is_empty() { Outcome::Unusable } else { Outcome::Success };
        outcomes.max().unwrap_or(nothing)
    }

    /// Does no file hold an object that counts? A cluster may have no policy.
    fn is_empty(&self) -> bool {
        let policies = &self.policies;
        match (&self.cluster, &self.before) {
            (Some(_), Some(_)) => policies.written == 0,
            (Some(_), None) => false,
            (None, _) => policies.policies.is_empty() && policies.dependencies == 0,
        }
    }

    /// The last line: the number of policies, files and findings.
    fn summary(&self, diagnostics: &[Diagnostic<'_>]) -> String {
        let policies = &self.policies;
        let is_written = |place: &Place| {
            let file = policies.files.get(place.file);
            file.is_some_and(|file| file.source != FileSource::Cluster)
        };
        let written = policies.policies.iter().filter(|it| is_written(&it.place)).count();
        let files = policies.files.iter().filter(|it| it.source != FileSource::Cluster).count();
        let named = |number| count(number, "policy", "policies");
        let written = format!("{} in {}", named(written), count(files, "file", "files"));
        let total = match (&self.cluster, &self.before) {
            (Some(cluster), Some(before)) => {
                format!("{written} over {} of cluster {cluster}", named(before.policies.len()))
            }
            (Some(cluster), None) => {
                format!("{} of cluster {cluster}", named(policies.policies.len()))
            }
            (None, _) => written,
        };
        let groups: Vec<String> = diagnostics
            .chunk_by(|a, b| a.change == b.change)
            .map(|group| match group.first().and_then(|it| it.change) {
                Some(change) => format!("{} {}", change.as_str(), counts(group)),
                None => counts(group),
            })
            .collect();
        match (groups.as_slice(), self.is_empty()) {
            ([], true) => format!("{total}: nothing of corsward.io was found"),
            ([], false) => format!("{total}: no finding"),
            (groups, _) => format!("{total}: {}", groups.join("; ")),
        }
    }
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
