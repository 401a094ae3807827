//! Reasons about `allowMethods`.

use super::list::{covered, entries};
use super::quoted::Quoted;
use super::{Explain, Sentence, Written};

/// Reasons about `allowMethods`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MethodReason {
    /// Not a token, or too long.
    Syntax {
        /// The entry as written.
        value: String,
        /// The methods that were probably meant.
        instead: Vec<String>,
    },
    /// A star beside other characters.
    Glob(String),
    /// A regex, as in `GET|POST`.
    Regex {
        /// The entry as written.
        value: String,
        /// The methods that were probably meant.
        instead: Vec<String>,
    },
    /// A text of a program, as in `HttpMethod.PUT`, `'PUT'` or `$request_method`.
    Program {
        /// The entry as written.
        value: String,
        /// The methods that were probably meant.
        instead: Vec<String>,
    },
    /// An exception, as in `-DELETE` and `!DELETE`.
    Exception(String),
    /// The word of a different system for every method.
    Every(String),
    /// Fetch, "forbidden method".
    Forbidden(String),
    /// A method that browsers upper-case (Fetch, "normalize a method").
    Normalized(String),
    /// Lower-case letters in a method that browsers leave as it is.
    LowerCase(String),
    /// A method that is in no registry, and a usual one but for a slip.
    Misspelled {
        /// The entry as written.
        value: String,
        /// The usual method.
        meant: String,
    },
    /// `OPTIONS`.
    Options,
    /// An empty list.
    None,
    /// `*` beside methods that it covers.
    AnyBesideOthers {
        /// Those methods.
        covered: Vec<String>,
        /// The list without them.
        rest: Vec<String>,
    },
}

// === impl MethodReason ===

impl Explain for MethodReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Syntax { value, instead } => entries(
                "CORS-E301",
                format!("{} is an invalid method", Quoted(value)),
                instead,
                "write one method per entry, such as `PUT`",
            ),
            Self::Glob(value) => {
                Sentence::remove(OTHER_SYNTAX, taken_literally(value, "is a glob"))
                    .and(" and list each method, or write `*` alone for every one")
            }
            Self::Regex { value, instead } => entries(
                OTHER_SYNTAX,
                taken_literally(value, "is a regex"),
                instead,
                "write one method per entry, such as `PUT`, or `*` alone for every one",
            ),
            Self::Program { value, instead } => entries(
                OTHER_SYNTAX,
                taken_literally(value, "is a text of a program"),
                instead,
                "write the name of a method, such as `PUT`",
            ),
            Self::Exception(value) => exception(value),
            Self::Every(value) => every(value),
            Self::Forbidden(value) => Sentence::remove(
                "CORS-E302",
                format!("{} is a forbidden method, which browsers never send", Quoted(value)),
            ),
            Self::Normalized(value) => Sentence::write(
                "CORS-W301",
                format!("{} never matches, because browsers send it in upper case", Quoted(value)),
                Written::Text(value.to_ascii_uppercase()),
            ),
            Self::LowerCase(value) => Sentence::write(
                "CORS-W302",
                format!("{} is a different method from its upper-case form", Quoted(value)),
                Written::Text(value.to_ascii_uppercase()),
            )
            .and(", unless clients really send it so"),
            Self::Misspelled { value, meant } => Sentence::write(
                "CORS-W308",
                format!("{} is no registered method, and nearly {}", Quoted(value), Quoted(meant)),
                Written::text(meant),
            )
            .and(", unless clients really send it so"),
            Self::Options => Sentence::remove(
                "CORS-I301",
                "`OPTIONS` is the preflight's own method, and scripts hardly ever send it themselves",
            ),
            Self::None => Sentence::new(
                "CORS-I302",
                "without `allowMethods` only `GET`, `HEAD` and `POST` pass",
                "list the others that clients use, such as `PUT`, `PATCH` and `DELETE`",
            ),
            Self::AnyBesideOthers { covered: methods, rest } => covered("CORS-I303", methods, rest),
        }
    }
}

/// The code of a method in a foreign syntax. All are tokens, and a method of such a name is in no registry.
const OTHER_SYNTAX: &str = "CORS-E305";

fn taken_literally(value: &str, matter: &str) -> String {
    format!("{} {matter}, and browsers take it for a method of that name", Quoted(value))
}

fn every(value: &str) -> Sentence {
    let matter = taken_literally(value, "is a word of other systems for every method");
    Sentence::write(OTHER_SYNTAX, matter, Written::text("*"))
}

fn exception(value: &str) -> Sentence {
    Sentence::remove(OTHER_SYNTAX, taken_literally(value, "is an exception of other systems"))
        .and(", because a policy has no exceptions and allows only what it lists")
}
