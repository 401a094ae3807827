//! Reasons about values that do not fit the resource, or what its readers make of them; the operator finds these.

use super::Sentence;
use super::quoted::{OneLine, Quoted};

/// What there is to say about a value that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeReason {
    /// A field that a policy does not have.
    UnknownField {
        /// The field's name.
        name: String,
        /// A known one that looks like it.
        similar: Option<String>,
    },
    /// A value that nothing can be made of, in a parser's words.
    WrongShape(String),
    /// A value of the wrong type.
    WrongType {
        /// What it should be, such as `a whole number`.
        expected: &'static str,
        /// What is written, as JSON has it.
        found: String,
        /// What was meant, where that can be told.
        instead: Option<String>,
    },
    /// A word that is none of those that may stand there.
    UnknownWord {
        /// What is written.
        word: String,
        /// What may be.
        known: Vec<String>,
        /// The one among them that looks like it.
        similar: Option<String>,
    },
    /// A field that must be there.
    MissingField,
    /// Too few or too many of something.
    Length {
        /// How many there are.
        count: i64,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        allowed: String,
    },
    /// A text without quotes that is no text in YAML 1.1, which is what `kubectl` reads.
    Unquoted {
        /// What is written.
        written: String,
        /// What `kubectl` makes of it, as JSON has it.
        read: String,
        /// Whether that refuses it, or there is no `kubectl` on the way.
        refused: bool,
    },
}

// === impl ShapeReason ===

impl ShapeReason {
    pub(super) fn sentence(&self) -> Sentence {
        match self {
            Self::UnknownField { name, similar } => Sentence::new(
                "CORS-E503",
                format!("{} is not a field that may stand here", Quoted(name)),
                match similar {
                    Some(similar) => format!("write {}, or remove it", Quoted(similar)),
                    None => "remove it, or see what `kubectl explain` lists".to_owned(),
                },
            ),
            Self::WrongShape(message) => Sentence::new(
                "CORS-E504",
                format!("the value does not fit ({})", OneLine(message)),
                "see what `kubectl explain` says of the field",
            ),
            Self::WrongType { expected, found, instead } => Sentence::new(
                "CORS-E509",
                format!("{} is not {expected}", Quoted(found)),
                match instead {
                    Some(instead) => format!("write {}", Quoted(instead)),
                    None => format!("write {expected}"),
                },
            ),
            Self::UnknownWord { word, known, similar } => {
                let known: Vec<String> =
                    known.iter().map(|word| Quoted(word).to_string()).collect();
                Sentence::new(
                    "CORS-E510",
                    format!("{} is none of {}", Quoted(word), known.join(", ")),
                    match similar {
                        Some(similar) => format!("write {}", Quoted(similar)),
                        None => "write one of them".to_owned(),
                    },
                )
            }
            Self::MissingField => Sentence::new(
                "CORS-E511",
                "the field is missing",
                "write it, as `kubectl explain` shows",
            ),
            Self::Length { count, what, allowed } => Sentence::new(
                "CORS-E512",
                format!("it has {count} {what}"),
                format!("write {allowed}"),
            ),
            Self::Unquoted { written, read, refused } => Sentence::new(
                if *refused { "CORS-E513" } else { "CORS-W501" },
                format!("{} without quotes is {} to `kubectl`", Quoted(written), Quoted(read)),
                format!("write {}", Quoted(&format!("\"{written}\""))),
            ),
        }
    }
}
