//! Reasons about `rules`.

use super::quoted::Quoted;
use super::{Place, Proposal, Sentence, Written};
use crate::draft::PathType;
use crate::path::Readings;
use crate::path_syntax::{self, PathSyntax};
use crate::scope::{InvalidPath, PathMatch};

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
    /// A path in the syntax of another system.
    OtherSyntax {
        /// The path as written.
        value: String,
        /// The syntax.
        syntax: PathSyntax,
        /// Whether the rule covers this path alone.
        exact: bool,
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
            Self::OtherSyntax { value, syntax, exact } => other_syntax(value, *syntax, *exact),
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

/// The code of a path in another syntax.
const OTHER_SYNTAX: &str = "CORS-E419";

/// A path in another syntax: to write what is literal of it, or a literal star.
fn other_syntax(value: &str, syntax: PathSyntax, exact: bool) -> Sentence {
    let matter = format!("{} is {syntax}, and paths are compared literally", Quoted(value));
    let prefix = path_syntax::literal_prefix(value);
    let prefix = if prefix.is_empty() { "/".to_owned() } else { prefix };
    // `/` in place of `/{tenant}/public` would be a rule for every path.
    if prefix == "/" && value.split('/').filter(|segment| !segment.is_empty()).count() > 1 {
        return Sentence::new(
            OTHER_SYNTAX,
            matter,
            "no prefix says this, so have a rule for each path that is meant",
        );
    }
    let text = Written::text(prefix);
    // An exact path would cover nothing below it.
    let (place, prefix) = if exact {
        let kind = ("type".to_owned(), Written::text("PathPrefix"));
        (Place::Around, Written::Mapping(vec![kind, ("value".to_owned(), text)]))
    } else {
        (Place::Here, text)
    };
    let mut fix = format!("write {}, which covers all below it", Quoted(&prefix.to_string()));
    let mut literal = None;
    let spelled = path_syntax::spell(value);
    if syntax == PathSyntax::Glob && is_path(&spelled) {
        fix = format!("{fix}, or {} for a literal `*`", Quoted(&spelled));
        literal = Some(Proposal::Write(Place::Here, Written::Text(spelled)));
    }
    let mut sentence =
        Sentence::new(OTHER_SYNTAX, matter, fix).with_edit(Proposal::Write(place, prefix));
    sentence.edits.extend(literal);
    sentence
}

/// Is it a path that a rule can have?
fn is_path(path: &str) -> bool {
    PathSyntax::of(path).is_none() && PathMatch::parse(PathType::Exact, path).is_ok()
}

fn invalid_path(value: &str, why: &InvalidPath) -> Sentence {
    let quoted = Quoted(value);
    let (code, matter, instead, fix) = match why {
        InvalidPath::NotAbsolute => (
            "CORS-E411",
            format!("{quoted} does not start with a slash"),
            Some(absolute(value)),
            "write it from the root, such as `/public`",
        ),
        InvalidPath::Query => (
            "CORS-E412",
            format!("{quoted} has a query or a fragment, and paths are compared without"),
            value.split(['?', '#']).next().map(str::to_owned),
            "write what stands before the `?` or `#`",
        ),
        InvalidPath::TooLong => (
            "CORS-E413",
            format!("{quoted} is longer than a rule's path may be"),
            None,
            "write a shorter prefix",
        ),
        InvalidPath::Ambiguous => (
            "CORS-E414",
            format!("back ends read {quoted} in two ways, so that it never matches"),
            folded(value),
            "write it without `//`, `;`, `\\` and without `%` before a reserved character",
        ),
        InvalidPath::NotNormal(normal) => (
            "CORS-E415",
            format!("{quoted} never matches, because paths are compared in their normal form"),
            Some(normal.clone()),
            "write it in its normal form",
        ),
    };
    match instead.filter(|instead| is_path(instead)) {
        Some(instead) => Sentence::write(code, matter, Written::Text(instead)),
        None => Sentence::new(code, matter, fix),
    }
}

/// The path of a URL, or what is below the root.
fn absolute(value: &str) -> String {
    match value.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/").to_owned(),
        None => format!("/{value}"),
    }
}

/// The reading that no back end differs about.
fn folded(value: &str) -> Option<String> {
    let folded = Readings::of(value.as_bytes()).folded?.path;
    String::from_utf8(folded).ok().map(|path| path_syntax::spell(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_a_literal_prefix_is_not_told_to_cover_every_path() {
        for (value, has_edit) in [
            ("/*", true),
            ("/api/*/public", true),
            ("/*/public", false),
            ("/{tenant}/public", false),
            ("/(a|b)/c", false),
        ] {
            let syntax = PathSyntax::of(value).unwrap();
            let edits = other_syntax(value, syntax, false).edits;
            assert_eq!(!edits.is_empty(), has_edit, "{value}");
        }
    }
}
