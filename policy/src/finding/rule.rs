//! Reasons about `rules`.

use super::names::Names;
use super::quoted::Quoted;
use super::{Explain, Place, Proposal, Sentence, Written};
use crate::path_syntax::PathSyntax;
use crate::scope::InvalidPath;

/// Reasons about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleReason {
    /// Not a path that a rule can have.
    InvalidPath {
        /// The path as written.
        value: String,
        /// The reason.
        why: InvalidPath,
        /// The path that was probably meant.
        instead: Option<Box<MeantPath>>,
    },
    /// A path in the syntax of a different system.
    OtherSyntax {
        /// The path as written.
        value: String,
        /// The syntax.
        syntax: PathSyntax,
        /// Whether the rule covers this path alone.
        exact: bool,
        /// The prefix that was probably meant.
        prefix: Option<Box<MeantPath>>,
        /// The paths that the text names, one by one.
        each: Vec<String>,
        /// The path with a literal star, where a rule can have it.
        literal: Option<String>,
    },
    /// The type and value of an earlier rule.
    SamePath {
        /// The path.
        value: String,
        /// The field of the first rule that has it.
        first: String,
    },
    /// Neither the rule nor the policy has `cors`.
    WithoutCors,
    /// A field beside `mode: Off`.
    BesideOff {
        /// Whether the rule could be active: it or the policy has `cors`.
        has_cors: bool,
    },
    /// `mode: DryRun` in a rule.
    DryRun,
    /// More hosts times rules than a proxy has places for.
    TooManyPlaces {
        /// The number of hosts, at least one.
        hosts: usize,
        /// The number of rules.
        rules: usize,
        /// The limit of places.
        max: usize,
    },
    /// Without the rule the answers would be the same.
    Redundant {
        /// The field of the rule, or of the policy, that says the same.
        same: String,
    },
    /// A rule for `/` answers in place of `spec.cors`.
    CorsShadowed {
        /// The field of that rule.
        by: String,
    },
    /// A rule for `/` that leaves requests alone, in place of `spec.cors`.
    LeavesAllAlone,
}

/// A path that was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeantPath {
    /// The path, which a rule can have.
    pub path: String,
    /// The field of the rule that has it already.
    pub taken_by: Option<String>,
}

// === impl RuleReason ===

impl Explain for RuleReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::InvalidPath { value, why, instead } => {
                invalid_path(value, why, instead.as_deref())
            }
            Self::OtherSyntax { value, syntax, exact, prefix, each, literal } => {
                let sentence = other_syntax(value, *syntax, *exact, prefix.as_deref(), each);
                or_literally(sentence, literal.as_deref())
            }
            Self::SamePath { value, first } => Sentence::new(
                "CORS-E416",
                format!("{} has the type and value of {}", Quoted(value), Quoted(first)),
                "make one rule of the two",
            ),
            Self::WithoutCors => Sentence::new(
                "CORS-E417",
                "neither the rule nor the policy has `cors`",
                "write `cors` in one of them",
            ),
            Self::BesideOff { has_cors } => beside_off(*has_cors),
            Self::DryRun => Sentence::write(
                "CORS-E422",
                "a rule cannot be rehearsed alone",
                Written::text("Active"),
            )
            .and(", or rehearse a copy of the policy that has `spec.mode: DryRun`"),
            Self::TooManyPlaces { hosts, rules, max } => Sentence::new(
                "CORS-E418",
                format!(
                    "{hosts} `hostnames` times {rules} rules and `cors` take more than the {max} places of a policy"
                ),
                "use patterns such as `*.shop.example`, or split the policy",
            ),
            Self::Redundant { same } => Sentence::remove(
                "CORS-I401",
                format!("the rule says what {} says already", Quoted(same)),
            ),
            Self::CorsShadowed { by } => Sentence::new(
                "CORS-I402",
                format!("{} covers every path, so that this block is never used", Quoted(by)),
                "remove one of them",
            )
            .with_edit(Proposal::Remove),
            Self::LeavesAllAlone => Sentence::remove(
                "CORS-W502",
                "the rule leaves every path alone, so that `spec.cors` is never used",
            )
            .and(", or `spec.cors`"),
        }
    }
}

fn beside_off(has_cors: bool) -> Sentence {
    let sentence = Sentence::remove(
        "CORS-E421",
        "the rule leaves requests alone (`mode: Off`), so that this is never used",
    );
    if !has_cors {
        return sentence;
    }
    let active = Proposal::Write(Place::beside("mode"), Written::text("Active"));
    sentence.and(", or write `mode: Active`").with_edit(active)
}

/// Adds how a path with a literal `*` is written.
fn or_literally(sentence: Sentence, literal: Option<&str>) -> Sentence {
    match literal {
        Some(literal) => sentence
            .and(&format!(", or write {} for a literal `*`", Quoted(literal)))
            .with_edit(Proposal::Write(Place::Here, Written::text(literal))),
        None => sentence,
    }
}

/// The code of a path in a foreign syntax.
const OTHER_SYNTAX: &str = "CORS-E419";

/// A path in a foreign syntax: the fix is the prefix or the paths that it stands for.
fn other_syntax(
    value: &str,
    syntax: PathSyntax,
    exact: bool,
    prefix: Option<&MeantPath>,
    each: &[String],
) -> Sentence {
    let matter = format!("{} is {syntax}, and paths are compared literally", Quoted(value));
    match prefix {
        None if !each.is_empty() => {
            let names: Names = each.iter().collect();
            Sentence::new(OTHER_SYNTAX, matter, format!("have a rule for each of {names}"))
        }
        None if syntax == PathSyntax::Negation => Sentence::new(
            OTHER_SYNTAX,
            matter,
            "there is no negation, so have a rule for each path that is meant, and `mode: Off` in one for each path to leave alone",
        ),
        None => Sentence::new(
            OTHER_SYNTAX,
            matter,
            "no prefix says this, so have a rule for each path that is meant",
        ),
        Some(MeantPath { path, taken_by: Some(first) }) => Sentence::new(
            OTHER_SYNTAX,
            matter,
            format!(
                "make one rule of this and {}, whose {} covers all below it",
                Quoted(first),
                Quoted(path)
            ),
        ),
        Some(MeantPath { path, taken_by: None }) => {
            let text = Written::text(path);
            // An exact path would cover nothing below it.
            let (place, prefix) = if exact {
                let kind = ("type".to_owned(), Written::text("PathPrefix"));
                (Place::Around, Written::Mapping(vec![kind, ("value".to_owned(), text)]))
            } else {
                (Place::Here, text)
            };
            let fix = format!("write {}, which covers all below it", Quoted(&prefix.to_string()));
            Sentence::new(OTHER_SYNTAX, matter, fix).with_edit(Proposal::Write(place, prefix))
        }
    }
}

fn invalid_path(value: &str, why: &InvalidPath, instead: Option<&MeantPath>) -> Sentence {
    let quoted = Quoted(value);
    let (code, matter, fix) = match why {
        InvalidPath::NotAbsolute => (
            "CORS-E411",
            format!("{quoted} does not start with a slash"),
            "write it from the root, such as `/public`",
        ),
        InvalidPath::Query => (
            "CORS-E412",
            format!("{quoted} has a query or a fragment, and paths are compared without"),
            "write what stands before the `?` or `#`",
        ),
        InvalidPath::TooLong => (
            "CORS-E413",
            format!("{quoted} is longer than a rule's path may be"),
            "write a shorter prefix",
        ),
        InvalidPath::Ambiguous => (
            "CORS-E414",
            format!("back ends read {quoted} in two ways, so that it never matches"),
            "write it without `//`, `;`, `\\` and without `%` before a reserved character",
        ),
        InvalidPath::NotNormal(_) => (
            "CORS-E415",
            format!("{quoted} never matches, because paths are compared in their normal form"),
            "write it in its normal form",
        ),
    };
    match instead {
        Some(MeantPath { path, taken_by: None }) => {
            Sentence::write(code, matter, Written::text(path))
        }
        Some(MeantPath { path, taken_by: Some(first) }) => {
            let (path, first) = (Quoted(path), Quoted(first));
            Sentence::new(
                code,
                matter,
                format!("make one rule of this and {first}, which has {path}"),
            )
        }
        None => Sentence::new(code, matter, fix),
    }
}
