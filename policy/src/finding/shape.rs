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
        /// The field that is meant, where that can be told.
        meant: Option<Box<Meant>>,
    },
    /// An entry that is a match of Istio, Envoy or Envoy Gateway, in a list of texts.
    Match {
        /// The entry, as JSON has it.
        found: String,
        /// What is meant, where that can be told, and the list for it where it is another one.
        entry: Option<(Option<&'static str>, Written)>,
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

/// The field that an unknown one stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// It, from the root of the object.
    pub field: String,
    /// It, as an author reads it beside the unknown one.
    pub shown: String,
    /// What to write there, where it is not the value as it stands.
    pub value: Option<Written>,
    /// Whether the value fits there.
    pub is_edit: bool,
}

// === impl ShapeReason ===

impl ShapeReason {
    pub(super) fn sentence(&self) -> Sentence {
        match self {
            Self::UnknownField { name, meant } => unknown_field(name, meant.as_deref()),
            Self::Match { found, entry } => of_match(found, entry.as_ref()),
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

fn unknown_field(name: &str, meant: Option<&Meant>) -> Sentence {
    let matter = format!("{} is not a field that may stand here", Quoted(name));
    let Some(Meant { field, shown, value, is_edit }) = meant else {
        let fix = "remove it, or see what `kubectl explain` lists";
        return unknown(matter, fix.to_owned(), None);
    };
    let text = match value {
        Some(value) => format!("{shown}: {value}"),
        None => shown.clone(),
    };
    let fix = format!("write {}, or remove it", Quoted(&text));
    let moved = Proposal::Move(Place::At(field.clone()), value.clone());
    unknown(matter, fix, is_edit.then_some(moved))
}

fn unknown(matter: String, fix: String, moved: Option<Proposal>) -> Sentence {
    let mut sentence = Sentence::new("CORS-E503", matter, fix);
    sentence.edits.extend(moved);
    sentence.with_edit(Proposal::Remove)
}

fn of_match(found: &str, entry: Option<&(Option<&'static str>, Written)>) -> Sentence {
    const CODE: &str = "CORS-E516";
    let matter =
        format!("{} is a match as Istio and Envoy write it, and an entry is a text", Quoted(found));
    let Some((Some(list), value)) = entry else {
        let value = entry.map(|(_, value)| value);
        return write_or(CODE, matter, value, "list each text that is meant");
    };
    let fix = format!("write {} into `{list}`", Quoted(&value.to_string()));
    let entries = Written::List(vec![value.clone()]);
    let moved = Proposal::Move(Place::beside(list), Some(entries));
    Sentence { code: CODE, matter, fix, edits: vec![moved] }
}
