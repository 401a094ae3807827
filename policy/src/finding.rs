//! Findings: everything there is to say about a policy as written, each with its code, its field and its fix.

mod behavior;
mod danger;
mod edit;
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
mod quoted;
mod reason;
mod regex;
mod rule;

use std::fmt;

pub use behavior::BehaviorReason;
pub use danger::{Danger, DangerReason};
pub use edit::{Edit, Place, Proposal, Written, join};
pub use header::HeaderReason;
pub use host::HostReason;
pub(crate) use language::{Language, is_every_origin, is_word_of_exception};
pub use list::{ListReason, entries};
pub use max_age::MaxAgeReason;
pub(crate) use max_age::is_capped;
pub use method::MethodReason;
pub use names::Names;
pub use order::sort;
pub use origin::{Instead, OriginReason};
pub(crate) use origin_fault::{is_glob, is_underscored_scheme};
pub use quoted::{OneLine, Quoted};
pub use reason::{Explain, Reason};
pub use regex::{Misfit, OriginFault, RegexReason, Replacement};
pub use rule::{MeantPath, RuleReason};

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

/// The text of a reason: its stable code, the fault, and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Never reused. The letter is the severity.
    pub code: &'static str,
    /// The fault.
    pub matter: String,
    /// The fix.
    pub fix: String,
    /// Edits that a program can make; each is an alternative.
    pub edits: Vec<Proposal>,
}

// === impl Finding ===

impl Finding {
    /// A finding about `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<Reason>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// Makes a warning of a refusal of what an earlier release accepted.
    pub fn demote(&mut self) {
        if self.is_refusal() {
            self.reason = BehaviorReason::AcceptedEarlier(self.reason.clone()).into();
        }
    }

    /// The stable code, such as `CORS-E001`.
    pub fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// The severity; the code's letter says the same.
    pub fn severity(&self) -> Severity {
        self.reason.severity()
    }

    /// Does it refuse the policy?
    pub fn is_refusal(&self) -> bool {
        self.severity() == Severity::Refusal
    }

    /// The sentence without field and code.
    pub fn message(&self) -> String {
        self.reason.to_string()
    }

    /// The edits that remove the finding: alternatives, the best one first. It is empty if the fix takes knowledge that
    /// only the author has.
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

// === impl Sentence ===

impl Sentence {
    /// A sentence whose fix only its author can make.
    pub fn new(code: &'static str, matter: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code, matter: matter.into(), fix: fix.into(), edits: Vec::new() }
    }

    /// A sentence whose fix is to write `value` in the place of what stands there.
    pub fn write(code: &'static str, matter: impl Into<String>, value: Written) -> Self {
        let fix = format!("write {}", Quoted(&value.to_string()));
        Self::new(code, matter, fix).with_edit(Proposal::Write(Place::Here, value))
    }

    /// A sentence whose fix is to remove what stands there.
    pub fn remove(code: &'static str, matter: impl Into<String>) -> Self {
        Self::new(code, matter, "remove it").with_edit(Proposal::Remove)
    }

    /// The same, with one more edit that answers it alone.
    pub fn with_edit(mut self, edit: Proposal) -> Self {
        self.edits.push(edit);
        self
    }

    /// The same, with what its fix says behind the value that it writes.
    pub fn and(mut self, rest: &str) -> Self {
        self.fix.push_str(rest);
        self
    }
}
