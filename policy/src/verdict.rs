//! Verdict: whether a policy allows a CORS request, and why not.

use crate::compiled::RuleSet;
use crate::draft::PolicyId;
use crate::scope::PathMatch;

/// The outcome of a CORS request, with the rule set that decides.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'c> {
    pub(crate) rule_set: &'c RuleSet,
    /// The kind of the CORS request.
    pub kind: RequestKind,
    /// The outcome.
    pub outcome: Outcome,
}

/// The kind of a CORS request (Fetch standard, "HTTP requests").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A CORS-preflight request.
    Preflight,
    /// A CORS request that is not a CORS-preflight request.
    Actual,
}

/// The outcome of a CORS request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Shared, or the preflight passed.
    Allowed,
    /// Not shared, but the request came from the site itself.
    SameOrigin,
    /// Not shared, but its origin is trusted not to be rejected.
    Trusted,
    /// Not shared, or the preflight failed.
    Refused(Refusal),
    /// Answered 403 instead of being forwarded.
    Rejected(Refusal),
}

/// The reason of a refusal: the first check that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The origin is not allowed.
    Origin,
    /// The origin is `null` and not named.
    NullOrigin,
    /// The `Origin` header is not a serialized origin.
    MalformedOrigin,
    /// The list of requested headers is beyond its bounds.
    TooLong,
    /// The requested method is not allowed.
    Method,
    /// A requested header is not allowed.
    Header,
    /// Different rules cover the interpretations of the path.
    AmbiguousPath,
}

// === impl Verdict ===

impl<'c> Verdict<'c> {
    /// Returns the policy that decides, as `namespace/name`.
    pub fn policy(&self) -> &'c PolicyId {
        &self.rule_set.settings.id
    }

    /// Returns the path of the rule that decides; `None` for the policy's own `cors`.
    pub fn path(&self) -> Option<&'c PathMatch> {
        self.rule_set.path.as_ref()
    }
}

// === impl RequestKind ===

impl RequestKind {
    /// A word for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Actual => "actual",
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// A word for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::SameOrigin => "same_origin",
            Self::Trusted => "trusted",
            Self::Refused(_) => "refused",
            Self::Rejected(_) => "rejected",
        }
    }

    /// Returns the reason of a refused or rejected request.
    pub const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Refused(refusal) | Self::Rejected(refusal) => Some(refusal),
            Self::Allowed | Self::SameOrigin | Self::Trusted => None,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 7] = [
        Self::Origin,
        Self::NullOrigin,
        Self::MalformedOrigin,
        Self::TooLong,
        Self::Method,
        Self::Header,
        Self::AmbiguousPath,
    ];

    /// A word for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::NullOrigin => "null_origin",
            Self::MalformedOrigin => "malformed_origin",
            Self::TooLong => "too_long",
            Self::Method => "method",
            Self::Header => "header",
            Self::AmbiguousPath => "ambiguous_path",
        }
    }
}
