//! Reply: the answer to one request, or the reason for none.

use corsward_browser::HeaderLine;
use corsward_policy::{PolicyId, Refusal};

use super::diagnosis::Diagnosis;

/// A response of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<HeaderLine>,
}

/// The reply to one request.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) answer: Option<Answer>,
    /// The reason for no answer.
    pub(super) unknown: &'static str,
    /// The fault that keeps the answer away.
    pub(super) failed: Option<Diagnosis>,
    /// The policy and its verdict, then those that it took precedence over.
    pub(super) decided_by: Vec<String>,
    pub(super) policy: Option<PolicyId>,
    pub(super) refusal: Option<Refusal>,
}
