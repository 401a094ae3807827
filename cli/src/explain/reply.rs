//! Reply: the answer to one request, or the reason for none.

use std::fmt;

use corsward_browser::HeaderLine;
use corsward_policy::{PolicyId, Refusal};
use serde::Serialize;

use super::diagnosis::Diagnosis;

/// A response of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<HeaderLine>,
}

/// A policy and its verdict.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Judgement {
    pub(super) policy: String,
    pub(super) role: Role,
    pub(super) verdict: String,
    /// The reason why the deciding policy takes precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<&'static str>,
}

/// The part that a policy has in a decision.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Role {
    /// It decides.
    Decides,
    /// It is counted beside the deciding one, and enforced nowhere.
    DryRun,
    /// It would decide alone.
    Overridden,
}

/// The reply to one request.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) answer: Option<Answer>,
    /// The reason for no answer.
    pub(super) unknown: &'static str,
    /// The fault that keeps the answer away.
    pub(super) failed: Option<Diagnosis>,
    /// The policy that decides, then those that it takes precedence over.
    pub(super) policies: Vec<Judgement>,
    pub(super) policy: Option<PolicyId>,
    pub(super) refusal: Option<Refusal>,
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
