//! Answers: what the implementations answered, in `tests/atlas/answers.jsonl`, and the changes between two measurements.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::implementation::IMPLEMENTATIONS;
use super::probe::PROBES;
use crate::paths;

/// The answers of one implementation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) head: Head,
    /// By probe.
    pub(super) by_probe: BTreeMap<String, Answer>,
}

/// The line before the answers of an implementation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) implementation: String,
    pub(super) version: String,
    /// The day of the measurement.
    pub(super) measured: String,
}

/// The answer to one probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) probe: String,
    /// Absent: with that setting it does not start.
    pub(super) status: Option<u16>,
    /// The lines of the CORS protocol and of `Vary`.
    pub(super) headers: Vec<(String, String)>,
    /// Whether the application's handler ran.
    pub(super) ran: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Head(Head),
    Answer(Answer),
}

/// The answers of the repository, in the order of the table.
///
/// # Errors
///
/// Fails if the file is not readable.
pub(super) fn committed() -> Result<Vec<Answers>> {
    let text = match fs::read_to_string(file()) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        error => error?,
    };
    let mut all: Vec<Answers> = Vec::new();
    for line in text.lines() {
        match serde_json::from_str(line).with_context(|| line.to_owned())? {
            Line::Head(head) => all.push(Answers { head, by_probe: BTreeMap::new() }),
            Line::Answer(answer) => {
                let last = all.last_mut().context("an answer without an implementation")?;
                last.by_probe.insert(answer.probe.clone(), answer);
            }
        }
    }
    Ok(all)
}

/// Writes the answers.
///
/// # Errors
///
/// Fails if the file is not writable.
pub(super) fn write(all: &[Answers]) -> Result<()> {
    let mut text = String::new();
    for answers in all {
        writeln!(text, "{}", serde_json::to_string(&answers.head)?)?;
        for answer in PROBES.iter().filter_map(|probe| answers.by_probe.get(probe.id)) {
            writeln!(text, "{}", serde_json::to_string(answer)?)?;
        }
    }
    fs::write(file(), text).with_context(|| format!("cannot write {}", file().display()))
}

/// Puts newly measured answers in the place of earlier ones.
pub(super) fn put(all: &mut Vec<Answers>, new: Answers) {
    let is_same = |old: &&mut Answers| old.head.implementation == new.head.implementation;
    match all.iter_mut().find(is_same) {
        Some(old) => *old = new,
        None => all.push(new),
    }
    let rank = |answers: &Answers| {
        IMPLEMENTATIONS.iter().position(|one| one.name == answers.head.implementation)
    };
    all.sort_by_key(rank);
}

/// The changes from the committed answers to these.
pub(super) fn changes(all: &[Answers], new: &Answers) -> Vec<String> {
    let name = &new.head.implementation;
    let Some(old) = all.iter().find(|answers| answers.head.implementation == *name) else {
        return vec![format!("{name}: new")];
    };
    let mut changes = Vec::new();
    if old.head.version != new.head.version {
        changes.push(format!("{name}: {} is now {}", old.head.version, new.head.version));
    }
    for probe in &PROBES {
        let (before, after) = (old.by_probe.get(probe.id), new.by_probe.get(probe.id));
        if before.map(Answer::settled) != after.map(Answer::settled) {
            let shown =
                |answer: Option<&Answer>| answer.map_or("not asked".to_owned(), Answer::shown);
            changes.push(format!("{name}, {}\n- {}\n+ {}", probe.id, shown(before), shown(after)));
        }
    }
    changes
}

fn file() -> PathBuf {
    paths::root().join("tests/atlas/answers.jsonl")
}

// === impl Answer ===

impl Answer {
    /// The combined value of a header, in lower case.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let lines = self.headers.iter().filter(|(present, _)| present == name);
        let lines: Vec<&str> = lines.map(|(_, value)| value.as_str()).collect();
        (!lines.is_empty()).then(|| lines.join(", ").to_ascii_lowercase())
    }

    /// Whether its status is that of an error.
    pub(super) fn is_error(&self) -> bool {
        self.status.is_some_and(|status| status >= 400)
    }

    /// The same answer with names and lists in a fixed order: some implementations keep them in hash tables.
    fn settled(&self) -> Self {
        let sorted = |value: &str| {
            let mut elements: Vec<&str> = value.split(',').map(str::trim).collect();
            elements.sort_unstable();
            elements.join(", ")
        };
        let headers = self.headers.iter();
        let mut headers: Vec<_> =
            headers.map(|(name, value)| (name.clone(), sorted(value))).collect();
        // Lines of one name stay in their order.
        headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { headers, ..self.clone() }
    }

    fn shown(&self) -> String {
        let Some(status) = self.status else { return "does not start".to_owned() };
        let ran = if self.ran { "the handler ran" } else { "the handler did not run" };
        let lines = self.headers.iter().map(|(name, value)| format!("; {name}: {value}"));
        format!("{status}; {ran}{}", lines.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(methods: &str) -> Answers {
        let answer = Answer {
            probe: "P1".into(),
            status: Some(200),
            headers: vec![
                ("access-control-allow-methods".into(), methods.into()),
                ("vary".into(), "Origin".into()),
            ],
            ran: false,
        };
        let head = Head {
            implementation: "hapi".into(),
            version: "1".into(),
            measured: "2026-11-30".into(),
        };
        Answers { head, by_probe: [("P1".to_owned(), answer)].into() }
    }

    #[test]
    fn another_order_is_no_change_and_another_element_is_one() {
        let old = [answers("GET, PUT")];
        let mut reordered = answers("PUT,GET");
        reordered.by_probe.values_mut().for_each(|answer| answer.headers.reverse());
        assert_eq!(changes(&old, &reordered), Vec::<String>::new());
        let changes = changes(&old, &answers("GET"));
        assert_eq!(changes.len(), 1);
        assert!(
            changes[0].starts_with("hapi, P1\n- 200; the handler did not run; "),
            "{changes:?}"
        );
    }
}
