//! Findings: everything there is to say about a policy as written, each with its code, its field and its fix.

use std::fmt;

/// One thing to say about a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: a path its author can find with the eye, such as `spec.cors.allowOrigins[2]`.
    pub field: String,
    /// What.
    pub reason: Reason,
}

/// How much a finding weighs.
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
    /// Neither `cors` nor `rules`.
    NothingToDo,
}

// === impl Finding ===

impl Finding {
    /// A finding about `field`.
    pub fn new(field: impl Into<String>, reason: Reason) -> Self {
        Self { field: field.into(), reason }
    }

    /// The stable code, such as `CORS-E001`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// How much it weighs; the code's letter says the same.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.code().as_bytes().get(5) {
            Some(b'E') => Severity::Refusal,
            Some(b'W') => Severity::Warning,
            _ => Severity::Hint,
        }
    }

    /// The sentence without field and code.
    #[must_use]
    pub fn message(&self) -> String {
        self.reason.to_string()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.field, self.reason, self.code())
    }
}

// === impl Reason ===

impl Reason {
    /// The stable code; never reused.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingToDo => "CORS-E001",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToDo => {
                f.write_str("the policy has neither `cors` nor `rules`: write one of them")
            }
        }
    }
}
