//! Findings: everything there is to say about a policy as written, each with its code, its field and its fix.

mod behavior;
mod danger;
mod edit;
mod gateway;
mod guardrail;
mod header;
mod host;
mod language;
mod list;
mod max_age;
mod method;
mod names;
mod order;
mod origin;
mod origin_fault;
mod origin_set;
mod placement;
mod quoted;
mod regex;
mod rule;
mod shape;
mod size;
mod source;
mod target;
mod traffic;

#[cfg(test)]
mod reference;

use std::fmt;

pub use behavior::BehaviorReason;
pub use danger::{Danger, DangerReason};
pub use edit::{Edit, Written};
pub(crate) use edit::{Place, Proposal};
pub use gateway::GatewayReason;
pub use guardrail::{Excess, GuardrailReason};
pub use header::HeaderReason;
pub use host::HostReason;
pub(crate) use language::{Language, is_every_origin, is_word_of_exception};
pub use list::ListReason;
pub use max_age::MaxAgeReason;
pub(crate) use max_age::is_capped;
pub use method::MethodReason;
pub use names::Names;
pub use order::sort;
pub use origin::{Instead, OriginReason};
pub(crate) use origin_fault::{is_glob, is_underscored_scheme};
pub use origin_set::OriginSetReason;
pub use placement::{PlacementReason, TargetInstead};
use quoted::Quoted;
pub use regex::{Misfit, OriginFault, RegexReason, Replacement};
pub use rule::{MeantPath, RuleReason};
pub use shape::{Meant, MeantField, ShapeReason};
pub use size::SizeReason;
pub use source::SourceReason;
pub use target::TargetReason;
pub use traffic::{TrafficReason, WithoutSidecar};

/// One thing to say about a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The field: a path that its author can find, such as `spec.cors.allowOrigins[2]`; empty for a whole file.
    pub field: String,
    /// The reason.
    pub reason: Reason,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy is refused.
    Refusal,
    /// The policy stands, and something is probably wrong.
    Warning,
    /// The policy stands, and something is worth knowing.
    Hint,
}

/// Everything a finding can say: data first, one sentence each (see `Display`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The treatment of requests, and the policy's status and name: `CORS-*0xx`.
    Behavior(BehaviorReason),
    /// `maxAge`: `CORS-*0xx`.
    MaxAge(MaxAgeReason),
    /// A list's length, or an entry that is repeated or normalized: `CORS-*0xx`.
    List(ListReason),
    /// An entry of `allowOrigins` or `trustedOrigins`: `CORS-*1xx`.
    Origin(OriginReason),
    /// An entry of `allowOriginRegexes`: `CORS-*1xx`.
    Regex(RegexReason),
    /// `dangerouslyAllow`, and what needs it: `CORS-*2xx`.
    Danger(DangerReason),
    /// `allowMethods`: `CORS-*3xx`.
    Method(MethodReason),
    /// `allowHeaders` and `exposeHeaders`: `CORS-*3xx`.
    Header(HeaderReason),
    /// `hostnames`: `CORS-*4xx`.
    Host(HostReason),
    /// `rules`: `CORS-*4xx`.
    Rule(RuleReason),
    /// A value that does not fit: `CORS-*5xx`.
    Shape(ShapeReason),
    /// The file or object a policy is read from: `CORS-*5xx`.
    Source(SourceReason),
    /// Targets, neighbours and what is in force: `CORS-*5xx`.
    Placement(PlacementReason),
    /// Guardrails, and what exceeds them: `CORS-*6xx`.
    Guardrail(GuardrailReason),
    /// Sets of origins: `CORS-*6xx`.
    OriginSet(OriginSetReason),
    /// A target as the cluster has it: `CORS-*5xx`.
    Target(TargetReason),
    /// Gateways and their controllers: `CORS-*5xx`.
    Gateway(GatewayReason),
    /// The size of policies: `CORS-*5xx`.
    Size(SizeReason),
    /// Causes that keep requests from a policy's proxies, and further CORS layers: `CORS-*5xx`.
    Traffic(TrafficReason),
}

/// The text of a reason: its stable code, the fault, and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// Never reused. The letter is the severity.
    pub(crate) code: &'static str,
    /// The fault.
    pub(crate) matter: String,
    /// The fix.
    pub(crate) fix: String,
    /// Edits that a program can make; each is an alternative.
    pub(crate) edits: Vec<Proposal>,
}

// === impl Finding ===

impl Finding {
    /// A finding about `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<Reason>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// The stable code, such as `CORS-E001`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// The severity; the code's letter says the same.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.reason.severity()
    }

    /// The sentence without field and code.
    #[must_use]
    pub fn message(&self) -> String {
        self.reason.to_string()
    }

    /// The edits that remove the finding: alternatives, the best one first. It is empty if the fix takes knowledge that
    /// only the author has.
    #[must_use]
    pub fn edits(&self) -> Vec<Edit> {
        let proposals = self.reason.sentence().edits;
        proposals.into_iter().map(|proposal| proposal.at(&self.field)).collect()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{} [{}]", self.reason, self.code())
    }
}

// === impl Severity ===

impl Severity {
    /// Its name in outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Reason ===

impl Reason {
    /// The stable code; never reused.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.sentence().code
    }

    /// The severity; the code's letter says the same.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.code().as_bytes().get("CORS-".len()) {
            Some(b'E') => Severity::Refusal,
            Some(b'W') => Severity::Warning,
            _ => Severity::Hint,
        }
    }

    pub(crate) fn sentence(&self) -> Sentence {
        match self {
            Self::Behavior(reason) => reason.sentence(),
            Self::MaxAge(reason) => reason.sentence(),
            Self::List(reason) => reason.sentence(),
            Self::Origin(reason) => reason.sentence(),
            Self::Regex(reason) => reason.sentence(),
            Self::Danger(reason) => reason.sentence(),
            Self::Method(reason) => reason.sentence(),
            Self::Header(reason) => reason.sentence(),
            Self::Host(reason) => reason.sentence(),
            Self::Rule(reason) => reason.sentence(),
            Self::Shape(reason) => reason.sentence(),
            Self::Source(reason) => reason.sentence(),
            Self::Placement(reason) => reason.sentence(),
            Self::Guardrail(reason) => reason.sentence(),
            Self::OriginSet(reason) => reason.sentence(),
            Self::Target(reason) => reason.sentence(),
            Self::Gateway(reason) => reason.sentence(),
            Self::Size(reason) => reason.sentence(),
            Self::Traffic(reason) => reason.sentence(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sentence { code: _, matter, fix, edits: _ } = self.sentence();
        write!(f, "{matter}: {fix}")
    }
}

macro_rules! from {
    ($($variant:ident($reason:ty),)*) => {$(
        impl From<$reason> for Reason {
            fn from(reason: $reason) -> Self {
                Self::$variant(reason)
            }
        }
    )*};
}

from! {
    Behavior(BehaviorReason),
    MaxAge(MaxAgeReason),
    List(ListReason),
    Origin(OriginReason),
    Regex(RegexReason),
    Danger(DangerReason),
    Method(MethodReason),
    Header(HeaderReason),
    Host(HostReason),
    Rule(RuleReason),
    Shape(ShapeReason),
    Source(SourceReason),
    Placement(PlacementReason),
    Guardrail(GuardrailReason),
    OriginSet(OriginSetReason),
    Target(TargetReason),
    Gateway(GatewayReason),
    Size(SizeReason),
    Traffic(TrafficReason),
}

// === impl Sentence ===

impl Sentence {
    pub(crate) fn new(
        code: &'static str,
        matter: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { code, matter: matter.into(), fix: fix.into(), edits: Vec::new() }
    }

    /// A sentence whose fix is to write `value` in the place of what stands there.
    pub(crate) fn write(code: &'static str, matter: impl Into<String>, value: Written) -> Self {
        let fix = format!("write {}", Quoted(&value.to_string()));
        Self::new(code, matter, fix).with_edit(Proposal::Write(Place::Here, value))
    }

    /// A sentence whose fix is to remove what stands there.
    pub(crate) fn remove(code: &'static str, matter: impl Into<String>) -> Self {
        Self::new(code, matter, "remove it").with_edit(Proposal::Remove)
    }

    /// The same, with one more edit that answers it alone.
    pub(crate) fn with_edit(mut self, edit: Proposal) -> Self {
        self.edits.push(edit);
        self
    }

    /// The same, with what its fix says behind the value that it writes.
    pub(crate) fn and(mut self, rest: &str) -> Self {
        self.fix.push_str(rest);
        self
    }
}
