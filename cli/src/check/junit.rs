//! The XML of `JUnit`: each file a suite, and each object with a finding, and each policy, a case.

use std::collections::BTreeMap;
use std::io::Write;

use corsward_policy::Severity;

use super::diagnostic::Diagnostic;
use crate::policies::Policies;
use crate::xml::escape;

/// A file's cases by name, each with the findings that fail it.
type Cases<'d> = BTreeMap<String, Vec<&'d Diagnostic<'d>>>;

/// Writes the policies, each failed by its refusals, and by its warnings where they are denied.
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
    for diagnostic in diagnostics.iter().filter(|it| !it.is_suppressed) {
        let name = diagnostic.found.subject.as_ref().map(|subject| match subject.kind {
            corsward_api::KIND => subject.name(),
            kind => format!("{kind}/{}", subject.name()),
        });
        let name = name.unwrap_or_else(|| "the file".to_owned());
        suites.entry(diagnostic.file).or_default().entry(name).or_default().push(diagnostic);
    }
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"corsward check\">")?;
    for (file, cases) in &suites {
        write_suite(file, cases, denied, out)?;
    }
    writeln!(out, "</testsuites>")?;
    Ok(())
}

fn write_suite(
    file: &str,
    cases: &Cases<'_>,
    denied: Severity,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let fails = |it: &&&Diagnostic<'_>| it.severity() <= denied;
    let failed = cases.values().filter(|found| found.iter().any(|it| fails(&it))).count();
    let (name, tests) = (escape(file), cases.len());
    writeln!(out, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\">")?;
    for (case, found) in cases {
        writeln!(out, "    <testcase classname=\"{name}\" name=\"{}\">", escape(case))?;
        for it in found.iter().filter(fails) {
            let [start, _] = it.region;
            let (code, message) = (it.sentence.code, escape(&it.found.finding.message()));
            let place = escape(&format!("{file}:{}:{} {}", start.line, start.column, it.subject()));
            writeln!(
                out,
                "      <failure type=\"{code}\" message=\"{message}\">{place}</failure>"
            )?;
        }
        let others = found.iter().filter(|it| !fails(it)).map(|it| {
            format!("{} {} {}\n", it.sentence.code, it.subject(), it.found.finding.message())
        });
        let notes: String = others.collect();
        if !notes.is_empty() {
            writeln!(out, "      <system-out>{}</system-out>", escape(&notes))?;
        }
        writeln!(out, "    </testcase>")?;
    }
    writeln!(out, "  </testsuite>")?;
    Ok(())
}
