//! The format for programs: each finding an object of a list.

use std::io::Write;

use serde::Serialize;

use super::change::Change;
use super::diagnostic::Diagnostic;
use crate::output::write_json;
use crate::policies::Subject;

/// A finding of the list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report<'d> {
    file: &'d str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    kind: Option<&'static str>,
    /// `namespace/name`, or the name alone where the kind has no namespace.
    object: Option<String>,
    code: &'static str,
    severity: &'static str,
    field: &'d str,
    message: String,
    /// The two halves of the message.
    fault: &'d str,
    fix: &'d str,
    suppressed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
}

/// Writes the diagnostics.
pub(super) fn write(diagnostics: &[Diagnostic<'_>], out: &mut impl Write) -> anyhow::Result<()> {
    write_json(&reports(diagnostics), out)
}

/// The list.
pub(super) fn reports<'d>(diagnostics: &'d [Diagnostic<'_>]) -> Vec<Report<'d>> {
    diagnostics.iter().map(Report::of).collect()
}

// === impl Report ===

impl<'d> Report<'d> {
    fn of(diagnostic: &'d Diagnostic<'_>) -> Self {
        let Diagnostic { file, region: [start, end], found, is_suppressed, .. } = diagnostic;
        let subject = found.subject.as_ref();
        Self {
            file,
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            kind: subject.map(|subject| subject.kind),
            object: subject.map(Subject::name),
            code: diagnostic.sentence.code,
            severity: diagnostic.severity().as_str(),
            field: &found.finding.field,
            message: found.finding.message(),
            fault: &diagnostic.sentence.matter,
            fix: &diagnostic.sentence.fix,
            suppressed: *is_suppressed,
            change: diagnostic.change.map(Change::as_str),
        }
    }
}
