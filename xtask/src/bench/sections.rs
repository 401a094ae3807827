//! Sections of `docs/benchmarks.md`: each measurement replaces its own and keeps the others.

use std::fs;

use anyhow::{Context, Result};

use crate::paths;

/// The headings of the sections that stand behind the page's first part, in their order.
const ORDER: [&str; 5] = [INSTRUCTIONS, CONTROL_PLANE, CONTROL_PLANE_AGAINST, CONTROLLER, COMMAND];

/// The filters in an Envoy below callgrind.
pub(super) const INSTRUCTIONS: &str = "## Instructions in Envoy";
/// The operator before an API server.
pub(super) const CONTROL_PLANE: &str = "## The control plane";
/// The operator beside an earlier build of it.
pub(super) const CONTROL_PLANE_AGAINST: &str = "## The control plane beside an earlier build";
/// The controller without an API server.
pub(super) const CONTROLLER: &str = "## The controller by itself";
/// The command.
pub(super) const COMMAND: &str = "## The command";

/// Replaces the section under `heading`; none: the page's first part.
pub(super) fn replace(heading: Option<&str>, section: &str) -> Result<()> {
    let file = paths::root().join("docs/benchmarks.md");
    let text = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, replaced(&text, heading, section))
        .with_context(|| format!("write {}", file.display()))
}

fn replaced(text: &str, heading: Option<&str>, section: &str) -> String {
    let headings = [None].into_iter().chain(ORDER.map(Some));
    let part = |of: Option<&str>| if of == heading { section.trim() } else { part(text, of) };
    let parts: Vec<&str> = headings.map(part).filter(|part| !part.is_empty()).collect();
    format!("{}\n", parts.join("\n\n"))
}

/// The part of the page under a heading, heading included.
fn part<'t>(text: &'t str, heading: Option<&str>) -> &'t str {
    let starts: Vec<(usize, &str)> =
        ORDER.iter().filter_map(|heading| Some((start(text, heading)?, *heading))).collect();
    let first = match heading {
        None => Some(0),
        Some(heading) => start(text, heading),
    };
    let Some(first) = first else { return "" };
    let ends = starts.iter().map(|(at, _)| *at).filter(|at| *at > first || heading.is_none());
    let end = ends.min().unwrap_or(text.len());
    text[first..end].trim()
}

/// The place of a line that is this heading and nothing else.
fn start(text: &str, heading: &str) -> Option<usize> {
    let lines = text.split_inclusive('\n');
    let mut at = 0;
    for line in lines {
        if line.trim_end() == heading {
            return Some(at);
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let page = "# Benchmarks\n\nold\n\n## Memory\n\nM\n\n## The control plane\n\nC\n";
        let with = replaced(page, Some(COMMAND), "## The command\n\nF");
        assert_eq!(with, format!("{page}\n## The command\n\nF\n"));
        let section = "## The control plane beside an earlier build\n\nA\n";
        let with = replaced(&with, Some(CONTROL_PLANE_AGAINST), section);
        let with = replaced(&with, None, "# Benchmarks\n\nnew\n");
        let with = replaced(&with, Some(CONTROL_PLANE), "## The control plane\n\nD\n");
        assert_eq!(
            with,
            "# Benchmarks\n\nnew\n\n## The control plane\n\nD\n\n\
             ## The control plane beside an earlier build\n\nA\n\n\
             ## The command\n\nF\n"
        );
    }
}
