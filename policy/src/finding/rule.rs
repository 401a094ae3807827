//! Reasons about `rules`.

use super::quoted::Quoted;
use super::{Place, Proposal, Sentence, Written};
use crate::scope::InvalidPath;

/// What there is to say about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleReason {
    /// Not a path that a rule can have.
    InvalidPath {
        /// The path as written.
        value: String,
        /// Why not.
        why: InvalidPath,
    },
    /// The type and value of another rule.
    SamePath {
        /// The path.
        value: String,
        /// The field of the first rule that has it.
        first: String,
    },
    /// Neither the rule nor the policy has `cors`.
    WithoutCors,
    /// A field beside `mode: Off`.
    BesideOff,
    /// `mode: DryRun` in a rule.
    DryRun,
    /// More hosts times rules than a proxy has places for.
    TooManyPlaces {
        /// How many hosts, one at least.
        hosts: usize,
        /// How many rules.
        rules: usize,
        /// How many places there may be.
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
    /// Rules alone, which keep another policy from the paths beside them.
    SwitchesOff {
        /// The other policy.
        other: String,
        /// Is it the target that is closer, rather than the hostname that is narrower?
        by_target: bool,
    },
}

// === impl RuleReason ===

impl RuleReason {
    pub(super) fn sentence(&self) -> Sentence {
        match self {
            Self::InvalidPath { value, why } => invalid_path(value, why),
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
            Self::BesideOff => Sentence::new(
                "CORS-E421",
                "the rule leaves requests alone (`mode: Off`), so that this is never used",
                "remove it, or write `mode: Active`",
            )
            .with_edit(Proposal::Remove)
            .with_edit(Proposal::Write(Place::beside("mode"), Written::text("Active"))),
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
            Self::SwitchesOff { other, by_target } => Sentence::new(
                "CORS-W541",
                format!(
                    "beside these rules {} does not apply any more, because the policy {} decides alone",
                    Quoted(other),
                    if *by_target { "of the closer target" } else { "of the narrower hostname" },
                ),
                "write `spec.cors` for the other paths too, with what is to hold there",
            ),
        }
    }
}

fn invalid_path(value: &str, why: &InvalidPath) -> Sentence {
    let value = Quoted(value);
    let (code, matter, fix) = match why {
        InvalidPath::NotAbsolute => (
            "CORS-E411",
            format!("{value} does not start with a slash"),
            "write it from the root, such as `/public`".to_owned(),
        ),
        InvalidPath::Query => (
            "CORS-E412",
            format!("{value} has a query or a fragment, and paths are compared without"),
            "write what stands before the `?` or `#`".to_owned(),
        ),
        InvalidPath::TooLong => (
            "CORS-E413",
            format!("{value} is longer than a rule's path may be"),
            "write a shorter prefix".to_owned(),
        ),
        InvalidPath::Ambiguous => (
            "CORS-E414",
            format!("back ends read {value} in two ways, so that it never matches"),
            "write it without `//`, `;`, `\\` and without `%` before a reserved character"
                .to_owned(),
        ),
        InvalidPath::NotNormal(normal) => (
            "CORS-E415",
            format!("{value} never matches, because paths are compared in their normal form"),
            format!("write {}", Quoted(normal)),
        ),
    };
    Sentence::new(code, matter, fix)
}
