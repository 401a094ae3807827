//! Reasons about any list: its length, an entry repeated, an entry normalized.

use super::names::Names;
use super::quoted::Quoted;
use super::{Explain, Proposal, Sentence, Written};

/// Reasons about any list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListReason {
    /// Longer than a policy's list may be.
    TooMany {
        /// The name of its field.
        list: String,
        /// Its length.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// An entry that is already there.
    Repeated {
        /// The entry, in its normal form.
        value: String,
        /// The field of its first occurrence.
        first: String,
    },
    /// An entry that had to be normalized.
    Normalized {
        /// As written.
        value: String,
        /// As compared.
        normal: String,
    },
}

// === impl ListReason ===

impl Explain for ListReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::TooMany { list, count, max } => Sentence::new(
                "CORS-E004",
                format!("the list has {count} entries, and a policy may have {max}"),
                fewer(list),
            ),
            Self::Repeated { value, first } => Sentence::new(
                "CORS-I001",
                format!("{} repeats {}", Quoted(value), Quoted(first)),
                "remove one of them",
            )
            .with_edit(Proposal::Remove),
            Self::Normalized { value, normal } => Sentence::write(
                "CORS-I002",
                format!("{} is not how browsers write it", Quoted(value)),
                Written::text(normal.as_str()),
            )
            .and(", which is what it is taken for"),
        }
    }
}

/// The way to a shorter list.
fn fewer(list: &str) -> &'static str {
    match list {
        "allowOrigins" | "trustedOrigins" => {
            "use patterns such as `https://*.app.example` in place of many entries, or split the policy"
        }
        "origins" => {
            "use patterns such as `https://*.app.example` in place of many entries, or split the set"
        }
        "allowOriginRegexes" => {
            "use patterns such as `https://*.app.example` in `allowOrigins`, or one regex in place of several"
        }
        "hostnames" => {
            "use patterns such as `*.shop.example` in place of many entries, or split the policy"
        }
        "rules" => {
            "use a `PathPrefix` in place of many paths, or split the policy by its `hostnames`"
        }
        "allowMethods" | "allowHeaders" | "exposeHeaders" => "list only what clients use",
        _ => "list each word once",
    }
}

/// An entry that is none: to write those that were probably meant, or else what the fix says.
pub fn entries(code: &'static str, matter: String, instead: &[String], fix: &str) -> Sentence {
    match instead {
        [] => Sentence::new(code, matter, fix),
        [entry] => Sentence::write(code, matter, Written::text(entry)),
        several => {
            let names: Names = several.iter().collect();
            Sentence::new(code, matter, format!("write one entry for each: {names}"))
                .with_edit(Proposal::Spread(several.to_vec()))
        }
    }
}

/// `*` beside names that it covers: to write the list without them.
pub(super) fn covered(code: &'static str, covered: &[String], rest: &[String]) -> Sentence {
    let names: Names = covered.iter().collect();
    let matter = format!("`*` covers {names}");
    let texts = rest.iter().map(String::as_str);
    Sentence::write(code, matter, Written::texts(texts)).and(", or remove the `*`")
}
