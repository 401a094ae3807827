//! Reasons about `allowMethods`.

use super::list::entries;
use super::quoted::Quoted;
use super::{Place, Proposal, Sentence, Written};

/// What there is to say about `allowMethods`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MethodReason {
    /// Not a token, or too long.
    Syntax(String),
    /// A star beside other characters.
    Glob(String),
    /// Fetch, "forbidden method".
    Forbidden(String),
    /// A method that browsers upper-case (Fetch, "normalize a method").
    Normalized(String),
    /// Lower-case letters in a method that browsers leave as it is.
    LowerCase(String),
    /// `OPTIONS`.
    Options,
    /// An empty list.
    None,
    /// `*` beside other methods.
    AnyBesideOthers,
}

// === impl MethodReason ===

impl MethodReason {
    pub(super) fn sentence(&self) -> Sentence {
        match self {
            Self::Syntax(value) => entries(
                "CORS-E301",
                format!("{} is an invalid method", Quoted(value)),
                value,
                "write one method per entry, such as `PUT`",
            ),
            Self::Glob(value) => Sentence::remove(
                "CORS-E305",
                format!(
                    "{} is a glob, and browsers take it for a method of that name",
                    Quoted(value)
                ),
            )
            .and(" and list each method, or write `*` alone for every one"),
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
                format!("{} is another method than its upper-case form", Quoted(value)),
                Written::Text(value.to_ascii_uppercase()),
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
            Self::AnyBesideOthers => Sentence::new(
                "CORS-I303",
                "`*` covers the other methods",
                "remove them, or the `*`",
            )
            .with_edit(Proposal::Write(Place::Here, Written::texts(["*"]))),
        }
    }
}
