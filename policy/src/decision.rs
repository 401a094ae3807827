//! Decision: what the proxy does with a request and its response, and why. Made by `decide` only.

use std::borrow::Cow;
use std::sync::Arc;

use crate::compiled::{CompiledCors, RuleSet};
use crate::draft::Diagnostics;
use crate::header_name::{ACAC, ACAO, DIAGNOSTICS};
use crate::request::RequestField;
use crate::scope::PathMatch;
use crate::shadow::Shadow;

/// What to do with one request.
#[derive(Debug)]
pub struct Decision<'c> {
    /// What the proxy does now.
    pub action: Action<'c>,
    /// Who decided, what and why; `None` where no active policy covers the request or it has no `Origin`.
    pub verdict: Option<Verdict>,
    /// The verdict of a `DryRun` policy beside the one in force.
    pub shadow: Option<Shadow>,
}

/// What the proxy does with a request.
#[derive(Debug)]
#[cfg_attr(
    target_pointer_width = "64",
    expect(
        clippy::large_enum_variant,
        reason = "a refusal allocates nothing, so its headers lie on the stack"
    )
)]
pub enum Action<'c> {
    /// Nothing, now or on the response.
    Passthrough,
    /// Answer it here; the upstream is not asked.
    LocalReply(LocalReply<'c>),
    /// Forward it, then edit the response.
    Continue {
        /// A header that is removed from the request before that.
        remove: Option<RequestField>,
        /// What becomes of the response (a local reply of a later filter included).
        plan: ResponsePlan,
    },
}

/// An answer the proxy gives by itself, with an empty body.
#[derive(Debug)]
pub struct LocalReply<'c> {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: Headers<'c>,
}

type Header<'c> = (&'static str, Cow<'c, [u8]>);

/// At most [`Headers::CAPACITY`] response headers, held without the heap.
#[derive(Debug, Default)]
pub struct Headers<'c> {
    items: [Option<Header<'c>>; Headers::CAPACITY],
    len: usize,
}

/// What to do with the response to a forwarded request: kept by the proxy until the response arrives, whatever
/// configuration comes in between.
#[derive(Clone, Debug)]
pub struct ResponsePlan {
    pub(crate) rule_set: Arc<RuleSet>,
    pub(crate) sharing: Sharing,
    pub(crate) vary_origin: bool,
    pub(crate) diagnosis: Option<Diagnosis>,
}

/// Whether, and with whom, a response is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// With nobody: no `Access-Control-*` header of ours.
    Nobody,
    /// With anyone: `*`.
    Anyone,
    /// With the request's origin, echoed.
    Origin(Box<[u8]>),
}

/// Edits of a response's headers: first remove, then set (each replaces every line of that name).
#[derive(Debug)]
pub struct Edits<'c> {
    /// Whether the upstream's CORS headers go.
    pub(crate) replace: bool,
    /// Headers to set.
    pub set: Headers<'c>,
}

/// What the diagnostics header says.
#[derive(Clone, Debug)]
pub(crate) struct Diagnosis(Box<str>);

/// Who decided, what and why.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub(crate) rule_set: Arc<RuleSet>,
    /// What kind of CORS request it was.
    pub kind: RequestKind,
    /// What was decided.
    pub outcome: Outcome,
}

/// What kind of CORS request it was (Fetch standard, "HTTP requests").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A CORS-preflight request.
    Preflight,
    /// A CORS request that is not a CORS-preflight request.
    Actual,
}

/// What was decided about a CORS request.
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

/// Why a CORS request was refused: the first check that failed.
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

// === impl Headers ===

impl<'c> Headers<'c> {
    /// Seven of the CORS protocol, `Vary`, `Cache-Control` and the diagnostics.
    pub const CAPACITY: usize = 10;

    /// The headers, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.items.iter().take(self.len).flatten().map(|(name, value)| (*name, value.as_ref()))
    }

    /// Is `name` among them?
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|(present, _)| present == name)
    }

    /// The CORS check's two headers: with whom, and whether with credentials.
    pub(crate) fn push_sharing(&mut self, cors: &CompiledCors, with: Cow<'c, [u8]>) {
        self.push(ACAO, with);
        if cors.source.credentials {
            self.push(ACAC, &b"true"[..]);
        }
    }

    pub(crate) fn push(&mut self, name: &'static str, value: impl Into<Cow<'c, [u8]>>) {
        if let Some(slot) = self.items.get_mut(self.len) {
            *slot = Some((name, value.into()));
            self.len = self.len.saturating_add(1);
        }
    }
}

// === impl Diagnosis ===

impl Diagnosis {
    /// A dictionary (RFC 9651 section 3.2), where the policy asks for it.
    pub(crate) fn of(rule_set: &RuleSet, verdict: Option<&Verdict>) -> Option<Self> {
        if rule_set.settings.diagnostics == Diagnostics::None {
            return None;
        }
        let mut text = String::from("policy=\"");
        text.push_str(&rule_set.settings.id.namespace);
        text.push('/');
        text.push_str(&rule_set.settings.id.name);
        text.push('"');
        let mut say = |key: &str, value: &str, quote: &str| {
            for part in [", ", key, "=", quote, value, quote] {
                text.push_str(part);
            }
        };
        match &rule_set.path {
            None => {}
            Some(PathMatch::Prefix(path)) if path.is_empty() => say("rule", "/", "\""),
            Some(PathMatch::Exact(path) | PathMatch::Prefix(path)) => say("rule", path, "\""),
        }
        if let Some(Verdict { rule_set: _, kind, outcome }) = verdict {
            say("request", kind.label(), "");
            say("verdict", outcome.label(), "");
            if let Some(refusal) = outcome.refusal() {
                say("reason", refusal.label(), "");
            }
        }
        Some(Self(text.into()))
    }

    pub(crate) fn push(diagnosis: Option<Self>, headers: &mut Headers<'_>) {
        if let Some(Self(text)) = diagnosis {
            headers.push(DIAGNOSTICS, String::from(text).into_bytes());
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// The policy that decided, as `namespace/name`.
    #[must_use]
    pub fn policy(&self) -> &crate::draft::PolicyId {
        &self.rule_set.settings.id
    }
}

// === impl RequestKind ===

impl RequestKind {
    /// A word for metrics and logs.
    #[must_use]
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
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::SameOrigin => "same_origin",
            Self::Trusted => "trusted",
            Self::Refused(_) => "refused",
            Self::Rejected(_) => "rejected",
        }
    }

    /// Why, where it was refused or rejected.
    #[must_use]
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
    #[must_use]
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
