//! How a rehearsed verdict compares with the upstream's own answer, judged as a browser would.

use crate::decision::{Agreement, Outcome, Rehearsal, Requested};
use crate::header_name::{ACAC, ACAH, ACAM, ACAO, is_cors_non_wildcard_request_header_name};
use crate::method::is_cors_safelisted_method;
use crate::request::Response;
use crate::syntax::{list_elements, trim_ows};

impl Rehearsal {
    /// Compares the rehearsed verdict with what the upstream answered by itself.
    #[must_use]
    pub fn agreement(&self, response: &impl Response) -> Agreement {
        let ours = match self.verdict.outcome {
            Outcome::Allowed => true,
            // A browser asks nobody about a response of the same origin.
            Outcome::SameOrigin => return Agreement::Agree,
            Outcome::Trusted | Outcome::Refused(_) | Outcome::Rejected(_) => false,
        };
        match (ours, self.upstream_shares(response)) {
            (true, false) => Agreement::OursOnly,
            (false, true) => Agreement::UpstreamOnly,
            _ => Agreement::Agree,
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
        self.verdict.block.cors.source.credentials
    }
}

/// Fetch, "ok status".
fn is_ok(response: &impl Response) -> bool {
    response.header(":status").is_some_and(|status| status.len() == 3 && status.starts_with(b"2"))
}
