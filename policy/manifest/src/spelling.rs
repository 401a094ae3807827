//! Spelling: the text of a file's values that JSON writes otherwise, or may: `010`, `1e2`, `0x10`, `1.0`, `~`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use corsward_policy::Finding;
use corsward_policy::finding::{BehaviorReason, MaxAgeReason, Reason, Written};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use crate::finding::ShapeReason;
use crate::foreign;

/// The text of each value that JSON writes otherwise, or may, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelling(BTreeMap<String, String>);

/// A value of YAML, with the place of each of its parts in the text.
#[derive(Debug)]
pub(crate) enum Tree {
    /// A scalar.
    Scalar(Value),
    /// A sequence.
    List(Vec<Spanned<Tree>>),
    /// A mapping, in the order of the text.
    Mapping(Vec<(String, Spanned<Tree>)>),
}

/// The visitor of a tree.
struct Trees;

// === impl Spelling ===

impl Spelling {
    /// Compares a document with `texts`, which has the text of each scalar in its place.
    pub(crate) fn of(document: &Map<String, Value>, texts: &Value) -> Self {
        let mut spelling = Self::default();
        for (name, value) in document {
            if let Some(text) = texts.get(name) {
                spelling.add(value, text, name);
            }
        }
        spelling
    }

    fn add(&mut self, value: &Value, texts: &Value, path: &str) {
        match (value, texts) {
            (Value::Object(fields), Value::Object(texts)) => {
                for (name, value) in fields {
                    if let Some(text) = texts.get(name) {
                        self.add(value, text, &format!("{path}.{name}"));
                    }
                }
            }
            (Value::Array(entries), Value::Array(texts)) => {
                for (at, (value, text)) in entries.iter().zip(texts).enumerate() {
                    self.add(value, text, &format!("{path}[{at}]"));
                }
            }
            (Value::String(_), _) => {}
            // A fraction's digits may be its text's, and are not known to be.
            (value, Value::String(text)) => {
                let json = value.to_string();
                if value.is_f64() || json != *text {
                    self.0.insert(path.to_owned(), text.clone());
                }
            }
            _ => {}
        }
    }

    /// The text of the value at `field`, if JSON writes it otherwise, or may.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// Writes the text of the file in the place of JSON's in what is said about a value, and in what is proposed for it.
    pub fn quote(&self, findings: &mut [Finding]) {
        for Finding { field, reason } in findings {
            if let Some(text) = self.text(field) {
                quote(field, text, reason);
            }
        }
    }
}

fn quote(field: &str, text: &str, reason: &mut Reason) {
    if let Some(reason) = reason.downcast_mut() {
        quote_shape(field, text, reason);
    } else if let Some(
        MaxAgeReason::Negative(found)
        | MaxAgeReason::TooLarge(found)
        | MaxAgeReason::Capped { written: found, .. },
    ) = reason.downcast_mut()
    {
        text.clone_into(found);
    } else {
        match reason.downcast_mut() {
            Some(BehaviorReason::SuccessStatus(found)) => text.clone_into(found),
            Some(BehaviorReason::AcceptedEarlier(refusal)) => quote(field, text, refusal),
            _ => {}
        }
    }
}

fn quote_shape(field: &str, text: &str, reason: &mut ShapeReason) {
    match reason {
        ShapeReason::WrongType { found, instead, expected, .. } => {
            let is_written = found != "null";
            text.clone_into(found);
            let meant = foreign::string(field, text).filter(|_| is_written);
            match (*expected, &*instead) {
                ("a string", _) => *instead = meant.map(Written::Text),
                // A number; a truth value means all of a list.
                ("a list", Some(_)) if !text.eq_ignore_ascii_case("true") => {
                    *instead = meant.map(|text| Written::texts([text]));
                }
                _ => {}
            }
        }
        ShapeReason::UnknownWord { word: found, .. }
        | ShapeReason::Reflected { found }
        | ShapeReason::Misplaced { found, .. } => text.clone_into(found),
        _ => {}
    }
}

// === impl Tree ===

impl Tree {
    /// Is there a text of that kind in it, other than the name of a field?
    pub(crate) fn has_text(&self, is_such: fn(&str) -> bool) -> bool {
        match self {
            Self::Scalar(Value::String(text)) => is_such(text),
            Self::Scalar(_) => false,
            Self::List(entries) => entries.iter().any(|it| it.value.has_text(is_such)),
            Self::Mapping(fields) => fields.iter().any(|(_, it)| it.value.has_text(is_such)),
        }
    }

    /// The value, and the same with the text of each scalar in its place; `null` where that is each text itself.
    pub(crate) fn read(tree: Spanned<Self>, text: &str) -> (Value, Value) {
        let Spanned { value: tree, defined, .. } = tree;
        match tree {
            Self::Scalar(Value::String(string)) => (Value::String(string), Value::Null),
            Self::Scalar(value) => {
                let span = defined.span();
                let written = span.byte_offset().zip(span.byte_len()).and_then(|(start, len)| {
                    let start = usize::try_from(start).ok()?;
                    text.get(start..start.checked_add(usize::try_from(len).ok()?)?)
                });
                let written = written.map(str::trim).filter(|text| is_plain(text));
                let written = written.map_or_else(|| value.to_string(), str::to_owned);
                (value, Value::String(written))
            }
            Self::List(entries) => {
                let (values, texts): (Vec<_>, Vec<_>) =
                    entries.into_iter().map(|entry| Self::read(entry, text)).unzip();
                let is_read = texts.iter().all(Value::is_null);
                (Value::Array(values), if is_read { Value::Null } else { Value::Array(texts) })
            }
            Self::Mapping(fields) => {
                let (mut values, mut texts) = (Map::new(), Map::new());
                for (name, field) in fields {
                    let (value, written) = Self::read(field, text);
                    if !written.is_null() {
                        texts.insert(name.clone(), written);
                    }
                    values.insert(name, value);
                }
                let is_read = texts.is_empty();
                (Value::Object(values), if is_read { Value::Null } else { Value::Object(texts) })
            }
        }
    }
}

/// One word, without a tag, an anchor, quotes or a line break.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['!', '&', '*', '"', '\'', '|', '>'])
        && !text.contains(char::is_whitespace)
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Trees)
    }
}

impl<'de> Visitor<'de> for Trees {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(truth.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(number.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(text.into()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Tree, E> {
        Ok(Tree::Scalar(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = entries.next_entry()? {
            fields.push(field);
        }
        Ok(Tree::Mapping(fields))
    }
}

/// A text in the place of something else needs no quotes, or other ones: what should stand there is said already.
pub fn say_once(findings: &mut Vec<Finding>) {
    let is_answered = |finding: &&Finding| {
        matches!(
            finding.reason.downcast_ref(),
            Some(
                ShapeReason::WrongType { .. }
                    | ShapeReason::UnknownWord { .. }
                    | ShapeReason::UnknownField { .. }
                    | ShapeReason::Reflected { .. }
            )
        )
    };
    let answered: BTreeSet<String> =
        findings.iter().filter(is_answered).map(|finding| finding.field.clone()).collect();
    findings.retain(|finding| {
        let is_unquoted =
            matches!(finding.reason.downcast_ref(), Some(ShapeReason::Unquoted { .. }));
        !(is_unquoted && answered.contains(&finding.field))
    });
}
