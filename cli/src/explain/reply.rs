//! Reply: the answer to one request, or the reason for none.

use std::fmt;

use corsward_browser::{HeaderLine, combined};
use corsward_policy::verdict::Outcome;
use corsward_policy::{PolicyId, Refusal};
use serde::Serialize;

use super::diagnosis::Diagnosis;

/// A response of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<HeaderLine>,
}

/// A policy and its verdict.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Judgement {
    pub(crate) policy: String,
    pub(crate) role: Role,
    pub(crate) verdict: String,
    /// The reason why the deciding policy takes precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<&'static str>,
}

/// The part that a policy has in a decision.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Role {
    /// It decides.
    Decides,
    /// It is counted beside the deciding one, and enforced nowhere.
    DryRun,
    /// It would decide alone.
    Overridden,
}

/// A command whose output an option takes.
#[derive(Debug, Serialize)]
pub(super) struct Capture {
    pub(super) command: String,
    pub(super) option: &'static str,
}

/// The reply to one request.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) answer: Option<Answer>,
    /// The reason for no answer.
    pub(crate) unknown: &'static str,
    /// The way to an answer that a capture lacks.
    pub(super) capture: Option<Capture>,
    /// The fault that keeps the answer away.
    pub(super) failed: Option<Diagnosis>,
    /// The policy that decides, then those that it takes precedence over.
    pub(crate) policies: Vec<Judgement>,
    pub(crate) policy: Option<PolicyId>,
    /// The verdict's own outcome.
    pub(crate) outcome: Option<Outcome>,
    /// The answer holds for an upstream that answers 200 without a header of CORS.
    pub(crate) is_assumed: bool,
}

// === impl Answer ===

impl Answer {
    /// Does the browser check the response that it has stored, without a word of this answer about the origin?
    pub(super) fn is_of_stored(&self) -> bool {
        self.status == 304 && combined(&self.headers, "access-control-allow-origin").is_none()
    }
}

// === impl Reply ===

impl Reply {
    /// The reason of a refused or rejected request.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.outcome.and_then(Outcome::refusal)
    }
}

// === impl Judgement ===

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, role, verdict, why } = self;
        let role = match role {
            Role::Decides => "",
            Role::DryRun => " (DryRun)",
            Role::Overridden => " alone",
        };
        write!(f, "`{policy}`{role}: {verdict}")?;
        match why {
            Some(why) => write!(f, "; {why}"),
            None => Ok(()),
        }
    }
}
