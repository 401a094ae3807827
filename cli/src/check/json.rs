//! The format for programs: each finding an object of a list.

use std::io::Write;

use serde::Serialize;

use super::change::Change;
use super::diagnostic::Diagnostic;
use crate::output::write_json;
use crate::policies::Subject;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'d> {
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
    suppressed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
}

/// Writes the diagnostics.
pub(super) fn write(diagnostics: &[Diagnostic<'_>], out: &mut impl Write) -> anyhow::Result<()> {
    let reports = diagnostics.iter().map(Report::of);
    write_json(&reports.collect::<Vec<_>>(), out)
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
            suppressed: *is_suppressed,
            change: diagnostic.change.map(Change::as_str),
        }
    }
}
