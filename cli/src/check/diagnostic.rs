//! Diagnostic: a finding with its place in a text, ready for every format.

use std::ops::Range;

use corsward_manifest::finding::ShapeReason;
use corsward_policy::finding::Sentence;
use corsward_policy::{Finding, Severity};

use super::change::Change;
use crate::policies::{FileFinding, FileSource, Policies};
use crate::yaml_text::{self, Node};

/// The mark at the start of a text that editors hide.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// A finding in a text.
#[derive(Clone, Debug)]
pub(super) struct Diagnostic<'p> {
    /// The name of the file.
    pub(super) file: &'p str,
    /// The text of the file; empty where it cannot be read.
    pub(super) text: &'p str,
    /// The bytes that the finding is about.
    pub(super) span: Range<usize>,
    /// The first character, and the one behind the last.
    pub(super) region: [Position; 2],
    /// The finding.
    pub(super) found: &'p FileFinding,
    /// Its sentence.
    pub(super) sentence: Sentence,
    /// A `--suppress` matches it.
    pub(super) is_suppressed: bool,
    /// Its source is an object of the live cluster, and no file.
    pub(super) is_live: bool,
    /// The effect of the files on it, where they are laid over a live cluster.
    pub(super) change: Option<Change>,
}

/// A character of a text: line and column, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// The first byte of each line of a text.
struct Lines(Vec<usize>);

/// The diagnostics of one file.
pub(super) fn of_file<'p>(
    policies: &'p Policies,
    file: usize,
    found: Vec<&'p FileFinding>,
) -> Vec<Diagnostic<'p>> {
    let Some(source) = policies.files.get(file) else { return Vec::new() };
    let text = source.bytes.as_deref().ok().and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = text.unwrap_or_default();
    let objects = match policies.outline(file) {
        Some(outline) => yaml_text::outlined(text, outline),
        None => yaml_text::objects(text).unwrap_or_default(),
    };
    let lines = Lines::of(text);
    let diagnostic = |found: &'p FileFinding| {
        let object = found.place.document.and_then(|at| objects.get(at));
        let span = object.map_or_else(
            || of_message(text, &found.finding),
            |object| of_object(object, &found.finding),
        );
        let region = [span.start, span.end].map(|at| lines.position(text, at));
        let (file, sentence) = (&*source.name, found.finding.reason.sentence());
        let is_live = source.source == FileSource::Cluster;
        let (is_suppressed, change) = (false, None);
        Diagnostic { file, text, span, region, found, sentence, is_suppressed, is_live, change }
    };
    found.into_iter().map(diagnostic).collect()
}

fn of_object(object: &Node, finding: &Finding) -> Range<usize> {
    let reason = finding.reason.downcast_ref();
    let is_name = matches!(reason, Some(ShapeReason::UnknownField { .. }));
    object.underline(&finding.field, is_name)
}

/// The line that the reader of YAML names in its message; nothing where it names none.
fn of_message(text: &str, finding: &Finding) -> Range<usize> {
    let message = finding.message();
    let number = |word: &str| {
        let (_, after) = message.split_once(word)?;
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after.get(..end)?.parse::<usize>().ok()
    };
    let Some(line) = number("line ").and_then(|line| line.checked_sub(1)) else { return 0..0 };
    let Some(written) = text.split_inclusive('\n').nth(line) else { return 0..0 };
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let indent = written.len().saturating_sub(written.trim_start().len());
    let len = written.trim_end().len();
    before.saturating_add(indent.min(len))..before.saturating_add(len)
}

// === impl Diagnostic ===

impl Diagnostic<'_> {
    /// Does it count for the exit code? The files neither have a fault of the cluster, nor one that they mend.
    pub(super) fn counts(&self) -> bool {
        !self.is_suppressed && self.change.is_none_or(|change| change == Change::Introduced)
    }

    /// The severity.
    pub(super) fn severity(&self) -> Severity {
        self.found.finding.severity()
    }

    /// The object and the field: `shop/api spec.cors.maxAge`, with the kind where it is no policy.
    pub(super) fn subject(&self) -> String {
        let FileFinding { subject, finding, place: _ } = self.found;
        let object = subject.as_ref().map(|subject| match subject.kind {
            corsward_api::KIND => subject.name(),
            kind => format!("{kind}/{}", subject.name()),
        });
        let parts = [object.unwrap_or_default(), finding.field.clone()];
        parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }
}

// === impl Lines ===

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Self([0].into_iter().chain(breaks).collect())
    }

    fn position(&self, text: &str, at: usize) -> Position {
        let line = self.0.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|line| self.0.get(line)).copied();
        let before = text.get(start.unwrap_or_default()..at).unwrap_or_default();
        // A byte order mark at the start of a text is no character of its first line.
        let before = before.strip_prefix(BYTE_ORDER_MARK).unwrap_or(before);
        Position { line, column: before.chars().count().saturating_add(1) }
    }
}
