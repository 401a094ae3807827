//! Markdown: a comparison as the comment of a pull request.

use std::io::{self, Write};

use corsward_diff::Comparison;

use super::text;
use crate::output::OneLine;

/// Most entries of a list in a cell.
const MAX_SHOWN: usize = 5;
/// Most rows: a comment has at most 65,536 characters.
const MAX_ROWS: usize = 100;

/// Writes the comparison.
pub(super) fn write(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "### CORS: {}\n", text::summary(comparison))?;
    if !comparison.differences.is_empty() {
        writeln!(out, "| answer | requests | origins | at | policies | example |")?;
        writeln!(out, "|---|---|---|---|---|---|")?;
    }
    for difference in comparison.differences.iter().take(MAX_ROWS) {
        let cells = [
            text::answers(difference),
            difference.requests.join("; "),
            text::origins(&difference.origins, MAX_SHOWN),
            text::places(&difference.places, MAX_SHOWN),
            text::policies(difference),
        ];
        write!(out, "|")?;
        for cell in cells {
            write!(out, " {} |", escaped(&cell))?;
        }
        // A code span ends at the next backtick.
        let witness = OneLine(&difference.witness).to_string().replace('`', "'");
        writeln!(out, " `{}` |", witness.replace('|', r"\|"))?;
    }
    let more = comparison.differences.len().saturating_sub(MAX_ROWS);
    if more > 0 {
        writeln!(out, "\n{more} more; `corsward diff` prints all of them.")?;
    }
    for undecided in &comparison.undecided {
        writeln!(out, "\n- undecided: {}", escaped(&text::undecided_text(undecided)))?;
    }
    Ok(())
}

/// The text of a cell: what would end it or mark it up is escaped.
fn escaped(text: &str) -> String {
    let text = OneLine(text).to_string().replace('\\', r"\\");
    let marked = ['|', '*', '`', '['];
    let text = marked.iter().fold(text, |text, mark| text.replace(*mark, &format!("\\{mark}")));
    text.replace('<', "&lt;")
}
