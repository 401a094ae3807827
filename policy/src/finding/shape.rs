//! Reasons about values that do not fit the resource, or what its readers make of them; the operator finds these.

use super::quoted::{OneLine, Quoted};
use super::{Place, Proposal, Sentence, Written};

/// What there is to say about a value that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeReason {
    /// A field that a policy does not have.
    UnknownField {
        /// The field's name.
        name: String,
        /// A known one that says the same, seen from the mapping that the field is in: `cors.maxAge`.
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
        instead: Option<Written>,
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
            Self::UnknownField { name, similar } => unknown_field(name, similar.as_deref()),
            Self::WrongShape(message) => Sentence::new(
                "CORS-E504",
                format!("the value does not fit ({})", OneLine(message)),
                "see what `kubectl explain` says of the field",
            ),
            Self::WrongType { expected, found, instead } => write_or(
                "CORS-E509",
                format!("{} is not {expected}", Quoted(found)),
                instead.as_ref(),
                format!("write {expected}"),
            ),
            Self::UnknownWord { word, known, similar } => {
                let known: Vec<String> =
                    known.iter().map(|word| Quoted(word).to_string()).collect();
                let matter = format!("{} is none of {}", Quoted(word), known.join(", "));
                let similar = similar.as_deref().map(Written::text);
                write_or("CORS-E510", matter, similar.as_ref(), "write one of them")
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
            // In the object the quotes are there already: no edit could add them.
            Self::Unquoted { written, read, refused } => Sentence::new(
                if *refused { "CORS-E513" } else { "CORS-W501" },
                format!("{} without quotes is {} to `kubectl`", Quoted(written), Quoted(read)),
                format!("write {}", Quoted(&format!("\"{written}\""))),
            ),
        }
    }
}

/// To write `instead`, or else what the fix says.
fn write_or(
    code: &'static str,
    matter: String,
    instead: Option<&Written>,
    fix: impl Into<String>,
) -> Sentence {
    match instead {
        Some(instead) => Sentence::write(code, matter, instead.clone()),
        None => Sentence::new(code, matter, fix),
    }
}

fn unknown_field(name: &str, similar: Option<&str>) -> Sentence {
    let (fix, moved) = match similar {
        None => ("remove it, or see what `kubectl explain` lists".to_owned(), None),
        Some(similar) => {
            let place = match similar.strip_prefix("spec.") {
                Some(of_spec) => Place::in_spec(of_spec),
                None => Place::beside(similar),
            };
            let fix = format!("write {}, or remove it", Quoted(similar));
            (fix, Some(Proposal::Move(place, None)))
        }
    };
    let matter = format!("{} is not a field that may stand here", Quoted(name));
    let mut sentence = Sentence::new("CORS-E503", matter, fix);
    sentence.edits.extend(moved);
    sentence.with_edit(Proposal::Remove)
}
