//! Markdown: the report for a person.

use std::fmt::Write as _;

use crate::one_line::one_line;
use crate::report::{Effect, Report};

/// Writes the report.
pub(super) fn write(report: &Report) -> String {
    let Report { from, policy, requests, left_out, classes, cases } = report;
    let equal = cases.iter().filter(|case| case.differences.is_empty()).count();
    let mut text =
        format!("# Difference report: {} and the policy {}\n\n", one_line(from), code_span(policy));
    let sample = match left_out {
        0 => String::new(),
        left_out => format!(" (a sample of {})", requests.saturating_add(*left_out)),
    };
    let _ = writeln!(
        text,
        "{requests} requests{sample} at the boundaries of the settings were judged by both, as a browser judges the answers: {equal} alike.\n"
    );
    for (effect, title) in [
        (Effect::Loss, "Losses: the policy takes something away"),
        (Effect::Wider, "Wider: the policy allows more"),
        (Effect::Fix, "Fixes: the policy repairs a fault"),
    ] {
        let of_effect: Vec<_> = classes.iter().filter(|class| class.effect == effect).collect();
        if of_effect.is_empty() {
            continue;
        }
        let _ = writeln!(text, "## {title}\n");
        let _ = writeln!(text, "| what | before | with the policy | witness | requests |");
        text.push_str("|---|---|---|---|---|\n");
        let mut reasons: Vec<&str> = Vec::new();
        for class in of_effect {
            let witness: Vec<String> =
                class.witness.iter().map(|line| code_span(line).replace('|', "\\|")).collect();
            let at = reasons.iter().position(|why| *why == class.why).unwrap_or_else(|| {
                reasons.push(class.why);
                reasons.len().saturating_sub(1)
            });
            let _ = writeln!(
                text,
                "| {} ({}) | {} | {} | {} | {} |",
                class.aspect,
                at.saturating_add(1),
                one_line(&class.old),
                one_line(&class.new),
                witness.join(" "),
                class.requests
            );
        }
        text.push('\n');
        for (at, why) in reasons.iter().enumerate() {
            let _ = writeln!(text, "{}. {why}", at.saturating_add(1));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// A text as code, between more backticks than stand next to each other in it (`CommonMark`, "Code spans").
fn code_span(text: &str) -> String {
    let text = one_line(text);
    let inside = text.split(|c: char| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(inside.saturating_add(1));
    // A space at both ends is no part of the text.
    let space = if inside == 0 { "" } else { " " };
    format!("{fence}{space}{text}{space}{fence}")
}
