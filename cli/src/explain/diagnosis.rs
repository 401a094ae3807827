//! Diagnosis: a fault of an answer or of its surroundings, by a code, with its remedy.

use corsward_browser::header_list::{list_values, values};
use corsward_browser::obstacle::Obstacle;
use corsward_browser::{
    CorsFailure, CorsRequest, CredentialsMode, HeaderLine, PreflightFailure, combined,
};
use corsward_policy::{PolicyId, Refusal};
use serde::{Serialize, Serializer};

use super::reply::Answer;

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Diagnosis {
    pub(super) code: Code,
    pub(super) message: String,
    /// The remedy.
    pub(super) fix: String,
}

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    RefusedByPolicy,
    NoAllowOrigin,
    DoubledHeader,
    ListOfOrigins,
    WildcardWithCredentials,
    OtherOrigin,
    CredentialsNotAllowed,
    MethodNotAllowed,
    HeaderNotAllowed,
    InvalidList,
    PreflightRedirect,
    PreflightUnauthorized,
    PreflightMethodNotAllowed,
    PreflightNotFound,
    PreflightStatus,
    MissingVary,
    MissingOnError,
    JudgedDifferently,
    MixedContent,
    LocalNetwork,
    BadPort,
    Certificate,
    Dns,
    Connection,
    Csp,
    BlockedByExtension,
}

// === impl Code ===

impl Code {
    /// The word of JSON and of the text.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::RefusedByPolicy => "refused-by-policy",
            Self::NoAllowOrigin => "no-allow-origin",
            Self::DoubledHeader => "doubled-header",
            Self::ListOfOrigins => "list-of-origins",
            Self::WildcardWithCredentials => "wildcard-with-credentials",
            Self::OtherOrigin => "other-origin",
            Self::CredentialsNotAllowed => "credentials-not-allowed",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::HeaderNotAllowed => "header-not-allowed",
            Self::InvalidList => "invalid-list",
            Self::PreflightRedirect => "preflight-redirect",
            Self::PreflightUnauthorized => "preflight-unauthorized",
            Self::PreflightMethodNotAllowed => "preflight-405",
            Self::PreflightNotFound => "preflight-404",
            Self::PreflightStatus => "preflight-status",
            Self::MissingVary => "missing-vary",
            Self::MissingOnError => "missing-on-error",
            Self::JudgedDifferently => "judged-differently",
            Self::MixedContent => "mixed-content",
            Self::LocalNetwork => "local-network",
            Self::BadPort => "bad-port",
            Self::Certificate => "certificate",
            Self::Dns => "dns",
            Self::Connection => "connection",
            Self::Csp => "csp",
            Self::BlockedByExtension => "blocked-by-extension",
        }
    }

    /// Whether the fault is no matter of CORS.
    pub(super) const fn is_not_cors(self) -> bool {
        matches!(
            self,
            Self::MixedContent
                | Self::LocalNetwork
                | Self::BadPort
                | Self::Certificate
                | Self::Dns
                | Self::Connection
                | Self::Csp
                | Self::BlockedByExtension
        )
    }

    /// Whether the fault alone keeps the request from being sent.
    pub(super) const fn blocks(self) -> bool {
        matches!(self, Self::MixedContent | Self::BadPort | Self::Csp | Self::BlockedByExtension)
    }

    /// The remedy where it does not depend on the answer.
    const fn fix(self) -> &'static str {
        match self {
            Self::RefusedByPolicy => "edit the policy, if the page is meant to be allowed",
            Self::NoAllowOrigin => {
                "let one layer answer for the origin; a policy of corsward does, with the origin in `spec.cors.allowOrigins`"
            }
            Self::DoubledHeader => {
                "switch one of the two layers off; corsward removes the application's headers (`spec.upstreamCorsHeaders: Replace`)"
            }
            Self::ListOfOrigins => {
                "answer with the one origin that asks; corsward does so for each origin of `spec.cors.allowOrigins`"
            }
            Self::WildcardWithCredentials => {
                "list the origins and allow credentials (`spec.cors.allowOrigins`, `allowCredentials: true`), or send the request without credentials"
            }
            Self::OtherOrigin => {
                "answer with the origin that asks: a constant serves one page, and a cached answer needs `Vary: Origin`"
            }
            Self::CredentialsNotAllowed => {
                "allow credentials (`spec.cors.allowCredentials: true`), or send the request without"
            }
            Self::MethodNotAllowed => "list the method (`spec.cors.allowMethods`)",
            Self::HeaderNotAllowed => "list the header (`spec.cors.allowHeaders`)",
            Self::InvalidList => "write names with commas between them and nothing else",
            Self::PreflightRedirect => {
                "ask the final URL: its scheme, host and trailing slash; or answer preflights before the redirect"
            }
            Self::PreflightUnauthorized => {
                "let preflights pass without credentials: browsers never send any, so the CORS layer stands before authentication"
            }
            Self::PreflightMethodNotAllowed => {
                "answer `OPTIONS` in a CORS layer before the router; the application has no handler for it"
            }
            Self::PreflightNotFound => {
                "answer `OPTIONS` in a CORS layer before the router; the route exists for other methods alone, or not at all"
            }
            Self::PreflightStatus => "answer preflights with 200 or 204",
            Self::MissingVary => {
                "add `Origin` to `Vary`: a cache may serve this answer to another origin"
            }
            Self::MissingOnError => {
                "add the headers to errors too (nginx: `always`), or let a proxy add them; the page sees a CORS error in place of the status"
            }
            Self::JudgedDifferently => {
                "let one layer answer both: the preflight and the request come from different ones"
            }
            Self::MixedContent => "serve the URL over `https`",
            Self::LocalNetwork => {
                "serve the page from the same network, or let the user allow local network access"
            }
            Self::BadPort => "serve the URL on another port",
            Self::Certificate => {
                "open the URL in a tab of its own, and see the certificate's error there"
            }
            Self::Dns => "check the host of the URL",
            Self::Connection => "check that the server is up and reachable from the browser",
            Self::Csp => "add the URL's origin to `connect-src` of the page",
            Self::BlockedByExtension => "switch the extension off for the page",
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

// === impl Diagnosis ===

impl Diagnosis {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fix: code.fix().to_owned() }
    }

    /// A fault that a tool has put into words.
    pub(super) fn seen(code: Code, words: &str) -> Self {
        Self::new(code, format!("`{words}`"))
    }

    pub(super) fn of_obstacle(obstacle: &Obstacle) -> Self {
        let code = match obstacle {
            Obstacle::MixedContent => Code::MixedContent,
            Obstacle::LocalNetwork(_) => Code::LocalNetwork,
            Obstacle::BadPort(_) => Code::BadPort,
        };
        Self::new(code, obstacle.to_string())
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
