//! Value: what an expression of Python is, as far as its text says.

/// Most bytes and elements of a value.
const MAX_LEN: usize = 200_000;

/// Deepest nesting of lists and of values that stand in for others.
const MAX_DEPTH: usize = 64;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A text.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// A number.
    Int(i64),
    /// `None`.
    None,
    /// A list, a tuple or a set.
    List(Vec<Value>),
    /// A value of the environment, with the one that stands in where it has none.
    Environment(Hole, Box<Value>),
    /// A value that the text does not say.
    Hole(Hole),
}

/// A place whose value the text does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    /// The source of the value, such as `the environment variable ORIGINS`.
    pub(crate) name: String,
    /// Its place.
    pub(crate) place: String,
    /// The environment variable, where it is one.
    pub(crate) variable: Option<String>,
}

// === impl Value ===

impl Value {
    /// The sum of two texts, numbers or lists.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let sum = match (self, other) {
            (Self::Text(a), Self::Text(b)) => Self::Text(a + &b),
            (Self::Int(a), Self::Int(b)) => Self::Int(a.checked_add(b)?),
            (Self::List(a), Self::List(b)) => Self::List([a, b].concat()),
            // A list with a hole in it stays a list.
            (Self::List(mut a), hole @ (Self::Hole(_) | Self::Environment(..))) => {
                a.push(hole);
                Self::List(a)
            }
            (hole @ (Self::Hole(_) | Self::Environment(..)), Self::List(b)) => {
                Self::List([vec![hole], b].concat())
            }
            _ => return None,
        };
        sum.is_bounded().then_some(sum)
    }

    /// The value that depends on something, with the one that stands in for it, or without it where that is too long or too deep.
    pub(crate) fn depends(hole: Hole, default: Self) -> Self {
        // Its place is one level further out.
        if default.len(1) > MAX_LEN {
            return Self::Hole(hole);
        }
        Self::Environment(hole, Box::new(default))
    }

    /// Whether it is as short and as flat as settings are: a sum of sums grows without an end.
    pub(crate) fn is_bounded(&self) -> bool {
        self.len(0) <= MAX_LEN
    }

    /// The bytes of its texts, and one for each element; beyond the deepest nesting it is too long.
    fn len(&self, depth: usize) -> usize {
        if depth > MAX_DEPTH {
            return usize::MAX;
        }
        let deeper = depth.saturating_add(1);
        match self {
            Self::Text(text) => text.len(),
            Self::List(items) => {
                items.iter().fold(items.len(), |sum, item| sum.saturating_add(item.len(deeper)))
            }
            Self::Environment(_, default) => default.len(deeper),
            Self::Bool(_) | Self::Int(_) | Self::None | Self::Hole(_) => 0,
        }
    }

    /// Its truth, where the text says it.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::Int(number) => Some(*number != 0),
            Self::Text(text) => Some(!text.is_empty()),
            Self::List(items) => Some(!items.is_empty()),
            Self::None => Some(false),
            Self::Environment(..) | Self::Hole(_) => None,
        }
    }

    /// `text.split(",")`, `text.strip()`.
    pub(crate) fn text_method(self, method: &str, argument: Option<&Self>) -> Option<Self> {
        if let Self::Environment(hole, default) = self {
            let default = default.text_method(method, argument).unwrap_or(Self::None);
            return Some(Self::depends(hole, default));
        }
        let Self::Text(text) = self else {
            return None;
        };
        let cut = match argument {
            Some(Self::Text(cut)) => Some(cut.as_str()),
            _ => None,
        };
        Some(match (method, cut) {
            ("split", Some(cut)) => {
                Self::List(text.split(cut).map(|part| Self::Text(part.to_owned())).collect())
            }
            ("split", None) => Self::List(
                text.split_whitespace().map(|part| Self::Text(part.to_owned())).collect(),
            ),
            ("strip", None) => Self::Text(text.trim().to_owned()),
            ("rstrip", Some(cut)) => Self::Text(text.trim_end_matches(cut).to_owned()),
            ("lower" | "casefold", None) => Self::Text(text.to_lowercase()),
            _ => return None,
        })
    }

    /// The value of an environment variable, in the type that the settings read.
    pub(crate) fn from_environment(text: &str, kind: &str) -> Self {
        match kind {
            "list" => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Self::List(items.map(|item| Self::Text(item.to_owned())).collect())
            }
            "bool" => {
                let is_true = ["1", "true", "yes", "on", "y", "t"];
                Self::Bool(is_true.contains(&text.to_ascii_lowercase().as_str()))
            }
            "int" => text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Int),
            _ => Self::Text(text.to_owned()),
        }
    }
}

/// The text of a string literal that is not raw.
pub(crate) fn unescape(literal: &str) -> String {
    let mut text = String::new();
    let mut chars = literal.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('\n') | None => {}
            Some(c @ ('\\' | '\'' | '"')) => text.push(c),
            // Python keeps the backslash of an escape that it does not know: `"\."`.
            Some(c) => text.extend(['\\', c]),
        }
    }
    text
}
