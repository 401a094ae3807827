//! YAML: a file's text becomes values. Corsward reads YAML 1.2; `kubectl` reads YAML 1.1, where a bare `Off` is a truth value.

mod plain;

use corsward_policy::Finding;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::finding::{ShapeReason, SourceReason};
use crate::outline::Outline;
use crate::spelling::Tree;

/// Most documents in one file.
const MAX_DOCUMENTS: usize = 20_000;
/// Most values in one file: one for every 10 bytes, which is as short as an origin gets.
pub(crate) const MAX_NODES: usize = 200_000;
/// Most values that aliases may stand for: a bomb ends here, an author's shorthand does not.
const MAX_REPLAYED: usize = 100_000;

/// The final reader of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// An operator, from a folder. A text that `kubectl` reads differently has its author's meaning here, and is in force: a
    /// refusal would keep a policy in force whose author wrote `mode: Off`. So it is a warning.
    #[default]
    Folder,
    /// `kubectl`, for an API server that refuses it: what passes `corsward check` must not fail there. So it is refused.
    Kubectl,
}

/// A document of a file, as each of its readers has it.
#[derive(Debug)]
pub(crate) struct Readings {
    /// The value.
    pub(crate) value: Value,
    /// The same as `kubectl` reads it; `None`: it reads the same.
    pub(crate) to_kubectl: Option<Value>,
    /// The same with the text of each number, truth value and `null` in its place.
    pub(crate) texts: Value,
}

/// Reads the documents of a text, with its outline where it has one.
///
/// # Errors
///
/// A finding where it is no YAML, or more of it than is read.
pub(crate) fn read(text: &str) -> Result<(Vec<Readings>, Option<Outline>), Finding> {
    plain::read(text).map_or_else(|| Ok((read_all(text)?, None)), Ok)
}

/// Reads the documents of a text, whatever is in it.
///
/// # Errors
///
/// A finding where it is no YAML, or more of it than is read.
fn read_all(text: &str) -> Result<Vec<Readings>, Finding> {
    let trees: Vec<Spanned<Tree>> = values(text, true).map_err(|error| {
        let reason = alias_star(text, &error).unwrap_or_else(|| why_not(&error));
        let reason = match reason {
            SourceReason::NotYaml(message) if text.contains("{{") => {
                SourceReason::Template(message)
            }
            reason => reason,
        };
        Finding::new("", reason)
    })?;
    // A text is parsed twice only where both readings may differ.
    let is_ambiguous = trees.iter().any(|tree| tree.value.has_text(may_be_misread));
    // Nothing is found where the text of both readings is not the same.
    let others: Vec<Value> =
        if is_ambiguous { values(text, false).unwrap_or_default() } else { Vec::new() };
    let others = others.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
    let documents = trees.into_iter().zip(others).map(|(tree, to_kubectl)| {
        let (value, texts) = Tree::read(tree, text);
        Readings { value, to_kubectl, texts }
    });
    Ok(documents.collect())
}

/// May YAML 1.1 read a truth value or a number where YAML 1.2 reads this text?
fn may_be_misread(text: &str) -> bool {
    const WORDS: [&str; 8] = ["false", "n", "no", "off", "on", "true", "y", "yes"];
    let text = text.trim();
    let is_word = WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    is_word || text.strip_prefix(['+', '-']).unwrap_or(text).starts_with('0')
}

/// The reason why a text is unreadable, in words for its author.
fn why_not(error: &serde_saphyr::Error) -> SourceReason {
    use serde_saphyr::Error as E;
    let line = error.location().map(|location| format!("line {}: ", location.line()));
    let line = line.unwrap_or_default();
    let not_taken = |what, fix| SourceReason::NotTaken { what, fix };
    match error {
        E::Budget { .. } => not_taken(
            format!(
                "more than {MAX_NODES} values or {MAX_DOCUMENTS} documents, or nested too deep"
            ),
            "split it into several files",
        ),
        E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. }
        | E::AliasReplayCounterOverflow { .. } => not_taken(
            format!("{line}aliases stand for more than {MAX_REPLAYED} values, or for one another"),
            "write out what they stand for",
        ),
        E::NonFiniteFloat { value, .. } => {
            not_taken(format!("{line}'{value}' is no number in JSON"), "write a number")
        }
        E::AliasError { error, .. } => why_not(error),
        E::DuplicateMappingKey { key, .. } => {
            let key = key.as_ref().map(|key| format!(" '{key}'")).unwrap_or_default();
            SourceReason::NotYaml(format!("{line}the key{key} is there twice"))
        }
        error => SourceReason::NotYaml(error.to_string()),
    }
}

/// The star without quotes that ends the reading: an alias of what no anchor names.
fn alias_star(text: &str, error: &serde_saphyr::Error) -> Option<SourceReason> {
    let line = error.location()?.line();
    let at = usize::try_from(line).ok()?.checked_sub(1)?;
    let written = text.lines().nth(at)?;
    let stars = written.match_indices('*').filter_map(|(at, _)| {
        let (before, star) = written.split_at_checked(at)?;
        let ends = [':', '-', '[', ',', '{'];
        let before = before.trim_end_matches(' ');
        let is_value = before.is_empty() || before.ends_with(ends);
        is_value.then(|| star.split([' ', ',', ']', '}']).next())?
    });
    let is_anchored = |star: &&str| star.len() > 1 && text.contains(&star.replacen('*', "&", 1));
    let star = stars.into_iter().find(|star| !is_anchored(star))?;
    Some(SourceReason::AliasStar { line, written: star.to_owned() })
}

fn values<T: DeserializeOwned>(text: &str, yaml_1_2: bool) -> Result<Vec<T>, serde_saphyr::Error> {
    let budget = serde_saphyr::budget! {
        max_documents: MAX_DOCUMENTS,
        max_nodes: MAX_NODES,
        max_events: MAX_NODES.saturating_mul(2),
    };
    let options = serde_saphyr::options! {
        budget: budget,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
        strict_booleans: yaml_1_2,
        legacy_octal_numbers: !yaml_1_2,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options)
}

/// The texts that `kubectl` reads differently, with their paths below `path`.
pub fn misread(value: &Value, to_kubectl: &Value, path: &str, reader: Reader) -> Vec<Finding> {
    match (value, to_kubectl) {
        (Value::Object(fields), Value::Object(others)) => fields
            .iter()
            .filter_map(|(name, value)| Some((name, value, others.get(name)?)))
            .flat_map(|(name, value, other)| {
                misread(value, other, &format!("{path}.{name}"), reader)
            })
            .collect(),
        (Value::Array(entries), Value::Array(others)) => entries
            .iter()
            .zip(others)
            .enumerate()
            .flat_map(|(at, (value, other))| {
                misread(value, other, &format!("{path}[{at}]"), reader)
            })
            .collect(),
        (Value::String(written), Value::Bool(_) | Value::Number(_)) => {
            let refused = reader == Reader::Kubectl;
            let (written, read) = (written.clone(), to_kubectl.to_string());
            vec![Finding::new(path, ShapeReason::Unquoted { written, read, refused })]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_takes_for_something_else_is_found_where_it_stands() {
        // As sigs.k8s.io/yaml 1.6.0 reads them, which is in every kubectl since 1.34.
        for (text, want) in [
            ("a: Off", "a CORS-E513 false"),
            ("a: {b: [x, on]}", "a.b[1] CORS-E513 true"),
            ("a: y", "a CORS-E513 true"),
            ("a: NO", "a CORS-E513 false"),
            ("a: \"Off\"", ""),
            ("a: 'on'", ""),
            ("a: !!str on", ""),
            ("a: |\n  on\n", ""),
            ("a: offline", ""),
            ("a: true", ""),
            ("a: 0o17", ""),
            ("a: 2001-12-14", ""),
            ("a: ~", ""),
        ] {
            let (documents, _) = read(text).unwrap();
            let Readings { value, to_kubectl, texts: _ } = &documents[0];
            let found = to_kubectl
                .iter()
                .flat_map(|other| misread(&value["a"], &other["a"], "a", Reader::Kubectl));
            let found = found.map(|finding| {
                let Some(ShapeReason::Unquoted { read, .. }) = finding.reason.downcast_ref() else {
                    panic!("{finding}")
                };
                format!("{} {} {read}", finding.field, finding.code())
            });
            assert_eq!(found.collect::<Vec<_>>().join(", "), want, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_parsed_once_has_the_findings_of_both_readings() {
        let plain = [
            "true",
            "tRUE",
            "fALSE",
            "y",
            "N",
            "yEs",
            "nO",
            "On",
            "oFF",
            "010",
            "-010",
            "+010",
            "08",
            "0_17",
            "00",
            "-0",
            "0o17",
            "0o_17",
            "0x_1f",
            "-0x_1F",
            "0b_1",
            "0B1",
            "1_000",
            "_1",
            "1e3",
            "0.5",
            "0x",
            "0-a",
            "off.example",
            "~",
            "Null",
            "12:30",
        ];
        let quoted = plain.map(|text| format!("'{text}'"));
        let texts = plain.iter().map(ToString::to_string).chain(quoted).flat_map(|scalar| {
            let others = ["{<<: {b: SCALAR}}", "[&a SCALAR, *a]", "!!str SCALAR", "{SCALAR: off}"];
            let mut texts: Vec<String> = others
                .iter()
                .map(|text| format!("a: {}", text.replace("SCALAR", &scalar)))
                .collect();
            texts.extend([format!("a: {scalar}"), format!("010: 1\n8: 2\na: {scalar}")]);
            texts
        });
        for text in texts {
            let found = |value: &Value, other: &Value| misread(value, other, "", Reader::Kubectl);
            let both = values::<Value>(&text, true).ok().zip(values::<Value>(&text, false).ok());
            let want = both.map(|(values, others)| found(&values[0], &others[0]));
            let Ok((documents, _)) = read(&text) else { continue };
            let Readings { value, to_kubectl, .. } = &documents[0];
            let got = to_kubectl.iter().flat_map(|other| found(value, other));
            assert_eq!(got.collect::<Vec<_>>(), want.unwrap_or_default(), "{text}");
        }
    }

    #[test]
    fn what_is_not_read_is_said_in_words_for_those_who_wrote_it() {
        let bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned()
            + &('b'..='h')
                .fold((String::new(), 'a'), |(text, last), next| {
                    let aliases = vec![format!("*{last}"); 10].join(", ");
                    (format!("{text}{next}: &{next} [{aliases}]\n"), next)
                })
                .0;
        for (why, text, want) in [
            ("a key that is there twice", "a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice"),
            ("no number of JSON", "a: 1\nb: .inf", "line 2: '.inf' is no number in JSON"),
            ("a bomb", &bomb, "aliases stand for more than 100000 values"),
            ("too much", &"- a\n".repeat(MAX_NODES), "more than 200000 values"),
            ("no YAML", "a: [1, 2", "line "),
            (
                "a star",
                "a:\n  allowOrigins: *\n",
                "line 2: `*` without quotes is an alias of YAML: write `\"*\"`",
            ),
            ("a star in a list", "a:\n- *\n", "line 2: `*` without quotes"),
            ("a star in brackets", "a: [*]\n", "line 1: `*` without quotes"),
            ("a pattern of hosts", "a:\n  - *.shop.example\n", "write `\"*.shop.example\"`"),
        ] {
            let said = read(text).unwrap_err().message();
            assert!(said.contains(want), "{why}: {said}");
        }
    }
}
