//! Plain: the documents of a text without anchors, tags and scalars that want a closer look, which are most of all files.
//!
//! The events of the parser become values without a deserializer in between. This module reads what the reader of all YAML reads, or
//! nothing: a text that it is in doubt about is left to that one.

use granit_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Value};

use super::{Readings, may_be_misread};
use crate::outline::{Outline, Outliner};
use crate::spelling::is_plain;

/// Most values, documents and levels, far below the bounds of the reader of all YAML.
const MAX_NODES: usize = 100_000;
const MAX_DOCUMENTS: usize = 5_000;
const MAX_DEPTH: usize = 32;
/// Longest name of a field.
const MAX_KEY_LEN: usize = 256;

/// The parser, and the number of values so far.
struct Documents<'t> {
    text: &'t str,
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    nodes: usize,
    outliner: Outliner,
}

/// The documents of a text, and its outline if it has one; `None`: it is to be read by the reader of all YAML.
pub(crate) fn read(text: &str) -> Option<(Vec<Readings>, Option<Outline>)> {
    let (parser, outliner) = (Parser::new_from_str(text), Outliner::default());
    let mut documents = Documents { text, parser, nodes: 0, outliner };
    let mut all = Vec::new();
    loop {
        match documents.next()? {
            (Event::StreamStart | Event::DocumentEnd | Event::DocumentStart(_, None), _) => {}
            (Event::StreamEnd, _) => return Some((all, documents.outliner.finish())),
            (event @ Event::MappingStart(..), span) if all.len() < MAX_DOCUMENTS => {
                let (value, texts) = documents.value(event, &span, 0)?;
                all.push(Readings { value, to_kubectl: None, texts });
            }
            _ => return None,
        }
    }
}

// === impl Documents ===

impl<'t> Documents<'t> {
    /// The next event that is no comment.
    fn next(&mut self) -> Option<(Event<'t>, Span)> {
        loop {
            let next = self.parser.next()?.ok()?;
            if !matches!(next.0, Event::Comment(..)) {
                return Some(next);
            }
        }
    }

    /// A value, and the same with the text of each scalar that is no string; `null` without one.
    fn value(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Option<(Value, Value)> {
        self.nodes = self.nodes.checked_add(1)?;
        if self.nodes > MAX_NODES || depth > MAX_DEPTH {
            return None;
        }
        let deeper = depth.checked_add(1)?;
        match event {
            Event::Scalar(scalar, style, 0, None) => {
                self.outliner.scalar(self.text, &scalar, style, span);
                if style == ScalarStyle::Plain {
                    return self.plain(&scalar, span);
                }
                Some((Value::String(scalar.into_owned()), Value::Null))
            }
            Event::SequenceStart(style, 0, None) => {
                self.outliner.list(style, span);
                let (mut values, mut texts) = (Vec::new(), Vec::new());
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        self.outliner.end(style, &span);
                        break;
                    }
                    let (value, text) = self.value(event, &span, deeper)?;
                    values.push(value);
                    texts.push(text);
                }
                let is_read = texts.iter().all(Value::is_null);
                Some((values.into(), if is_read { Value::Null } else { texts.into() }))
            }
            Event::MappingStart(style, 0, None) => {
                self.outliner.mapping(style, span);
                let (mut values, mut texts) = (Map::new(), Map::new());
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::MappingEnd {
                        self.outliner.end(style, &span);
                        break;
                    }
                    self.nodes = self.nodes.checked_add(1)?;
                    if let Event::Scalar(name, style, ..) = &event {
                        self.outliner.scalar(self.text, name, *style, &span);
                    }
                    let name = name(event)?;
                    let (event, span) = self.next()?;
                    let (value, text) = self.value(event, &span, deeper)?;
                    if !text.is_null() {
                        texts.insert(name.clone(), text);
                    }
                    // A name that is there twice is an error.
                    if values.insert(name, value).is_some() {
                        return None;
                    }
                }
                let is_read = texts.is_empty();
                Some((values.into(), if is_read { Value::Null } else { texts.into() }))
            }
            _ => None,
        }
    }

    /// The value of a scalar without quotes.
    fn plain(&self, scalar: &str, span: &Span) -> Option<(Value, Value)> {
        let value = match scalar {
            "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => true.into(),
            "false" | "False" | "FALSE" => false.into(),
            "" | "~" => return None,
            text => match integer(text) {
                Some(number) => number.into(),
                None if may_be_misread(text) || may_be_number(text) => return None,
                None => return Some((Value::String(text.to_owned()), Value::Null)),
            },
        };
        let written = span.byte_range().and_then(|bytes| self.text.get(bytes)).map(str::trim);
        let written = written.filter(|text| is_plain(text));
        let written = written.map_or_else(|| value.to_string(), str::to_owned);
        Some((value, Value::String(written)))
    }
}

/// The name of a field, if no rule of YAML makes anything else of it.
fn name(key: Event<'_>) -> Option<String> {
    let Event::Scalar(name, style, 0, None) = key else { return None };
    let is_word = ["null", "true", "false"].iter().any(|word| word.eq_ignore_ascii_case(&name));
    let is_plain_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_word;
    let is_name = match style {
        ScalarStyle::Plain => is_plain_name,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => !name.is_empty() && name != "<<",
        ScalarStyle::Literal | ScalarStyle::Folded => false,
    };
    (is_name && name.len() <= MAX_KEY_LEN).then(|| name.into_owned())
}

/// A number in its only decimal spelling that every version of YAML reads alike.
fn integer(text: &str) -> Option<i64> {
    const MAX_DIGITS: usize = 18;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = digits.len() <= MAX_DIGITS && !digits.starts_with('0');
    if text == "0" || (is_decimal && is_short) { text.parse().ok() } else { None }
}

/// Numbers have letters, too: of a base, an exponent, infinity.
fn may_be_number(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    begins && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::yaml::read_all;

    /// Compares both readers, and returns whether this one reads the text.
    fn is_read(text: &str) -> bool {
        let Some((documents, _)) = read(text) else { return false };
        let others = read_all(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let parts = |it: &Readings| {
            let to_kubectl = it.to_kubectl.clone().unwrap_or_else(|| it.value.clone());
            (it.value.clone(), to_kubectl, it.texts.clone())
        };
        let (documents, others): (Vec<_>, Vec<_>) =
            (documents.iter().map(parts).collect(), others.iter().map(parts).collect());
        assert_eq!(documents, others, "{text}");
        true
    }

    #[test]
    fn both_readers_read_the_same() {
        let policy = "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {name: a}\n\
                      spec:\n  cors:\n    allowOrigins: ['https://a.b', \"https://c.d\"]\n    maxAge: 600 # s\n    allowCredentials: True\n";
        let texts = [
            "a: 1",
            "a: -17\nb: null",
            "--- \na: [1, 2]\n--- # b\nc: {d: e, f: }",
            "a: 'on'\nb: \"010\"\nc: 0",
            "a: |\n  x\n   y\n\nb: >-\n  x\n  y\n",
            "a: x y\n  z\nb: 'it''s'\nc: \"\\u00e9\\n\"",
            "\u{feff}a: b",
            "a: b\r\nc: d\r\n",
            "a: https://a.b:1/c?d#e # f",
            "'a.b/c': {\"<\": '>'}",
            "{\n\t\"a\": [true, {\"b\": \"c\"}]\n}",
            "a: 10.0.0.0/8\nb: '2001:db8::/32'",
            "a: 999999999999999999",
            "a:\n- b\n- - c\n  - d\n- e: f\n  g: h",
            "a: b\n...\n---\nc: d\n",
            "a: [b, ]\nc: {d: e, }",
            "# only\n",
            "",
            "on: a\ny: 1\nNo: {off: b}",
            "nan: 1\ninf: 2\nyes: [y, n, 'y']",
            "a: 1:30\nb: 190:20:30",
            "a: 2001-12-14\nb: 2001-12-14 21:59:43",
            "a: =\nb: <<\nc: x:y",
            "a: b\nc : d",
            "a: [on, off]",
            policy,
            &format!("{policy}---\n{policy}"),
        ];
        let doubtful: Vec<&str> = texts.into_iter().filter(|text| !is_read(text)).collect();
        let wanted = [
            "--- \na: [1, 2]\n--- # b\nc: {d: e, f: }",
            "nan: 1\ninf: 2\nyes: [y, n, 'y']",
            "a: 2001-12-14\nb: 2001-12-14 21:59:43",
            "a: [on, off]",
        ];
        assert_eq!(doubtful, wanted, "the texts that are left to the other reader");
        assert!(is_read(policy) && is_read("a: b\n---\nc: [d, 1]\n"));
    }

    #[test]
    fn what_is_in_doubt_is_left_to_the_other_reader() {
        for text in [
            "a: 1.0",
            "a: 010",
            "a: on",
            "a: ~",
            "a: 1e3",
            "a: .inf",
            "a: 0x1",
            "a: &b c",
            "a: !!str c",
            "a: *b",
            "<<: {a: b}",
            "1: a",
            "null: a",
            "? {a: b}\n: c",
            "a: b\na: c",
            "%YAML 1.1\n---\na: b",
            "a: b\n---\n---\nc: d",
            "a",
            "- a",
            "a: {b",
            "a: 99999999999999999999",
            "a: 1_000",
            "~: a",
            "'<<': a",
            "a: -",
            "? |\n  a\n: b",
            "a:",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
        let deep = format!("a: {}{}", "[".repeat(40), "]".repeat(40));
        assert!(read(&deep).is_none());
    }

    /// Examples with one character replaced by one that means something, at every few places.
    #[test]
    fn both_readers_read_damaged_files_alike() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut read = 0;
        for file in files {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            if !is_read(&text) {
                continue;
            }
            let marks = "\"'&*!{}[]:,#\t-\n|>%?@`~0x. <";
            let places = (0..text.len()).step_by(41).zip(marks.chars().cycle());
            for (at, mark) in places {
                let Some((before, rest)) = text.split_at_checked(at) else { continue };
                let rest: String = rest.chars().skip(1).collect();
                read += usize::from(is_read(&format!("{before}{mark}{rest}")));
            }
        }
        assert!(read > 50, "{read} texts");
    }
}
