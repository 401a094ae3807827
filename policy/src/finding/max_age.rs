//! Reasons about `maxAge`.

use super::{Explain, Place, Proposal, Sentence, Written};

/// Reasons about `maxAge`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxAgeReason {
    /// Negative.
    Negative(String),
    /// More than 31 bits.
    TooLarge(String),
    /// Not written.
    Absent,
    /// Above what some browsers keep.
    Capped {
        /// As written.
        written: String,
        /// The same in seconds.
        seconds: u32,
    },
}

/// The caps of the browser engines on a preflight's answer, in seconds, from the shortest.
const CAPS: [(u32, &str); 3] =
    [(600, "600 in WebKit"), (7200, "7200 in Chromium"), (86_400, "86400 in Firefox")];

// === impl MaxAgeReason ===

impl Explain for MaxAgeReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Negative(value) => Sentence::write(
                "CORS-E002",
                format!("`{value}` is a negative number of seconds"),
                Written::Number(0),
            )
            .and(" to keep browsers from caching, or leave `maxAge` out")
            .with_edit(Proposal::Remove),
            Self::TooLarge(value) => Sentence::write(
                "CORS-E003",
                format!("`{value}` is above 2147483647"),
                Written::Number(86_400),
            )
            .and(" or less, because no browser keeps more"),
            Self::Absent => Sentence::new(
                "CORS-W006",
                "without `maxAge` browsers forget a preflight's answer after 5 seconds",
                "write `maxAge: 600`",
            )
            .with_edit(Proposal::Write(Place::Here, Written::Number(600))),
            Self::Capped { written, seconds } => Sentence::write(
                "CORS-I003",
                format!("`{written}` is above what browsers keep ({})", caps_below(*seconds)),
                Written::Number(600),
            )
            .and(", or expect preflights as often as those caps say"),
        }
    }
}

/// The caps that `max_age` exceeds.
fn caps_below(max_age: u32) -> String {
    let caps: Vec<&str> =
        CAPS.iter().filter(|(cap, _)| *cap < max_age).map(|(_, text)| *text).collect();
    caps.join(", ")
}

/// Is there a browser that keeps less than `max_age` seconds?
pub(crate) fn is_capped(max_age: u32) -> bool {
    CAPS.iter().any(|(cap, _)| *cap < max_age)
}
