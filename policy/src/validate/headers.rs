//! Headers: the entries of `allowHeaders` and `exposeHeaders`.

use std::collections::HashMap;

use super::meant::{self, NameSyntax};
use super::misspelled;
use super::report::{Field, Report};
use crate::finding::{HeaderReason, ListReason};
use crate::header_name::{
    CORS_RESPONSE_HEADERS, HeaderName, USUAL_REQUEST_HEADERS,
    is_cors_non_wildcard_request_header_name,
};
use crate::limits::MAX_HEADERS;
use crate::policy::Names;

/// Fetch, "forbidden request-header", without `cookie`, which has a finding of its own, and beside the two prefixes.
const FORBIDDEN_REQUEST_HEADERS: [&str; 20] = [
    "accept-charset",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "connection",
    "content-length",
    "cookie2",
    "date",
    "dnt",
    "expect",
    "host",
    "keep-alive",
    "origin",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Fetch, "CORS-safelisted request-header": those that need no listing for any type of content.
const SAFELISTED_REQUEST_HEADERS: [&str; 3] = ["accept", "accept-language", "content-language"];

/// Fetch, "CORS-safelisted response-header name".
const SAFELISTED_RESPONSE_HEADERS: [&str; 7] = [
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
];

/// Fetch, "forbidden response-header name".
const FORBIDDEN_RESPONSE_HEADERS: [&str; 2] = ["set-cookie", "set-cookie2"];

/// The session of a Model Context Protocol client, which a server sets in a response and a client repeats in requests.
const MCP_SESSION_ID: &str = "mcp-session-id";

/// W3C Trace Context and Baggage: agents send them together.
const TRACING: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// The entries of `allowHeaders`.
pub(super) fn request(
    list: &[String],
    credentials: bool,
    field: &Field,
    report: &mut Report,
) -> Names<HeaderName> {
    let names = parse(list, true, field, report, |name, written| {
        let written = written.to_owned();
        if name == "cookie" {
            Some(HeaderReason::Cookie)
        } else if is_forbidden_request_header(name) {
            Some(HeaderReason::ForbiddenRequestHeader(written))
        } else if CORS_RESPONSE_HEADERS.contains(&name) {
            Some(HeaderReason::CorsResponseHeader(written))
        } else if SAFELISTED_REQUEST_HEADERS.contains(&name) {
            Some(HeaderReason::SafelistedRequestHeader(written))
        } else {
            None
        }
    });
    let is_covered = |name: &str| !is_cors_non_wildcard_request_header_name(name.as_bytes());
    if names.any {
        // With credentials the answer lists what stands beside `*`, for the next request.
        check_covered(list, &names, field, report, |name| {
            is_covered(name) && (!credentials || USUAL_REQUEST_HEADERS.contains(&name))
        });
        if names.named.iter().all(|name| is_covered(name.as_str())) {
            report.add(field, HeaderReason::AnyWithoutAuthorization);
        }
    }
    names
}

/// Headers that are of use together only.
pub(super) fn check_companions(
    allow: &Names<HeaderName>,
    expose: &Names<HeaderName>,
    credentials: bool,
    field: &Field,
    report: &mut Report,
) {
    let has = |names: &Names<HeaderName>, wanted: &str| {
        names.named.iter().any(|name| name.as_str() == wanted)
    };
    let exposed = has(expose, MCP_SESSION_ID) || (expose.any && !credentials);
    if has(allow, MCP_SESSION_ID) && !exposed {
        report.add(&field.child("exposeHeaders"), HeaderReason::SessionIdNotExposed);
    }
    let (listed, missing): (Vec<_>, Vec<_>) =
        TRACING.into_iter().partition(|name| has(allow, name));
    // Sentry's own header travels with `baggage` alone.
    let is_sentry = listed == ["baggage"] && has(allow, "sentry-trace");
    if !allow.any && !listed.is_empty() && !missing.is_empty() && !is_sentry {
        let reason = HeaderReason::TracingIncomplete { listed, missing };
        report.add(&field.child("allowHeaders"), reason);
    }
}

/// The entries of `exposeHeaders`.
pub(super) fn response(
    list: &[String],
    credentials: bool,
    field: &Field,
    report: &mut Report,
) -> Names<HeaderName> {
    let names = parse(list, !credentials, field, report, |name, written| {
        if FORBIDDEN_RESPONSE_HEADERS.contains(&name) {
            Some(HeaderReason::ForbiddenResponseHeader(written.to_owned()))
        } else if CORS_RESPONSE_HEADERS.contains(&name) {
            Some(HeaderReason::CorsResponseHeaderExposed(written.to_owned()))
        } else if SAFELISTED_RESPONSE_HEADERS.contains(&name) {
            Some(HeaderReason::SafelistedResponseHeader(written.to_owned()))
        } else {
            None
        }
    });
    if names.any && credentials {
        report.add(field, HeaderReason::ExposeAnyWithCredentials);
    } else if names.any {
        check_covered(list, &names, field, report, |_| true);
    }
    names
}

/// Names beside `*` for which `is_needless` holds.
fn check_covered(
    list: &[String],
    names: &Names<HeaderName>,
    field: &Field,
    report: &mut Report,
    is_needless: impl Fn(&str) -> bool,
) {
    let is_covered = |written: &str| {
        HeaderName::parse(written)
            .is_ok_and(|name| names.named.contains(&name) && is_needless(name.as_str()))
    };
    let (covered, rest): (Vec<String>, Vec<String>) =
        list.iter().cloned().partition(|written| is_covered(written));
    if !covered.is_empty() {
        report.add(field, HeaderReason::AnyBesideOthers { covered, rest });
    }
}

/// The valid names, each once; `doubt` says what is odd about one, in lower case and as written.
fn parse(
    list: &[String],
    has_wildcard: bool,
    field: &Field,
    report: &mut Report,
    doubt: impl Fn(&str, &str) -> Option<HeaderReason>,
) -> Names<HeaderName> {
    let mut names = Names { any: false, named: Vec::with_capacity(list.len().min(MAX_HEADERS)) };
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (at, written) in report.bounded_to(MAX_HEADERS, list, field).iter().enumerate() {
        let entry = field.at(at);
        let lower_case = written.to_ascii_lowercase();
        if let Some(first) = seen.get(&lower_case) {
            let (value, first) = (written.clone(), field.at(*first).to_string());
            report.add(&entry, ListReason::Repeated { value, first });
            continue;
        }
        match HeaderName::parse(written) {
            _ if written == "*" => names.any = true,
            Ok(name) => {
                let reason = other_syntax(written, has_wildcard, list);
                let reason = reason.or_else(|| doubt(&lower_case, written));
                if let Some(reason) = reason.or_else(|| slip(&lower_case, written, list)) {
                    report.add(&entry, reason);
                }
                names.named.push(name);
            }
            Err(_) => {
                let (value, instead) = (written.clone(), instead(written, list));
                report.add(&entry, HeaderReason::Syntax { value, instead });
            }
        }
        seen.insert(lower_case, at);
    }
    names
}

/// A name that is a well-known one but for a slip.
fn slip(name: &str, written: &str, list: &[String]) -> Option<HeaderReason> {
    let meant = misspelled::header(name)?.to_owned();
    let is_listed = list.iter().any(|entry| entry.eq_ignore_ascii_case(&meant));
    Some(HeaderReason::Misspelled { value: written.to_owned(), meant, is_listed })
}

/// A token in the syntax of a different system.
fn other_syntax(written: &str, has_wildcard: bool, list: &[String]) -> Option<HeaderReason> {
    let value = written.to_owned();
    if meant::is_excluded(written) {
        return Some(HeaderReason::Exception(value));
    }
    Some(match (NameSyntax::of(written), written.strip_prefix("HTTP_")) {
        (Some(NameSyntax::Every), _) => HeaderReason::Every { value, has_wildcard },
        (Some(NameSyntax::Regex), _) => {
            HeaderReason::Regex { value, instead: instead(written, list) }
        }
        (Some(NameSyntax::Glob), _) => HeaderReason::Glob(value),
        // As CGI and WSGI name the header of a request.
        (_, Some(name)) => {
            let instead = vec![name.replace('_', "-").to_ascii_lowercase()];
            HeaderReason::Program { value, instead }
        }
        (Some(NameSyntax::Value), _) => HeaderReason::Program { value, instead: Vec::new() },
        // Such as `HttpHeaders.CONTENT_TYPE`.
        (Some(NameSyntax::Constant), _) => {
            let names = instead(written, list).into_iter();
            let instead = names.map(|name| name.replace('_', "-")).collect();
            HeaderReason::Program { value, instead }
        }
        (None, None) => return None,
    })
}

/// The names that an entry of `list` holds, without the value of a header in full, as in `x-a: b`.
fn instead(written: &str, list: &[String]) -> Vec<String> {
    let name = written.split_once(':').map(|(name, _)| name.trim().trim_start_matches(['"', '\'']));
    let written = name.filter(|name| HeaderName::parse(name).is_ok()).unwrap_or(written);
    // As in `Content Type`.
    let joined = written.split_whitespace().collect::<Vec<_>>().join("-").to_ascii_lowercase();
    if joined.contains('-')
        && written.contains(char::is_whitespace)
        && misspelled::is_known(&joined)
    {
        return vec![joined];
    }
    let room = MAX_HEADERS.saturating_sub(list.len());
    meant::names(written, room, |name| HeaderName::parse(name).is_ok().then_some(true))
}

fn is_forbidden_request_header(name: &str) -> bool {
    FORBIDDEN_REQUEST_HEADERS.contains(&name)
        || name.starts_with("proxy-")
        || name.starts_with("sec-")
}
