//! Shadow: the verdict of a `DryRun` policy, compared with the upstream's own answer as a browser would evaluate it.

use std::sync::Arc;

use crate::compiled::RuleSet;
use crate::header_name::{ACAC, ACAH, ACAM, ACAO, is_cors_non_wildcard_request_header_name};
use crate::method::is_cors_safelisted_method;
use crate::request::Response;
use crate::syntax::{list_elements, trim_ows};
use crate::verdict::{Outcome, RequestKind, Verdict};

/// The verdict of a `DryRun` policy, kept until the upstream answers.
#[derive(Clone, Debug)]
pub struct Shadow {
    pub(crate) rule_set: Arc<RuleSet>,
    pub(crate) outcome: Outcome,
    /// The request's `Origin`.
    pub(crate) origin: Box<[u8]>,
    /// The method and the headers of a preflight; `None` for an actual request.
    pub(crate) requested: Option<Requested>,
}

/// The method and the headers that a preflight asks for.
#[derive(Clone, Debug)]
pub(crate) struct Requested {
    pub(crate) method: Box<[u8]>,
    pub(crate) headers: Box<[u8]>,
}

/// The result of a comparison between a shadow verdict and the upstream's own answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShadowComparison {
    /// Both share, or neither does.
    Agree,
    /// Only the policy would share.
    OursOnly,
    /// Only the upstream shares.
    UpstreamOnly,
}

// === impl Shadow ===

impl Shadow {
    /// Returns the verdict.
    pub fn verdict(&self) -> Verdict<'_> {
        let kind =
            if self.requested.is_some() { RequestKind::Preflight } else { RequestKind::Actual };
        Verdict { rule_set: &self.rule_set, kind, outcome: self.outcome }
    }

    /// Compares the shadow verdict with the upstream's own answer.
    pub fn compare(&self, response: &impl Response) -> ShadowComparison {
        let ours = match self.outcome {
            Outcome::Allowed => true,
            // Browsers share a response of the same origin without CORS.
            Outcome::SameOrigin => return ShadowComparison::Agree,
            Outcome::Trusted | Outcome::Refused(_) | Outcome::Rejected(_) => false,
        };
        match (ours, self.upstream_shares(response)) {
            (true, false) => ShadowComparison::OursOnly,
            (false, true) => ShadowComparison::UpstreamOnly,
            _ => ShadowComparison::Agree,
        }
    }

    fn upstream_shares(&self, response: &impl Response) -> bool {
        let preflight_passes = match &self.requested {
            None => true,
            Some(Requested { method, headers }) => {
                is_ok(response)
                    && self.lists(response, ACAM, method, is_cors_safelisted_method)
                    && list_elements(headers)
                        .filter(|name| !name.is_empty())
                        .all(|name| self.lists(response, ACAH, name, |_| false))
            }
        };
        self.cors_check(response) && preflight_passes
    }

    /// Fetch, "CORS check". The credentials mode of the request is not observable; the policy's word stands for it.
    fn cors_check(&self, response: &impl Response) -> bool {
        let Some(allowed) = response.header(ACAO) else {
            return false;
        };
        if !self.credentialed() && trim_ows(&allowed) == b"*" {
            return true;
        }
        let credentials = || response.header(ACAC).is_some_and(|value| trim_ows(&value) == b"true");
        trim_ows(&allowed) == &*self.origin && (!self.credentialed() || credentials())
    }

    /// Fetch, "CORS-preflight fetch" steps 7.5 to 7.7.
    fn lists(
        &self,
        response: &impl Response,
        header: &'static str,
        name: &[u8],
        safelisted: impl Fn(&[u8]) -> bool,
    ) -> bool {
        let same = |element: &[u8]| match header {
            ACAM => element == name,
            _ => element.eq_ignore_ascii_case(name),
        };
        let wildcard = !self.credentialed() && !is_cors_non_wildcard_request_header_name(name);
        let listed = response.header(header).is_some_and(|list| {
            list_elements(&list).any(|element| same(element) || (wildcard && element == b"*"))
        });
        safelisted(name) || listed
    }

    fn credentialed(&self) -> bool {
        self.rule_set.cors.source.credentials
    }
}

/// Fetch, "ok status".
fn is_ok(response: &impl Response) -> bool {
    response.header(":status").is_some_and(|status| status.len() == 3 && status.starts_with(b"2"))
}
