//! The format for GitHub's runners: each finding a workflow command, which marks a line of a pull request.

use std::io::Write;

use corsward_policy::Severity;

use super::diagnostic::Diagnostic;
use crate::output::OneLine;

/// Writes the diagnostics that the files introduce.
pub(super) fn write(diagnostics: &[Diagnostic<'_>], out: &mut impl Write) -> anyhow::Result<()> {
    for diagnostic in diagnostics.iter().filter(|it| it.counts()) {
        let command = match diagnostic.severity() {
            Severity::Refusal => "error",
            Severity::Warning => "warning",
            Severity::Hint => "notice",
        };
        let [start, end] = diagnostic.region;
        let lines = format!(",line={},endLine={}", start.line, end.line);
        let columns = format!(",col={},endColumn={}", start.column, end.column);
        // A file that cannot be read has no line, and columns are for one line.
        let lines = Some(lines).filter(|_| !diagnostic.text.is_empty()).unwrap_or_default();
        let is_one = !lines.is_empty() && start.line == end.line;
        let columns = Some(columns).filter(|_| is_one).unwrap_or_default();
        // An object of a cluster is in no file.
        let place = if diagnostic.is_live {
            String::new()
        } else {
            format!("file={}{lines}{columns},", OneLine(property(diagnostic.file)))
        };
        let message = format!("{}: {}", diagnostic.subject(), diagnostic.found.finding.message());
        let (title, message) = (
            diagnostic.sentence.code,
            data(&OneLine(message.trim_start_matches(": ")).to_string()),
        );
        writeln!(out, "::{command} {place}title={title}::{message}")?;
    }
    Ok(())
}

/// The text of a message as a workflow command has it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The text of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
