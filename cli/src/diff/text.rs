//! Text: a comparison for a reader at a terminal.

use std::io::{self, Write};

use corsward_diff::{
    Answer, Change, Comparison, Difference, OriginClass, Place, Undecided, Verdict,
};

use crate::output::OneLine;

/// Most entries of a list that a line shows.
const MAX_SHOWN: usize = 3;

/// Writes the comparison.
pub(super) fn write(
    comparison: &Comparison,
    colored: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    for difference in &comparison.differences {
        let color = match (colored, difference.new.verdict) {
            (false, _) => "",
            (true, Verdict::Allowed) => "\u{1b}[32m",
            (true, Verdict::Refused | Verdict::Rejected) => "\u{1b}[31m",
            (true, Verdict::Covered | Verdict::NotCovered) => "\u{1b}[33m",
        };
        let end = if color.is_empty() { "" } else { "\u{1b}[0m" };
        writeln!(out, "{color}{}{end}", OneLine(answers(difference)))?;
        let mut line = |name: &str, text: String| {
            if text.is_empty() { Ok(()) } else { writeln!(out, "  {name:<9} {}", OneLine(text)) }
        };
        line("requests", difference.requests.join("; "))?;
        line("origins", origins(&difference.origins, MAX_SHOWN))?;
        line("at", places(&difference.places, MAX_SHOWN))?;
        line("proxies", shown(&difference.proxies, MAX_SHOWN))?;
        line("policies", policies(difference))?;
        line("example", difference.witness.to_string())?;
        writeln!(out)?;
    }
    for undecided in &comparison.undecided {
        writeln!(out, "undecided: {}", OneLine(undecided_text(undecided)))?;
    }
    writeln!(out, "{}", summary(comparison))
}

/// The result in one sentence.
pub(super) fn summary(comparison: &Comparison) -> String {
    let differences = match comparison.differences.len() {
        0 if comparison.undecided.is_empty() => {
            return "equal: each request gets the same answer from both sets".to_owned();
        }
        0 => "no difference found".to_owned(),
        1 => "1 difference".to_owned(),
        many => format!("{many} differences"),
    };
    match comparison.undecided.len() {
        0 => differences,
        open => format!("{differences}, {open} undecided"),
    }
}

/// Both answers, such as `refused (origin) -> allowed`, or the values that differ.
pub(super) fn answers(difference: &Difference) -> String {
    let Difference { old, new, changes, .. } = difference;
    if changes.is_empty() {
        let answer = |answer: &Answer| {
            let reason = answer.reason.map(|reason| format!(" ({reason})"));
            format!("{}{}", answer.verdict.label(), reason.unwrap_or_default())
        };
        return format!("{} -> {}", answer(old), answer(new));
    }
    let changes: Vec<String> = changes.iter().map(change).collect();
    format!("still {}; {}", new.verdict.label(), changes.join("; "))
}

fn change(change: &Change) -> String {
    let Change { name, old, new } = change;
    let listed = |verb: &str, values: &[String]| {
        (!values.is_empty()).then(|| format!("{verb} {}", values.join(" ")))
    };
    if let ([old], [new]) = (old.as_slice(), new.as_slice()) {
        return format!("{name}: {old} -> {new}");
    }
    let parts = [listed("drops", old), listed("adds", new)];
    format!("{name} {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The classes of origins, at most `max` of them.
pub(super) fn origins(classes: &[OriginClass], max: usize) -> String {
    let texts: Vec<String> = classes
        .iter()
        .map(|class| match class.except.as_slice() {
            [] => class.origins.clone(),
            except => format!("{}, but not {}", class.origins, shown(except, max)),
        })
        .collect();
    shown(&texts, max)
}

/// The hosts and paths, at most `max` of them.
pub(super) fn places(places: &[Place], max: usize) -> String {
    let texts: Vec<String> =
        places.iter().map(|place| format!("{}: {}", place.host, place.path)).collect();
    shown(&texts, max)
}

/// The policies that decide.
pub(super) fn policies(difference: &Difference) -> String {
    let name = |policy: &Option<String>| policy.clone().unwrap_or_else(|| "none".to_owned());
    let (old, new) = (name(&difference.old.policy), name(&difference.new.policy));
    if old == new { old } else { format!("{old} -> {new}") }
}

/// A part that is undecided.
pub(super) fn undecided_text(undecided: &Undecided) -> String {
    let place = undecided.place.as_ref().map(|place| format!("{}: {}", place.host, place.path));
    let place = place.unwrap_or_else(|| shown(&undecided.proxies, MAX_SHOWN));
    if place.is_empty() {
        return undecided.entry.clone();
    }
    format!("{} at {place}", undecided.entry)
}

pub(super) fn shown(texts: &[String], max: usize) -> String {
    let few: Vec<&str> = texts.iter().take(max).map(String::as_str).collect();
    match texts.len().saturating_sub(max) {
        0 => few.join("; "),
        more => format!("{}; and {more} more", few.join("; ")),
    }
}
