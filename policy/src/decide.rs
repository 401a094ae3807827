//! The decision, from top to bottom: select, classify, evaluate, plan. A decision is a value: no header is written here.
//!
//! Selection precedes classification, so that a request that no policy covers costs no look-up of its `Origin`.

use std::borrow::Cow;
use std::cell::LazyCell;

use crate::compiled::table::Selection;
use crate::compiled::{Compiled, CompiledCors, NameSet, RuleSet, Tables};
use crate::decision::{Action, Decision, LocalReply};
use crate::draft::{DisallowedRequests, OnFailure};
use crate::header_name::{
    ACAH, ACAM, ACEH, ACMA, CACHE_CONTROL, VARY, is_cors_non_wildcard_request_header_name,
};
use crate::limits::{
    MAX_HEADER_NAME_LEN, MAX_METHOD_LEN, MAX_REQUEST_HEADERS, MAX_REQUEST_HEADERS_LEN,
};
use crate::method::is_cors_safelisted_method;
use crate::origin::{Origin, OriginHeader, default_port, parse_port};
use crate::origin_set::{Listed, to_lower};
use crate::request::{Request, RequestField};
use crate::request_view::{CorsRequest, RequestView};
use crate::response_headers::Headers;
use crate::response_plan::{Diagnosis, ResponsePlan, Sharing};
use crate::shadow::{Requested, Shadow};
use crate::syntax::{is_token, list_elements, trim_ows};
use crate::verdict::{Outcome, Refusal, Verdict};

/// The request fields that the answer to a preflight may depend on.
const VARY_PREFLIGHT: &[u8] =
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The outcome of a CORS request, and the place of its origin, where the list has it as it is.
struct Evaluated {
    outcome: Outcome,
    listed: Option<Listed>,
}

/// Decides what to do with `request`.
pub fn decide<'c>(compiled: &'c Compiled, request: &impl Request) -> Decision<'c> {
    let view = RequestView::new(request);
    let Tables { active, shadow } = compiled.tables(|| request.destination_port());
    let (active, shadow) = (view.select(active), view.select(shadow));
    let shadow = shadow.and_then(|selection| evaluate_shadow(&selection, &view));
    let Some(selection) = active else {
        return Decision { action: Action::Passthrough, verdict: None, shadow };
    };
    let Some(cors_request) = view.classify() else {
        let diagnosis = Diagnosis::of(selection.rule_set, None);
        return Decision { action: forward(&selection, diagnosis), verdict: None, shadow };
    };
    let evaluated = evaluate(&selection, &cors_request, &view);
    let kind = cors_request.kind();
    let verdict = Verdict { rule_set: selection.rule_set, kind, outcome: evaluated.outcome };
    let diagnosis = Diagnosis::of(selection.rule_set, Some(&verdict));
    let action = match cors_request {
        CorsRequest::Preflight { origin, method } => {
            answer_preflight(&selection, origin, method, &view, &evaluated, diagnosis)
        }
        CorsRequest::Actual { origin } => plan_actual(&selection, origin, &evaluated, diagnosis),
    };
    Decision { action, verdict: Some(verdict), shadow }
}

// === Evaluate: whether the rule set allows the CORS request ===

/// Evaluates a CORS request by the selected rule set.
fn evaluate<R: Request>(
    selection: &Selection<'_>,
    cors_request: &CorsRequest<'_>,
    view: &RequestView<'_, R>,
) -> Evaluated {
    match cors_request {
        CorsRequest::Preflight { origin, method } => {
            evaluate_preflight(selection, origin, method, view)
        }
        CorsRequest::Actual { origin } => evaluate_actual(selection, origin, view),
    }
}

/// Evaluates a `DryRun` policy, and keeps the fields that the comparison with the upstream's answer needs.
fn evaluate_shadow<R: Request>(
    selection: &Selection<'_>,
    view: &RequestView<'_, R>,
) -> Option<Shadow> {
    let cors_request = view.classify()?;
    let Evaluated { outcome, listed: _ } = evaluate(selection, &cors_request, view);
    let (origin, requested) = match cors_request {
        CorsRequest::Preflight { origin, method } => {
            let headers = view.requested_headers().unwrap_or_default().into();
            (origin, Some(Requested { method: method.into(), headers }))
        }
        CorsRequest::Actual { origin } => (origin, None),
    };
    Some(Shadow { rule_set: selection.rule_set.clone(), outcome, origin: origin.into(), requested })
}

/// Checks the origin, then the method, then each header of a preflight; the first failure is the reason.
fn evaluate_preflight<R: Request>(
    selection: &Selection<'_>,
    origin: &[u8],
    method: &[u8],
    view: &RequestView<'_, R>,
) -> Evaluated {
    let cors = &selection.rule_set.cors;
    let checked = check_origin(selection, origin, || OriginHeader::parse(origin));
    let listed = checked.ok().flatten();
    let checked = checked
        .and_then(|_| check_method(cors, method))
        .and_then(|()| check_headers(cors, view.requested_headers().unwrap_or_default()));
    let outcome = checked.map_or_else(Outcome::Refused, |()| Outcome::Allowed);
    Evaluated { outcome, listed }
}

/// Checks the origin of a CORS request that is no preflight.
fn evaluate_actual<R: Request>(
    selection: &Selection<'_>,
    raw: &[u8],
    view: &RequestView<'_, R>,
) -> Evaluated {
    let origin = LazyCell::new(|| OriginHeader::parse(raw));
    let rejects = selection.disallowed_requests == DisallowedRequests::Reject;
    let refusal = match check_origin(selection, raw, || *origin) {
        Err(refusal) => refusal,
        Ok(_) if rejects && is_credentialed_handshake_under_any(selection, view) => Refusal::Origin,
        Ok(listed) => return Evaluated { outcome: Outcome::Allowed, listed },
    };
    let outcome = if is_same_origin(view, &origin) {
        Outcome::SameOrigin
    } else {
        match rejects {
            true if is_trusted(selection, &origin) => Outcome::Trusted,
            true => Outcome::Rejected(refusal),
            false => Outcome::Refused(refusal),
        }
    };
    Evaluated { outcome, listed: None }
}

/// Checks the origin. A static `*` allows every origin without parsing it, and an origin that is listed as it is needs no parsing.
fn check_origin<'o>(
    selection: &Selection<'_>,
    raw: &[u8],
    origin: impl FnOnce() -> OriginHeader<'o>,
) -> Result<Option<Listed>, Refusal> {
    if selection.ambiguous {
        return Err(Refusal::AmbiguousPath);
    }
    let rule_set: &RuleSet = selection.rule_set;
    if !rule_set.is_dynamic() {
        return Ok(None);
    }
    let CompiledCors { origins, .. } = &*rule_set.cors;
    if let Some(listed) = origins.listed(raw) {
        return Ok(Some(listed));
    }
    match origin() {
        OriginHeader::Malformed => Err(Refusal::MalformedOrigin),
        OriginHeader::Null if origins.accepts_null() => Ok(None),
        OriginHeader::Null => Err(Refusal::NullOrigin),
        OriginHeader::Tuple(origin) if origins.accepts_unlisted(&origin) => Ok(None),
        OriginHeader::Tuple(_) => Err(Refusal::Origin),
    }
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

/// Returns whether a policy could list `method`.
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
    listed || by_wildcard && is_token(name)
}

fn is_trusted(selection: &Selection<'_>, origin: &OriginHeader<'_>) -> bool {
    let Some(trusted) = &selection.rule_set.trusted else { return false };
    match origin {
        _ if selection.ambiguous => false,
        OriginHeader::Tuple(origin) => trusted.accepts(origin),
        OriginHeader::Null => trusted.accepts_null(),
        OriginHeader::Malformed => false,
    }
}

/// Browsers do not apply CORS to WebSocket handshakes, yet send cookies with them: a static `*`, which promises
/// that no credentials are used, does not cover a handshake that carries some.
fn is_credentialed_handshake_under_any<R: Request>(
    selection: &Selection<'_>,
    view: &RequestView<'_, R>,
) -> bool {
    let has = |field| view.field(field).is_some();
    !selection.rule_set.is_dynamic()
        && view.field(RequestField::Upgrade).is_some_and(|upgrade| {
            list_elements(&upgrade).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
        })
        && (has(RequestField::Cookie) || has(RequestField::Authorization))
}

/// Returns whether the request comes from the site itself. Only a request whose origin is not allowed needs the answer.
fn is_same_origin<R: Request>(view: &RequestView<'_, R>, origin: &OriginHeader<'_>) -> bool {
    // Fetch Metadata, "`Sec-Fetch-Site`": scripts cannot forge it. WebSocket handshakes and plain http lack it.
    let site = view.field(RequestField::SecFetchSite);
    match site.as_deref().map(trim_ows) {
        Some(b"same-origin" | b"none") => return true,
        Some(b"same-site" | b"cross-site") => return false,
        _ => {}
    }
    let OriginHeader::Tuple(origin) = origin else {
        return false;
    };
    let authority = view.authority().unwrap_or_default();
    is_authority_of(origin, authority) && is_scheme_of(origin, view)
}

/// Returns whether `authority` serves the pages of `origin`.
fn is_authority_of(origin: &Origin<'_>, authority: &[u8]) -> bool {
    let host = origin.host_bytes();
    let Some((same, port)) = authority.split_at_checked(host.len()) else {
        return false;
    };
    if !same.eq_ignore_ascii_case(host) {
        return false;
    }
    let port = match port {
        [] => default_port(origin.scheme()),
        [b':', digits @ ..] => parse_port(digits),
        _ => None,
    };
    port.is_some() && port == origin.effective_port()
}

/// Returns whether the request has the scheme of `origin`. An https origin also passes if the proxy gets plain http,
/// because TLS may have ended before it; never the reverse.
fn is_scheme_of<R: Request>(origin: &Origin<'_>, view: &RequestView<'_, R>) -> bool {
    let forwarded = view.field(RequestField::XForwardedProto);
    let scheme = forwarded.or_else(|| view.field(RequestField::Scheme));
    let scheme = scheme.as_deref().map(trim_ows).unwrap_or_default();
    scheme.eq_ignore_ascii_case(origin.scheme().as_bytes())
        || (origin.scheme() == "https" && scheme.eq_ignore_ascii_case(b"http"))
}

// === Plan: what the proxy does ===

/// Returns the action that follows from the verdict about a CORS request that is no preflight.
fn plan_actual<'c>(
    selection: &Selection<'c>,
    origin: &[u8],
    evaluated: &Evaluated,
    diagnosis: Option<Diagnosis>,
) -> Action<'c> {
    match evaluated.outcome {
        Outcome::Rejected(_) => reject(diagnosis),
        Outcome::Allowed => {
            let sharing = match evaluated.listed {
                _ if !selection.is_dynamic() => Sharing::Anyone,
                Some(listed) => Sharing::Listed(listed),
                None => Sharing::Origin(origin.into()),
            };
            let remove = selection.rule_set.removes_origin.then_some(RequestField::Origin);
            Action::Continue { remove, plan: ResponsePlan::new(selection, sharing, diagnosis) }
        }
        Outcome::SameOrigin | Outcome::Trusted | Outcome::Refused(_) => {
            forward(selection, diagnosis)
        }
    }
}

/// Forwards a request that is no CORS request, or is refused. A static `*` applies to it all the same. Fetch, "CORS
/// protocol and HTTP caches": a cache may serve the response to a request without an `Origin` to one with it.
fn forward<'c>(selection: &Selection<'_>, diagnosis: Option<Diagnosis>) -> Action<'c> {
    let sharing = if selection.is_dynamic() { Sharing::Nobody } else { Sharing::Anyone };
    Action::Continue { remove: None, plan: ResponsePlan::new(selection, sharing, diagnosis) }
}

/// Answers a rejected request.
fn reject<'c>(diagnosis: Option<Diagnosis>) -> Action<'c> {
    let mut headers = Headers::default();
    headers.push(VARY, &b"Origin"[..]);
    headers.push(CACHE_CONTROL, &b"no-store"[..]);
    Diagnosis::push(diagnosis, &mut headers);
    Action::LocalReply(LocalReply { status: 403, headers })
}

/// Answers a preflight, or forwards it if the policy forwards failed ones.
fn answer_preflight<'c, R: Request>(
    selection: &Selection<'c>,
    origin: &[u8],
    method: &[u8],
    view: &RequestView<'_, R>,
    evaluated: &Evaluated,
    diagnosis: Option<Diagnosis>,
) -> Action<'c> {
    let rule_set: &'c RuleSet = selection.rule_set;
    let mut headers = Headers::default();
    let listed = evaluated.listed.map(|listed| Cow::Borrowed(rule_set.cors.origins.text(listed)));
    let origin = || listed.unwrap_or_else(|| Cow::Owned(origin.to_vec()));
    let status = match (evaluated.outcome, rule_set.settings.on_failure) {
        (Outcome::Allowed, _) => {
            push_answer(&mut headers, rule_set, origin, method, view);
            push(&mut headers, ACMA, rule_set.cors.max_age.as_bytes());
            rule_set.settings.success_status
        }
        (_, OnFailure::Forward) => {
            let plan = ResponsePlan::new(selection, Sharing::Nobody, diagnosis);
            return Action::Continue { remove: None, plan };
        }
        (Outcome::Refused(Refusal::Method | Refusal::Header), OnFailure::Explain) => {
            // The browser compares the lists itself, and its console names what is missing. It must not keep
            // the answer: no `Access-Control-Max-Age`. A list that is too long may hold allowed names only, and
            // would pass that comparison: it is rejected below.
            push_answer(&mut headers, rule_set, origin, method, view);
            rule_set.settings.success_status
        }
        (_, OnFailure::Ignore) => rule_set.settings.success_status,
        (_, OnFailure::Explain | OnFailure::Reject) => {
            headers.push(CACHE_CONTROL, &b"no-store"[..]);
            403
        }
    };
    headers.push(VARY, VARY_PREFLIGHT);
    Diagnosis::push(diagnosis, &mut headers);
    Action::LocalReply(LocalReply { status, headers })
}

/// Adds the headers that allow a preflight.
fn push_answer<'c, R: Request>(
    headers: &mut Headers<'c>,
    rule_set: &'c RuleSet,
    origin: impl FnOnce() -> Cow<'c, [u8]>,
    method: &[u8],
    view: &RequestView<'_, R>,
) {
    let with = if rule_set.is_dynamic() { origin() } else { Cow::Borrowed(&b"*"[..]) };
    headers.push_sharing(&rule_set.cors, with);
    let requested = view.requested_headers().unwrap_or_default();
    push_methods(headers, &rule_set.cors, method);
    push_headers(headers, &rule_set.cors, requested);
    push(headers, ACEH, rule_set.cors.expose.as_bytes());
}

/// Fetch: `*` is a wildcard only for requests without credentials; with them the requested method joins the list.
fn push_methods<'c>(headers: &mut Headers<'c>, cors: &'c CompiledCors, method: &[u8]) {
    let NameSet { adds_requested, joined, .. } = &cors.methods;
    let joined = joined.as_bytes();
    if *adds_requested && !cors.methods.names(method) && may_be_listed(method) {
        headers.push(ACAM, completed(joined, &[method]));
    } else {
        push(headers, ACAM, joined);
    }
}

/// As [`push_methods`], in an order that does not depend on that of the request.
fn push_headers<'c>(headers: &mut Headers<'c>, cors: &'c CompiledCors, requested: &[u8]) {
    let NameSet { adds_requested, joined, .. } = &cors.headers;
    let joined = joined.as_bytes();
    if !adds_requested || is_too_long(requested) {
        return push(headers, ACAH, joined);
    }
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
    headers.push(ACAH, completed(joined, &added));
}

fn completed(listed: &[u8], added: &[&[u8]]) -> Vec<u8> {
    let mut list = listed.to_vec();
    for name in added {
        list.extend_from_slice(b", ");
        list.extend_from_slice(name);
    }
    list
}

/// Adds a header whose value is not empty.
fn push<'c>(headers: &mut Headers<'c>, name: &'static str, value: &'c [u8]) {
    if !value.is_empty() {
        headers.push(name, value);
    }
}
