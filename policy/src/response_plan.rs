//! `ResponsePlan`: the edits of a response. They remove the upstream's CORS headers, set those of the policy, and merge `Vary`.

use std::borrow::Cow;
use std::sync::Arc;

use crate::compiled::RuleSet;
use crate::compiled::table::Selection;
use crate::draft::{Diagnostics, UpstreamCorsHeaders};
use crate::header_name::{
    ACAO, ACEH, CORS_RESPONSE_HEADERS, CORS_RESPONSE_PREFIX, DIAGNOSTICS, VARY,
};
use crate::origin_set::Listed;
use crate::request::Response;
use crate::response_headers::Headers;
use crate::scope::PathMatch;
use crate::syntax::list_elements;
use crate::verdict::Verdict;

/// The plan for the response to a forwarded request. The proxy keeps it until the response arrives, across changes of
/// configuration.
#[derive(Clone, Debug)]
pub struct ResponsePlan {
    pub(crate) rule_set: Arc<RuleSet>,
    pub(crate) sharing: Sharing,
    pub(crate) vary_origin: bool,
    pub(crate) diagnosis: Option<Diagnosis>,
}

/// The parties that a response is shared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// None: no `Access-Control-*` header of the policy.
    Nobody,
    /// All origins: `*`.
    Anyone,
    /// The request's origin, echoed.
    Origin(Box<[u8]>),
    /// The same, where the list has it as it is.
    Listed(Listed),
}

/// Edits of a response's headers: first remove, then set (each replaces every line of that name).
#[derive(Debug)]
pub struct Edits<'c> {
    /// Whether the upstream's CORS headers go.
    pub(crate) replace: bool,
    /// Headers to set.
    pub set: Headers<'c>,
}

/// The value of the diagnostics header.
#[derive(Clone, Debug)]
pub(crate) struct Diagnosis(Box<str>);

// === impl ResponsePlan ===

impl ResponsePlan {
    pub(crate) fn new(
        selection: &Selection<'_>,
        sharing: Sharing,
        diagnosis: Option<Diagnosis>,
    ) -> Self {
        Self {
            rule_set: selection.rule_set.clone(),
            sharing,
            // Fetch, "CORS protocol and HTTP caches": a response that depends on the origin says so even to a request
            // without one; else a shared cache may serve it to another origin.
            vary_origin: selection.is_dynamic(),
            diagnosis,
        }
    }

    /// Returns the edits of a response, a local reply of the proxy included.
    pub fn edits(&self, response: &impl Response) -> Edits<'_> {
        let mut set = Headers::default();
        let keep = self.rule_set.settings.upstream_cors_headers == UpstreamCorsHeaders::Keep
            && response.header(ACAO).is_some();
        if !keep {
            self.push_sharing(&mut set);
        }
        if self.vary_origin {
            let vary = response.header(VARY);
            if let Some(merged) = merge_vary(vary.as_deref(), b"Origin") {
                set.push(VARY, merged);
            }
        }
        Diagnosis::push(self.diagnosis.clone(), &mut set);
        Edits { replace: !keep, set }
    }

    fn push_sharing<'p>(&'p self, set: &mut Headers<'p>) {
        let cors = &self.rule_set.cors;
        match &self.sharing {
            Sharing::Nobody => return,
            Sharing::Anyone => set.push_sharing(cors, Cow::Borrowed(b"*")),
            Sharing::Origin(origin) => set.push_sharing(cors, Cow::Borrowed(origin)),
            Sharing::Listed(listed) => {
                set.push_sharing(cors, Cow::Borrowed(cors.origins.text(*listed)));
            }
        }
        let expose = cors.expose.as_bytes();
        if !expose.is_empty() {
            set.push(ACEH, expose);
        }
    }
}

// === impl Edits ===

impl Edits<'_> {
    /// Returns the names to remove first: the upstream's CORS headers that no header in `set` replaces.
    pub fn remove(&self) -> impl Iterator<Item = &'static str> {
        let owned = if self.replace { CORS_RESPONSE_HEADERS } else { &[] };
        owned.iter().copied().filter(|name| !self.set.contains(name))
    }

    /// Returns the name of a header of the response, if [`Edits::remove`] has it. Most names differ in their first bytes.
    pub fn removes(&self, name: &[u8]) -> Option<&'static str> {
        if !name.starts_with(CORS_RESPONSE_PREFIX) {
            return None;
        }
        self.remove().find(|removed| removed.as_bytes() == name)
    }
}

// === impl Diagnosis ===

impl Diagnosis {
    /// Returns a dictionary (RFC 9651 section 3.2) if the policy asks for diagnostics.
    pub(crate) fn of(rule_set: &RuleSet, verdict: Option<&Verdict<'_>>) -> Option<Self> {
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

/// Returns `vary` with `field` added; `None` if `vary` covers `field` already.
fn merge_vary(vary: Option<&[u8]>, field: &'static [u8]) -> Option<Cow<'static, [u8]>> {
    let Some(vary) = vary.filter(|vary| list_elements(vary).any(|element| !element.is_empty()))
    else {
        return Some(Cow::Borrowed(field));
    };
    // RFC 9110 section 12.5.5: `*` covers everything.
    let covers = |element: &[u8]| element == b"*" || element.eq_ignore_ascii_case(field);
    if list_elements(vary).any(covers) {
        return None;
    }
    Some(Cow::Owned([vary, b", ", field].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_the_upstream_goes_if_the_policy_sets_no_other_value() {
        let mut edits = Edits { replace: true, set: Headers::default() };
        edits.set.push(ACAO, &b"*"[..]);
        for name in CORS_RESPONSE_HEADERS.iter().copied().chain([VARY, "x-other"]) {
            let goes = edits.remove().find(|removed| *removed == name);
            assert_eq!(edits.removes(name.as_bytes()), goes, "{name}");
            assert_eq!(goes.is_some(), name.starts_with("access-") && name != ACAO, "{name}");
        }
        edits.replace = false;
        assert_eq!(edits.removes(ACEH.as_bytes()), None);
    }

    #[test]
    fn vary_is_merged_never_repeated_never_overwritten() {
        for (why, vary, want) in [
            ("absent", None, Some("Origin")),
            ("empty", Some(""), Some("Origin")),
            ("other", Some("Accept"), Some("Accept, Origin")),
            ("several lines joined", Some("Accept,Cookie"), Some("Accept,Cookie, Origin")),
            ("there already", Some("Origin"), None),
            ("in another case", Some("accept, ORIGIN"), None),
            ("everything", Some("*"), None),
            ("everything, among others", Some("Accept, *"), None),
            ("a longer name is another name", Some("X-Origin"), Some("X-Origin, Origin")),
        ] {
            let merged = merge_vary(vary.map(str::as_bytes), b"Origin");
            assert_eq!(merged.as_deref(), want.map(str::as_bytes), "{why}");
        }
    }
}
