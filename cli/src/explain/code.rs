//! Code: the kind of a fault, and its remedy where it does not depend on the answer.

use serde::{Serialize, Serializer};

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    RefusedByPolicy,
    NotCovered,
    NotEnforced,
    Redirect,
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
    BesideCors(BesideCors),
}

/// A fault that is no matter of CORS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BesideCors {
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
            Self::NotCovered => "not-covered",
            Self::NotEnforced => "not-enforced",
            Self::Redirect => "redirect",
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
            Self::BesideCors(fault) => fault.word(),
        }
    }

    /// Whether the fault is no matter of CORS.
    pub(super) const fn is_beside_cors(self) -> bool {
        matches!(self, Self::BesideCors(_))
    }

    /// Whether the fault alone keeps the request from being sent.
    pub(super) const fn blocks(self) -> bool {
        matches!(
            self,
            Self::BesideCors(
                BesideCors::MixedContent
                    | BesideCors::BadPort
                    | BesideCors::Csp
                    | BesideCors::BlockedByExtension
            )
        )
    }

    /// The remedy where it does not depend on the answer.
    pub(super) const fn fix(self) -> &'static str {
        match self {
            Self::NotCovered => {
                "add the host to `spec.hostnames` of a policy, or a rule of the path; `--live` asks the server"
            }
            Self::NotEnforced => "set the mode to `Active` if the policy is meant to answer",
            Self::Redirect => {
                "ask the final URL; a redirect to a login is answered 401 to pages, and the page opens the login itself"
            }
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
            Self::BesideCors(fault) => fault.fix(),
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

// === impl BesideCors ===

impl BesideCors {
    const fn word(self) -> &'static str {
        match self {
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

    const fn fix(self) -> &'static str {
        match self {
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
