//! Judge: the result of a page's request, by the browser's checks of the proxy's answers.

use std::fmt;

use corsward_browser::plan::NotSent;
use corsward_browser::{
    CorsFailure, CorsResponse, PageRequest, PreflightFailure, cors_check, plan, preflight_check,
};
use corsward_policy::Refusal;
use corsward_policy::verdict::Outcome;
use serde::Serialize;

use super::suite::{PageResult, Reason};
use crate::explain::proxy::Proxy;

/// The result of a page's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Judged {
    pub(super) result: PageResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Reason>,
    /// The policy that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<String>,
}

/// Judges a request: its preflight, if it needs one, and the request itself.
pub(super) fn judge(page: &PageRequest, proxy: &Proxy) -> Result<Judged, NotSent> {
    let plan = plan(page)?;
    let preflight = plan.preflight.as_ref().map(|planned| (&planned.request, Some(&planned.asks)));
    let mut judged = Judged { result: PageResult::Uncovered, reason: None, policy: None };
    for (sent, asks) in preflight.into_iter().chain([(&plan.request, None)]) {
        let reply = proxy.ask(page, sent);
        judged.policy = reply.policy.as_ref().map(ToString::to_string);
        judged.result = match reply.outcome {
            Some(Outcome::Rejected(_)) => PageResult::Rejected,
            Some(Outcome::Refused(_)) => PageResult::Refused,
            // The answer is the upstream's.
            None => PageResult::Uncovered,
            Some(_) if reply.answer.is_none() => PageResult::Uncovered,
            Some(Outcome::Allowed | Outcome::SameOrigin | Outcome::Trusted) => PageResult::Allowed,
        };
        judged.reason = reply.outcome.and_then(Outcome::refusal).map(Reason::from);
        if judged.result != PageResult::Allowed {
            return Ok(judged);
        }
        let Some(answer) = reply.answer.filter(|_| plan.cross_origin) else { continue };
        let response = CorsResponse { status: answer.status, headers: &answer.headers };
        let checked = match asks {
            Some(asks) => preflight_check(&plan.cors, asks, response),
            None => cors_check(&plan.cors, response).map_err(PreflightFailure::Cors),
        };
        if let Err(failure) = checked {
            (judged.result, judged.reason) = (PageResult::Refused, Some(Reason::from(&failure)));
            return Ok(judged);
        }
    }
    Ok(judged)
}

// === impl Judged ===

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |word: Result<String, serde_json::Error>| {
            word.unwrap_or_default().trim_matches('"').to_owned()
        };
        f.write_str(&word(serde_json::to_string(&self.result)))?;
        if let Some(reason) = &self.reason {
            write!(f, " ({})", word(serde_json::to_string(reason)))?;
        }
        match &self.policy {
            Some(policy) => write!(f, " by {policy}"),
            None => Ok(()),
        }
    }
}

// === impl Reason ===

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Origin => Self::Origin,
            Refusal::NullOrigin => Self::NullOrigin,
            Refusal::MalformedOrigin => Self::MalformedOrigin,
            Refusal::TooLong => Self::TooLong,
            Refusal::Method => Self::Method,
            Refusal::Header => Self::Header,
            Refusal::AmbiguousPath => Self::AmbiguousPath,
        }
    }
}

impl From<&PreflightFailure> for Reason {
    fn from(failure: &PreflightFailure) -> Self {
        match failure {
            PreflightFailure::Cors(
                CorsFailure::WildcardWithCredentials | CorsFailure::CredentialsNotAllowed(_),
            ) => Self::Credentials,
            PreflightFailure::Cors(_) | PreflightFailure::Status(_) => Self::Origin,
            PreflightFailure::InvalidMethods(_) | PreflightFailure::Method { .. } => Self::Method,
            PreflightFailure::InvalidHeaders(_) | PreflightFailure::Header { .. } => Self::Header,
        }
    }
}
