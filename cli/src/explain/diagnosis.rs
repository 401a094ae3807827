//! Diagnosis: a fault of an answer or of its surroundings, by a code, with its remedy.

use corsward_browser::header_list::{list_values, values};
use corsward_browser::obstacle::Obstacle;
use corsward_browser::{
    CorsFailure, CorsRequest, CredentialsMode, HeaderLine, PreflightFailure, combined,
};
use corsward_policy::draft::PathType;
use corsward_policy::{Draft, PolicyId, Refusal};
use serde::Serialize;
use url::Url;

use super::code::{BesideCors, Code};
use super::reply::Answer;

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Diagnosis {
    pub(super) code: Code,
    pub(super) message: String,
    /// The remedy.
    pub(super) fix: String,
}

// === impl Diagnosis ===

impl Diagnosis {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fix: code.fix().to_owned() }
    }

    /// A fault beside CORS that a tool has put into words.
    pub(super) fn seen(fault: BesideCors, words: &str) -> Self {
        Self::new(Code::BesideCors(fault), format!("`{words}`"))
    }

    pub(super) fn of_obstacle(obstacle: &Obstacle) -> Self {
        let fault = match obstacle {
            Obstacle::MixedContent => BesideCors::MixedContent,
            Obstacle::LocalNetwork(_) => BesideCors::LocalNetwork,
            Obstacle::BadPort(_) => BesideCors::BadPort,
        };
        Self::new(Code::BesideCors(fault), obstacle.to_string())
    }

    pub(super) fn of_refusal(
        policy: &PolicyId,
        refusal: Refusal,
        cause: &PreflightFailure,
    ) -> Self {
        let part = match cause {
            PreflightFailure::Method { method, .. } => {
                format!("the method `{}`", method.escape_ascii())
            }
            PreflightFailure::Header { name, .. } => {
                format!("the header `{}`", name.escape_ascii())
            }
            _ if refusal == Refusal::Method => "the method".to_owned(),
            _ => "a header".to_owned(),
        };
        let why = match refusal {
            Refusal::Method | Refusal::Header => &format!("does not allow {part}"),
            Refusal::Origin => "does not allow the origin",
            Refusal::NullOrigin => "does not name the origin `null`",
            Refusal::MalformedOrigin => "does not allow an origin that is none",
            Refusal::TooLong => "refuses a list of request headers that is too long",
            Refusal::AmbiguousPath => {
                "refuses the path: two readings of it fall under different rules"
            }
        };
        Self::new(Code::RefusedByPolicy, format!("the policy `{policy}` {why}"))
    }

    pub(super) fn not_covered(url: &Url, hostnames: &str) -> Self {
        let host = url.host_str().unwrap_or_default();
        let of =
            if hostnames.is_empty() { String::new() } else { format!("; they cover {hostnames}") };
        let path = url.path();
        Self::new(Code::NotCovered, format!("no policy decides about `{host}` and `{path}`{of}"))
    }

    /// Policies cover the host, and none has a rule of the path.
    pub(super) fn path_not_covered(url: &Url, policies: &[&Draft]) -> Self {
        let rules = |draft: &&Draft| {
            let paths = draft.rules.iter().map(|rule| match rule.path_type {
                PathType::Exact => format!("`{}` alone", rule.path_value),
                PathType::PathPrefix => format!("`{}`", rule.path_value),
            });
            format!("`{}` covers the host, with rules of {}", draft.id, few(paths.collect()))
        };
        let (host, path) = (url.host_str().unwrap_or_default(), url.path());
        let message = format!(
            "no policy decides about `{path}` of `{host}`; {}, and without `spec.cors` for other paths",
            few(policies.iter().map(rules).collect())
        );
        let names = few(policies.iter().map(|draft| format!("`{}`", draft.id)).collect());
        let fix = format!(
            "add a rule of the path to `spec.rules` of {names}, or `spec.cors`, which is for all other paths; `--live` asks the server"
        );
        Self { fix, ..Self::new(Code::NotCovered, message) }
    }

    /// No policy is for the proxy at all: no hostname is the reason.
    pub(super) fn without_policies(proxy: &str) -> Self {
        let fix = "leave `spec.targetRefs` and `spec.selector` out of a policy of the namespace, or name the proxy there";
        let message = format!("no policy is for the proxy of {proxy}");
        Self { fix: fix.to_owned(), ..Self::new(Code::NotCovered, message) }
    }

    pub(super) fn not_enforced(policy: &PolicyId, modes: &str, verdict: &str) -> Self {
        let message = format!(
            "the policy `{policy}` covers the request, and {modes} keeps it from answering; with `mode: Active`: {verdict}"
        );
        Self::new(Code::NotEnforced, message)
    }

    /// The place that a redirect names.
    pub(super) fn location(answer: &Answer) -> Option<Vec<u8>> {
        let is_redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
        combined(&answer.headers, "location").filter(|_| is_redirect)
    }

    /// The redirect that answers a request; `None`: it is answered otherwise.
    pub(super) fn of_redirect(url: &Url, answer: &Answer) -> Option<Self> {
        let place = Self::location(answer)?;
        let next = url.join(&String::from_utf8_lossy(&place)).ok()?;
        // Fetch, "HTTP-redirect fetch": the second cross-origin hop makes the origin opaque.
        let origin = if next.origin() == url.origin() { "" } else { ", with `Origin: null`" };
        let message = format!(
            "the request is answered {} to `{next}`; the browser checks this answer and asks there next{origin}",
            answer.status
        );
        Some(Self::new(Code::Redirect, message))
    }

    pub(super) fn of_cors(failure: &CorsFailure) -> Self {
        let code = match failure {
            CorsFailure::NoAllowOrigin => Code::NoAllowOrigin,
            CorsFailure::SeveralAllowOrigins(_) => Code::DoubledHeader,
            CorsFailure::ListOfOrigins(_) => Code::ListOfOrigins,
            CorsFailure::WildcardWithCredentials => Code::WildcardWithCredentials,
            CorsFailure::OtherOrigin(_) => Code::OtherOrigin,
            CorsFailure::CredentialsNotAllowed(value) => match value {
                Some(value) if value.contains(&b',') => Code::DoubledHeader,
                _ => Code::CredentialsNotAllowed,
            },
        };
        Self::new(code, failure.to_string())
    }

    /// The fault of a failed preflight. The status explains more than the missing header that it brings.
    pub(super) fn of_preflight(failure: &PreflightFailure, answer: &Answer) -> Self {
        let code = match failure {
            PreflightFailure::Cors(CorsFailure::NoAllowOrigin) | PreflightFailure::Status(_) => {
                match answer.status {
                    200..=299 => Code::NoAllowOrigin,
                    300..=399 => Code::PreflightRedirect,
                    401 | 403 | 407 if is_of_authentication(answer) => Code::PreflightUnauthorized,
                    404 => Code::PreflightNotFound,
                    405 | 501 => Code::PreflightMethodNotAllowed,
                    _ => Code::PreflightStatus,
                }
            }
            PreflightFailure::Cors(failure) => return Self::of_cors(failure),
            PreflightFailure::InvalidMethods(_) | PreflightFailure::InvalidHeaders(_) => {
                Code::InvalidList
            }
            PreflightFailure::Method { .. } => Code::MethodNotAllowed,
            PreflightFailure::Header { .. } => Code::HeaderNotAllowed,
        };
        let place =
            combined(&answer.headers, "location").filter(|_| code == Code::PreflightRedirect);
        let message = match place {
            Some(place) => format!(
                "the preflight is answered {} to `{}`, and no browser follows it",
                answer.status,
                String::from_utf8_lossy(&place)
            ),
            None if (200..=299).contains(&answer.status) => failure.to_string(),
            None => format!(
                "the preflight is answered {}, which is not an ok status (200 to 299)",
                answer.status
            ),
        };
        Self::new(code, message)
    }
}

/// The first texts of a list, and the number of the others.
fn few(mut texts: Vec<String>) -> String {
    const MOST: usize = 5;
    let more = texts.len().saturating_sub(MOST);
    texts.truncate(MOST);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", texts.join(", "))
}

/// Whether a refusal comes from authentication: it says how, or refuses with 401.
fn is_of_authentication(answer: &Answer) -> bool {
    answer.status != 403 || combined(&answer.headers, "www-authenticate").is_some()
}

/// Headers of the CORS protocol that stand in a response once.
const SINGLE: [&str; 3] =
    ["access-control-allow-origin", "access-control-allow-credentials", "access-control-max-age"];

/// Finds faults of an answer that no browser complains about yet.
pub(super) fn latent(request: &CorsRequest, answer: &Answer) -> Vec<Diagnosis> {
    let headers = &answer.headers;
    let mut found = Vec::new();
    for name in SINGLE {
        let lines = values(headers, name).count();
        if lines > 1 {
            found.push(Diagnosis::new(
                Code::DoubledHeader,
                format!("`{name}` stands in {lines} lines"),
            ));
        }
    }
    let origin = combined(headers, "access-control-allow-origin");
    let has_credentials = combined(headers, "access-control-allow-credentials").is_some();
    if origin.as_deref() == Some(b"*")
        && has_credentials
        && request.credentials != CredentialsMode::Include
    {
        found.push(Diagnosis::new(
            Code::WildcardWithCredentials,
            "`*` and `Access-Control-Allow-Credentials` stand together: requests with credentials fail",
        ));
    }
    if origin.as_deref() == Some(&request.origin) && !varies_by_origin(headers) {
        found.push(Diagnosis::new(
            Code::MissingVary,
            "the answer names the page's origin, and `Vary` does not have `Origin`",
        ));
    }
    found
}

fn varies_by_origin(headers: &[HeaderLine]) -> bool {
    let names = list_values(headers, "vary").unwrap_or_default();
    names.iter().any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"))
}

/// Finds faults in the answers to a preflight and to its request together.
pub(super) fn of_both(
    preflight_passes: Option<bool>,
    failure: Option<&CorsFailure>,
    answer: &Answer,
) -> Option<Diagnosis> {
    let Some(failure) = failure else {
        return (preflight_passes == Some(false)).then(|| {
            Diagnosis::new(
                Code::JudgedDifferently,
                "the request's answer would be shared with the page, and the preflight refuses it",
            )
        });
    };
    if *failure == CorsFailure::NoAllowOrigin && answer.status >= 400 {
        return Some(Diagnosis::new(
            Code::MissingOnError,
            format!("the status is {}, and the error has no CORS headers", answer.status),
        ));
    }
    let is_of_another_layer = matches!(
        failure,
        CorsFailure::NoAllowOrigin
            | CorsFailure::OtherOrigin(_)
            | CorsFailure::WildcardWithCredentials
    );
    (preflight_passes == Some(true) && is_of_another_layer).then(|| {
        Diagnosis::new(
            Code::JudgedDifferently,
            "the preflight allows the request, and the request's answer is not shared",
        )
    })
}
