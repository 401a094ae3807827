//! CORS-preflight requests: judged on the origin, then the method, then each header; the first failure is the reason.

use std::borrow::Cow;

use crate::compiled::{CompiledCors, NameSet, RuleSet};
use crate::decide::{check_origin, plan};
use crate::decision::{Action, Diagnosis, Headers, LocalReply, Outcome, Refusal, Sharing};
use crate::draft::OnFailure;
use crate::header_name::{
    ACAH, ACAM, ACEH, ACMA, CACHE_CONTROL, VARY, is_cors_non_wildcard_request_header_name,
};
use crate::limits::{
    MAX_HEADER_NAME_LEN, MAX_METHOD_LEN, MAX_REQUEST_HEADERS, MAX_REQUEST_HEADERS_LEN,
};
use crate::method::is_cors_safelisted_method;
use crate::origin::OriginHeader;
use crate::origin_set::to_lower;
use crate::request::Request;
use crate::request_view::RequestView;
use crate::syntax::{is_token, list_elements};
use crate::table::Selection;

/// Everything a preflight's answer may depend on.
const VARY_PREFLIGHT: &[u8] =
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

pub(super) fn evaluate<R: Request>(
    selection: &Selection<'_>,
    origin: &[u8],
    method: &[u8],
    view: &RequestView<'_, R>,
) -> Outcome {
    let cors = &selection.rule_set.cors;
    let checked = check_origin(selection, || OriginHeader::parse(origin))
        .and_then(|()| check_method(cors, method))
        .and_then(|()| check_headers(cors, view.requested_headers().unwrap_or_default()));
    checked.map_or_else(Outcome::Refused, |()| Outcome::Allowed)
}

pub(super) fn act<'c, R: Request>(
    selection: &Selection<'c>,
    origin: &[u8],
    method: &[u8],
    view: &RequestView<'_, R>,
    outcome: Outcome,
    diagnosis: Option<Diagnosis>,
) -> Action<'c> {
    let rule_set: &'c RuleSet = selection.rule_set;
    let mut headers = Headers::default();
    let status = match (outcome.refusal(), rule_set.settings.on_failure) {
        (None, _) => {
            push_answer(&mut headers, rule_set, origin, method, view);
            push(&mut headers, ACMA, rule_set.cors.max_age.as_deref());
            rule_set.settings.success_status
        }
        (Some(_), OnFailure::Forward) => {
            let plan = plan(selection, Sharing::Nobody, diagnosis);
            return Action::Continue { remove: None, plan };
        }
        (Some(Refusal::Method | Refusal::Header), OnFailure::Explain) => {
            // The browser compares the lists itself, and its console names what is missing. It must not keep
            // the answer: no `Access-Control-Max-Age`. A list that is too long may hold allowed names only, and
            // would pass that comparison: it is rejected below.
            push_answer(&mut headers, rule_set, origin, method, view);
            rule_set.settings.success_status
        }
        (Some(_), OnFailure::Ignore) => rule_set.settings.success_status,
        (Some(_), OnFailure::Explain | OnFailure::Reject) => {
            headers.push(CACHE_CONTROL, &b"no-store"[..]);
            403
        }
    };
    headers.push(VARY, VARY_PREFLIGHT);
    Diagnosis::push(diagnosis, &mut headers);
    Action::LocalReply(LocalReply { status, headers })
}

/// Fetch, "CORS-preflight fetch" step 7: safelisted methods need not be listed; the others compare to the letter.
fn check_method(cors: &CompiledCors, method: &[u8]) -> Result<(), Refusal> {
    // Without credentials the answer is `*` itself, and a browser that reads it lets every method pass.
    let covered =
        if cors.methods.adds_requested { may_be_listed(method) } else { is_token(method) };
    let by_wildcard = cors.methods.any && covered;
    if is_cors_safelisted_method(method) || cors.methods.names(method) || by_wildcard {
        Ok(())
    } else {
        Err(Refusal::Method)
    }
}

/// Is it one that a policy could name?
fn may_be_listed(method: &[u8]) -> bool {
    method.len() <= MAX_METHOD_LEN && is_token(method)
}

fn check_headers(cors: &CompiledCors, requested: &[u8]) -> Result<(), Refusal> {
    if is_too_long(requested) {
        return Err(Refusal::TooLong);
    }
    let all_pass = requested_names(requested).all(|name| header_passes(cors, name));
    if all_pass { Ok(()) } else { Err(Refusal::Header) }
}

fn is_too_long(requested: &[u8]) -> bool {
    let names = requested.split(|&byte| byte == b',').count();
    requested.len() > MAX_REQUEST_HEADERS_LEN || names > MAX_REQUEST_HEADERS
}

/// RFC 9110 section 5.6.1.2: a recipient ignores empty elements.
fn requested_names(requested: &[u8]) -> impl Iterator<Item = &[u8]> {
    list_elements(requested).filter(|name| !name.is_empty())
}

fn header_passes(cors: &CompiledCors, name: &[u8]) -> bool {
    let mut lower = [0; MAX_HEADER_NAME_LEN];
    let listed =
        name.len() <= MAX_HEADER_NAME_LEN && cors.headers.names(to_lower(name, &mut lower));
    // Fetch, "CORS non-wildcard request-header name": `*` does not cover `Authorization`.
    let by_wildcard = cors.headers.any && !is_cors_non_wildcard_request_header_name(name);
    is_token(name) && (listed || by_wildcard)
}

/// The origin, and the lists as configured.
fn push_answer<'c, R: Request>(
    headers: &mut Headers<'c>,
    rule_set: &'c RuleSet,
    origin: &[u8],
    method: &[u8],
    view: &RequestView<'_, R>,
) {
    if rule_set.is_dynamic() {
        headers.push_sharing(&rule_set.cors, Cow::Owned(origin.to_vec()));
    } else {
        headers.push_sharing(&rule_set.cors, Cow::Borrowed(b"*"));
    }
    let requested = view.requested_headers().unwrap_or_default();
    push_methods(headers, &rule_set.cors, method);
    push_headers(headers, &rule_set.cors, requested);
    push(headers, ACEH, rule_set.cors.expose.as_deref());
}

/// Fetch: `*` is a wildcard only for requests without credentials; with them the requested method joins the list.
fn push_methods<'c>(headers: &mut Headers<'c>, cors: &'c CompiledCors, method: &[u8]) {
    let NameSet { adds_requested, joined, .. } = &cors.methods;
    match joined.as_deref() {
        Some(listed) if *adds_requested && !cors.methods.names(method) && may_be_listed(method) => {
            headers.push(ACAM, completed(listed, &[method]));
        }
        listed => push(headers, ACAM, listed),
    }
}

/// As [`push_methods`], in an order that does not depend on that of the request.
fn push_headers<'c>(headers: &mut Headers<'c>, cors: &'c CompiledCors, requested: &[u8]) {
    let NameSet { adds_requested, joined, .. } = &cors.headers;
    let Some(listed) = joined.as_deref().filter(|_| *adds_requested && !is_too_long(requested))
    else {
        return push(headers, ACAH, cors.headers.joined.as_deref());
    };
    let lower = requested.to_ascii_lowercase();
    let mut added: Vec<&[u8]> = Vec::new();
    for name in requested_names(&lower) {
        if header_passes(cors, name)
            && !cors.headers.names(name)
            && let Err(place) = added.binary_search(&name)
        {
            added.insert(place, name);
        }
    }
    headers.push(ACAH, completed(listed, &added));
}

fn completed(listed: &[u8], added: &[&[u8]]) -> Vec<u8> {
    let mut list = listed.to_vec();
    for name in added {
        list.extend_from_slice(b", ");
        list.extend_from_slice(name);
    }
    list
}

fn push<'c>(headers: &mut Headers<'c>, name: &'static str, value: Option<&'c [u8]>) {
    if let Some(value) = value {
        headers.push(name, value);
    }
}
