//! Edits: what a program changes in the text of a policy, so that a finding about it is answered.

use std::fmt;

/// One change to the object that a finding is about. Each edit of a finding answers it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Edit {
    /// Writes a value at a field, in the place of what stands there.
    Write {
        /// The field, from the root of the object.
        field: String,
        /// The value.
        value: Written,
    },
    /// Writes several entries in the place of one entry of a list.
    Spread {
        /// The entry.
        field: String,
        /// The entries.
        entries: Vec<String>,
    },
    /// Adds entries to a list, which may be absent.
    Add {
        /// The list.
        field: String,
        /// The entries.
        entries: Vec<String>,
    },
    /// Removes a field, or an entry of a list.
    Remove {
        /// The field or entry.
        field: String,
    },
    /// Moves the value of a field to a different one. An existing list gets it as an entry.
    Move {
        /// The field that is left.
        field: String,
        /// The field that is written.
        to: String,
        /// The new value; `None`: the value as it stands.
        value: Option<Written>,
    },
}

/// A value that an edit writes. `Display` shows it as YAML has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Written {
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// A whole number.
    Number(i64),
    /// A truth value.
    Truth(bool),
    /// A mapping.
    Mapping(Vec<(String, Self)>),
    /// A list whose only entry is the value that stands there.
    Listed,
}

/// A field, as seen from the field of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The field itself.
    Here,
    /// The mapping that the field is in.
    Around,
    /// This field, from the root of the object.
    At(String),
    /// A field of the mapping that the finding is about.
    Within(String),
    /// A field of the mapping that the field, or its list, is in.
    Beside(String),
    /// A field of the spec.
    InSpec(String),
}

/// An edit whose fields are seen from the field of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Writes a value at a place, in the place of what stands there.
    Write(Place, Written),
    /// Writes several entries in the place of the field, an entry of a list.
    Spread(Vec<String>),
    /// Adds entries to a list, which may be absent.
    Add(Place, Vec<String>),
    /// Removes the field.
    Remove,
    /// Moves the value of the field to a place; `None`: as it stands.
    Move(Place, Option<Written>),
}

// === impl Place ===

impl Place {
    /// The field of that name beside the field, or its list.
    pub fn beside(name: &str) -> Self {
        Self::Beside(name.to_owned())
    }

    /// The field of that name within the mapping.
    pub fn within(name: &str) -> Self {
        Self::Within(name.to_owned())
    }

    /// The field of the spec with that path.
    pub(crate) fn in_spec(name: &str) -> Self {
        Self::InSpec(name.to_owned())
    }

    /// The same from the root of the object.
    fn from(&self, field: &str) -> String {
        match self {
            Self::Here => field.to_owned(),
            Self::Around => around(field).to_owned(),
            Self::At(field) => field.clone(),
            Self::Within(name) => join(field, name),
            Self::Beside(name) => join(around(field), name),
            Self::InSpec(name) => join("spec", name),
        }
    }
}

/// The mapping that a field, or the list of an entry, is in.
fn around(field: &str) -> &str {
    let list = match field.strip_suffix(']').and_then(|entry| entry.rsplit_once('[')) {
        Some((list, _)) => list,
        None => field,
    };
    list.rsplit_once('.').map_or("", |(around, _)| around)
}

/// The path of the field `name` within the mapping at `path`.
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { [path, ".", name].concat() }
}

// === impl Proposal ===

impl Proposal {
    /// The edit, where the finding is about `field`.
    pub(crate) fn at(self, field: &str) -> Edit {
        let here = || field.to_owned();
        match self {
            Self::Write(place, value) => Edit::Write { field: place.from(field), value },
            Self::Spread(entries) => Edit::Spread { field: here(), entries },
            Self::Add(place, entries) => Edit::Add { field: place.from(field), entries },
            Self::Remove => Edit::Remove { field: here() },
            Self::Move(place, value) => Edit::Move { field: here(), to: place.from(field), value },
        }
    }
}

// === impl Written ===

impl Written {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    pub fn texts<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if needs_quotes(text) => write_quoted(f, text),
            Self::Text(text) => f.write_str(text),
            Self::List(entries) => {
                f.write_str("[")?;
                for (at, entry) in entries.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { ", " })?;
                    match entry {
                        Self::Text(text) => write_quoted(f, text)?,
                        entry => write!(f, "{entry}")?,
                    }
                }
                f.write_str("]")
            }
            Self::Number(number) => write!(f, "{number}"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Mapping(entries) => {
                f.write_str("{")?;
                for (at, (name, value)) in entries.iter().enumerate() {
                    write!(f, "{}{name}: ", if at == 0 { "" } else { ", " })?;
                    match value {
                        // A flow mapping ends a plain text at a comma or bracket.
                        Self::Text(text) if text.contains([',', '[', ']', '{', '}']) => {
                            write_quoted(f, text)?;
                        }
                        value => write!(f, "{value}")?,
                    }
                }
                f.write_str("}")
            }
            Self::Listed => f.write_str("[{…}]"),
        }
    }
}

/// Between double quotes YAML escapes as JSON does.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}

/// Does YAML, 1.1 or 1.2, read the plain text as something else than that text?
fn needs_quotes(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let is_word = WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '.'))
        && text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_hexdigit() || "xo_:+-.".contains(c));
    let is_marked = text.starts_with(|c: char| "*&!|>%@`'\"#,[]{}?:-~ ".contains(c));
    let is_cut = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    text.is_empty() || is_word || is_number || is_marked || is_cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_yaml_reads_it_back() {
        let text = Written::text;
        for (why, value, want) in [
            ("an origin", text("https://a.example"), "https://a.example"),
            ("a star is an alias without quotes", text("*"), "\"*\""),
            ("a word that YAML 1.1 takes for a truth value", text("Off"), "\"Off\""),
            ("the origin null", text("null"), "\"null\""),
            ("digits", text("7"), "\"7\""),
            ("a version", text("1.2"), "\"1.2\""),
            ("an exponent", text("1e2"), "\"1e2\""),
            ("a quote and a backslash", text("\"\\"), "\"\\\"\\\\\""),
            ("a list", Written::texts(["GET", "PUT"]), "[\"GET\", \"PUT\"]"),
            ("a number", Written::Number(600), "600"),
            ("a truth value", Written::Truth(true), "true"),
            (
                "a mapping",
                Written::Mapping(vec![
                    ("type".into(), text("Exact")),
                    ("value".into(), text("/a,b")),
                ]),
                "{type: Exact, value: \"/a,b\"}",
            ),
        ] {
            assert_eq!(value.to_string(), want, "{why}");
        }
    }

    #[test]
    fn a_place_is_seen_from_the_field_of_the_finding() {
        for (field, place, want) in [
            ("spec.cors.maxAge", Place::Here, "spec.cors.maxAge"),
            ("spec.rules[1].path.value", Place::Around, "spec.rules[1].path"),
            (
                "spec.rules[1].cors.allowOrigins[2]",
                Place::beside("dangerouslyAllow"),
                "spec.rules[1].cors.dangerouslyAllow",
            ),
            ("spec.allowOrigins", Place::beside("cors.allowOrigins"), "spec.cors.allowOrigins"),
            ("spec.preflight.onFailure", Place::in_spec("mode"), "spec.mode"),
            ("spec.targetRefs[0]", Place::within("group"), "spec.targetRefs[0].group"),
            ("kind", Place::beside("apiVersion"), "apiVersion"),
        ] {
            assert_eq!(place.from(field), want, "{field}");
        }
    }
}
