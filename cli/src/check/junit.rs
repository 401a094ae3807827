//! The XML of `JUnit`: each file a suite, and each object with a finding, and each policy, a case.

use std::collections::BTreeMap;
use std::io::Write;

use corsward_policy::Severity;

use super::change::Change;
use super::diagnostic::Diagnostic;
use crate::junit::{self, Case, Failure, Suite};
use crate::policies::Policies;

/// A file's cases by name, each with the findings about it.
type Cases<'d> = BTreeMap<String, Vec<&'d Diagnostic<'d>>>;

/// Writes the policies, each failed by its refusals, and by its warnings where they are denied. A finding that the cluster has without the
/// files is a note.
pub(super) fn write(
    policies: &Policies,
    diagnostics: &[Diagnostic<'_>],
    denied: Severity,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut suites: BTreeMap<&str, Cases<'_>> = BTreeMap::new();
    for policy in &policies.policies {
        let Some(file) = policies.files.get(policy.place.file) else { continue };
        suites.entry(&file.name).or_default().entry(policy.id.to_string()).or_default();
    }
    let shown = |it: &&Diagnostic<'_>| !it.is_suppressed && it.change != Some(Change::Fixed);
    for diagnostic in diagnostics.iter().filter(shown) {
        let name = diagnostic.found.subject.as_ref().map(|subject| match subject.kind {
            corsward_api::KIND => subject.name(),
            kind => format!("{kind}/{}", subject.name()),
        });
        let name = name.unwrap_or_else(|| "the file".to_owned());
        suites.entry(diagnostic.file).or_default().entry(name).or_default().push(diagnostic);
    }
    let suites = suites.into_iter().map(|(file, cases)| Suite {
        name: file.to_owned(),
        cases: cases.into_iter().map(|(name, found)| case(file, name, &found, denied)).collect(),
    });
    Ok(junit::write("check", &suites.collect::<Vec<_>>(), out)?)
}

fn case(file: &str, name: String, found: &[&Diagnostic<'_>], denied: Severity) -> Case {
    let (failures, others): (Vec<&Diagnostic<'_>>, Vec<&Diagnostic<'_>>) =
        found.iter().partition(|it| it.counts() && it.severity() <= denied);
    let failure = |it: &Diagnostic<'_>| {
        let [start, _] = it.region;
        let text = format!("{file}:{}:{} {}", start.line, start.column, it.subject());
        Failure { code: Some(it.sentence.code), message: it.found.finding.message(), text }
    };
    let note = |it: &Diagnostic<'_>| {
        format!("{} {} {}\n", it.sentence.code, it.subject(), it.found.finding.message())
    };
    Case {
        class: file.to_owned(),
        name,
        failures: failures.into_iter().map(failure).collect(),
        notes: others.into_iter().map(note).collect(),
    }
}
