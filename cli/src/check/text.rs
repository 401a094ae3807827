//! The format for a terminal: the text of each finding, underlined, with its fix.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use corsward_policy::Severity;

use super::change::Change;
use super::diagnostic::{BYTE_ORDER_MARK, Diagnostic};
use crate::output::OneLine;
use crate::policies::map;

/// Lines of the text before what is underlined, and behind.
const CONTEXT: usize = 1;
/// Diagnostics whose text is in memory at a time.
const AT_ONCE: usize = 2_000;

/// Writes the diagnostics, in colours for a terminal.
pub(super) fn write(diagnostics: &[Diagnostic<'_>], out: &mut impl Write) -> anyhow::Result<()> {
    let choice = anstream::AutoStream::choice(&io::stdout());
    let is_plain = choice == anstream::ColorChoice::Never;
    let renderer = if is_plain { Renderer::plain() } else { Renderer::styled() };
    let shown: Vec<&Diagnostic<'_>> = diagnostics.iter().filter(|it| !it.is_suppressed).collect();
    for group in shown.chunk_by(|a, b| a.change == b.change) {
        let change = group.first().and_then(|it| it.change);
        if let Some(change) = change {
            writeln!(out, "{} ({}):\n", heading(change), group.len())?;
        }
        if matches!(change, Some(Change::Fixed | Change::Unchanged)) {
            for it in group {
                let (severity, code) = (it.severity().as_str(), it.sentence.code);
                let sentence = format!("{}: {}", it.subject(), it.sentence.matter);
                writeln!(out, "  {severity}[{code}] {}", OneLine(sentence))?;
            }
            writeln!(out)?;
            continue;
        }
        for shown in group.chunks(AT_ONCE) {
            let printed = map(shown.to_vec(), |diagnostic| render(diagnostic, &renderer) + "\n\n");
            out.write_all(printed.concat().as_bytes())?;
        }
    }
    Ok(())
}

/// The line above a group.
const fn heading(change: Change) -> &'static str {
    match change {
        Change::Introduced => "Introduced by the files",
        Change::Fixed => "Fixed by the files",
        Change::Unchanged => "Unchanged in the cluster",
    }
}

fn render(diagnostic: &Diagnostic<'_>, renderer: &Renderer) -> String {
    let level = match diagnostic.severity() {
        Severity::Refusal => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Hint => Level::INFO,
    };
    let level = level.with_name(diagnostic.severity().as_str());
    let (sentence, subject) = (&diagnostic.sentence, diagnostic.subject());
    let line = |text: &str| OneLine(text).to_string();
    let title = level.primary_title(line(&sentence.matter)).id(sentence.code);
    let help = Level::HELP.message(line(&sentence.fix));
    let file = line(diagnostic.file);
    let (start, window) = window(diagnostic.text, &diagnostic.span);
    if window.is_empty() {
        let origin = Origin::path(file);
        return renderer.render(&[title.element(origin).element(help)]);
    }
    let [from, to] = [diagnostic.span.start, diagnostic.span.end]
        .map(|at| at.saturating_sub(start).min(window.len()));
    let before = diagnostic.text.get(..start).unwrap_or_default();
    let first_line = memchr::memchr_iter(b'\n', before.as_bytes()).count();
    let snippet = Snippet::source(window)
        .line_start(first_line.saturating_add(1))
        .path(file)
        .annotation(AnnotationKind::Primary.span(from..to).label(line(&subject)));
    renderer.render(&[title.element(snippet).element(help)])
}

/// The lines around what is underlined, and the byte at which they begin: the renderer takes time for all that it is given.
fn window<'t>(text: &'t str, span: &Range<usize>) -> (usize, &'t str) {
    let before = text.get(..span.start).unwrap_or_default();
    let mut breaks = before.rmatch_indices('\n').map(|(at, _)| at.saturating_add(1));
    let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    let start = breaks.nth(CONTEXT).unwrap_or(mark);
    let after = text.get(span.end..).unwrap_or_default();
    let len = after.match_indices('\n').map(|(at, _)| at).nth(CONTEXT).unwrap_or(after.len());
    let window = text.get(start..span.end.saturating_add(len)).unwrap_or_default();
    (start, window)
}
