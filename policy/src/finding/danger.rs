//! Dangers: what is refused unless its word is in `dangerouslyAllow` (design section 3.3).

use super::origin::every_site;
use super::quoted::Quoted;
use super::{Explain, Place, Proposal, Sentence};

/// A word of `dangerouslyAllow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Danger {
    /// `*`, or any host of http or https, with credentials.
    AnyOriginWithCredentials,
    /// Any host of a different scheme, with credentials.
    AnyAppOriginWithCredentials,
    /// An `http` origin with credentials.
    InsecureOriginWithCredentials,
    /// With credentials, a star over names that are open to registration.
    PublicSuffixSubdomains,
    /// `null` with credentials.
    NullOriginWithCredentials,
    /// With credentials, a regex that does not end at a registrable domain.
    UnboundedRegexWithCredentials,
}

/// Reasons about dangers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DangerReason {
    /// A word that names no danger.
    Unknown(String),
    /// A danger whose word is not listed.
    Prohibited {
        /// The danger.
        danger: Danger,
        /// The origin or regex that poses it.
        value: String,
    },
    /// A regex with credentials that accepts any address, where any origin is not listed.
    AnyAddress(String),
    /// A listed word that nothing needs.
    Unneeded(Danger),
    /// A star over names that are open to registration, without credentials.
    PublicSuffix(String),
}

// === impl Danger ===

impl Danger {
    /// Every danger, in the order of design section 3.3.
    pub const ALL: [Self; 6] = [
        Self::AnyOriginWithCredentials,
        Self::AnyAppOriginWithCredentials,
        Self::InsecureOriginWithCredentials,
        Self::PublicSuffixSubdomains,
        Self::NullOriginWithCredentials,
        Self::UnboundedRegexWithCredentials,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::AnyOriginWithCredentials => "AnyOriginWithCredentials",
            Self::AnyAppOriginWithCredentials => "AnyAppOriginWithCredentials",
            Self::InsecureOriginWithCredentials => "InsecureOriginWithCredentials",
            Self::PublicSuffixSubdomains => "PublicSuffixSubdomains",
            Self::NullOriginWithCredentials => "NullOriginWithCredentials",
            Self::UnboundedRegexWithCredentials => "UnboundedRegexWithCredentials",
        }
    }

    /// The danger of that word; case counts.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|danger| danger.word() == word)
    }
}

// === impl DangerReason ===

impl Explain for DangerReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Unknown(word) => Sentence::new(
                "CORS-E201",
                format!("{} is not the name of a danger", Quoted(word)),
                format!("write one of {}", known_words()),
            ),
            Self::Prohibited { danger, value } => prohibited(*danger, value, every_site(value)),
            Self::AnyAddress(value) => {
                prohibited(Danger::AnyOriginWithCredentials, value, "a host of any address")
            }
            Self::Unneeded(danger) => Sentence::new(
                "CORS-W201",
                format!("nothing here needs `{}`", danger.word()),
                "remove it, so that the next change is judged without it",
            )
            .with_edit(Proposal::Remove),
            Self::PublicSuffix(value) => Sentence::new(
                "CORS-W202",
                format!("anyone can register a name that {} accepts", Quoted(value)),
                "let it end in a domain of your own",
            ),
        }
    }
}

/// A refusal of `value`; `any_origin` are the pages that it lets in where it is for any origin.
fn prohibited(danger: Danger, value: &str, any_origin: &str) -> Sentence {
    let value = Quoted(value);
    let (code, matter, fix) = match danger {
        Danger::AnyOriginWithCredentials => (
            "CORS-E202",
            format!("{value} with credentials lets {any_origin} act as the user"),
            "name the origins",
        ),
        Danger::AnyAppOriginWithCredentials => (
            "CORS-E213",
            format!(
                "{value} with credentials lets extensions or applications of any author act as the user"
            ),
            "name the origins",
        ),
        Danger::InsecureOriginWithCredentials => (
            "CORS-E203",
            format!("anyone on the user's network can become {value}, and act with credentials"),
            "write `https://`",
        ),
        Danger::PublicSuffixSubdomains => (
            "CORS-E204",
            format!("anyone can register a name that {value} accepts, and act with credentials"),
            "let it end in a domain of your own",
        ),
        Danger::NullOriginWithCredentials => (
            "CORS-E205",
            format!("any site can send {value} from a sandboxed frame, and act with credentials"),
            "name the real origin",
        ),
        Danger::UnboundedRegexWithCredentials => (
            "CORS-E206",
            format!("{value} accepts hosts of any domain, with credentials"),
            "let it end in a domain of your own, such as `\\.app\\.example`",
        ),
    };
    or_listed(Sentence::new(code, matter, fix), danger)
}

/// The same, with the word that makes its fix unneeded.
pub(super) fn or_listed(sentence: Sentence, danger: Danger) -> Sentence {
    let list = Proposal::Add(Place::beside("dangerouslyAllow"), vec![danger.word().to_owned()]);
    sentence.and(&format!(", or list `{}` in `dangerouslyAllow`", danger.word())).with_edit(list)
}

fn known_words() -> String {
    let words: Vec<String> =
        Danger::ALL.iter().map(|danger| format!("`{}`", danger.word())).collect();
    words.join(", ")
}
