//! Reasons about `allowHeaders` and `exposeHeaders`.

use super::list::entries;
use super::quoted::Quoted;
use super::{Place, Proposal, Sentence};

/// What there is to say about header names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderReason {
    /// Not a token, or too long.
    Syntax(String),
    /// A star beside other characters.
    Glob(String),
    /// Fetch, "forbidden request-header".
    ForbiddenRequestHeader(String),
    /// `Cookie`, which is forbidden too.
    Cookie,
    /// A response header of the CORS protocol, in `allowHeaders`.
    CorsResponseHeader(String),
    /// `*` in `exposeHeaders` with credentials.
    ExposeAnyWithCredentials,
    /// Fetch, "forbidden response-header name", in `exposeHeaders`.
    ForbiddenResponseHeader(String),
    /// Fetch, "CORS-safelisted request-header".
    SafelistedRequestHeader(String),
    /// Fetch, "CORS-safelisted response-header name".
    SafelistedResponseHeader(String),
    /// An empty `allowHeaders`.
    None,
    /// `*` beside names that it covers.
    AnyBesideOthers,
    /// `*` without `authorization`.
    AnyWithoutAuthorization,
    /// `mcp-session-id` in `allowHeaders` and not in `exposeHeaders`.
    SessionIdNotExposed,
    /// One of `traceparent`, `tracestate` and `baggage` without the others.
    TracingIncomplete {
        /// Those that are listed.
        listed: Vec<&'static str>,
        /// Those that are not.
        missing: Vec<&'static str>,
    },
}

// === impl HeaderReason ===

impl HeaderReason {
    pub(super) fn sentence(&self) -> Sentence {
        match self {
            Self::Syntax(value) => entries(
                "CORS-E303",
                format!("{} is an invalid header name", Quoted(value)),
                value,
                "write one name per entry, such as `content-type`",
            ),
            Self::Glob(value) => glob(value),
            Self::Cookie => cookie(),
            Self::ExposeAnyWithCredentials => Sentence::new(
                "CORS-W306",
                "with credentials browsers take `*` for a header of that name",
                "list the headers that scripts read",
            ),
            Self::None => Sentence::new(
                "CORS-I304",
                "without `allowHeaders` the first call with JSON or `Authorization` fails",
                "list what clients set, such as `content-type` and `authorization`",
            ),
            Self::AnyBesideOthers => covered(),
            Self::AnyWithoutAuthorization => Sentence::new(
                "CORS-I306",
                "`*` does not cover `authorization`",
                "add `authorization` if clients send it",
            )
            .with_edit(Proposal::Add(Place::Here, vec!["authorization".to_owned()])),
            Self::SessionIdNotExposed => Sentence::new(
                "CORS-I309",
                "requests may carry `mcp-session-id`, and no page can read it from the response that sets it",
                "add `mcp-session-id` to `exposeHeaders`",
            )
            .with_edit(Proposal::Add(Place::Here, vec!["mcp-session-id".to_owned()])),
            Self::TracingIncomplete { listed, missing } => Sentence::new(
                "CORS-I310",
                format!("tracing agents send {} beside {}", all(missing), all(listed)),
                format!("add {}", all(missing)),
            )
            .with_edit(add(missing)),
            Self::ForbiddenRequestHeader(name) => {
                useless("CORS-W303", name, "is a forbidden request-header, which no script can set")
            }
            Self::CorsResponseHeader(name) => useless(
                "CORS-W305",
                name,
                "is a header of responses, and a client that sends it is mistaken",
            ),
            Self::ForbiddenResponseHeader(name) => useless(
                "CORS-W307",
                name,
                "is a forbidden response-header name, which no script can read",
            ),
            Self::SafelistedRequestHeader(name) => {
                useless("CORS-I307", name, "is safelisted, and allowed without being listed")
            }
            Self::SafelistedResponseHeader(name) => {
                useless("CORS-I308", name, "is safelisted, and exposed without being listed")
            }
        }
    }
}

fn covered() -> Sentence {
    Sentence::new(
        "CORS-I305",
        "`*` covers the names beside it, except `authorization`",
        "remove what it covers, or the `*`",
    )
}

/// Names, in one phrase.
fn add(names: &[&str]) -> Proposal {
    Proposal::Add(Place::Here, names.iter().copied().map(str::to_owned).collect())
}

fn all(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| Quoted(name).to_string()).collect();
    quoted.join(" and ")
}

fn cookie() -> Sentence {
    Sentence::new(
        "CORS-W304",
        "`Cookie` is a forbidden request-header, which no script can set",
        "remove it, and write `allowCredentials: true` if cookies are meant",
    )
    .with_edit(Proposal::Remove)
}

fn glob(value: &str) -> Sentence {
    let example = value.replace('*', "id");
    let matter =
        format!("{} is a glob, and browsers take it for a header of that name", Quoted(value));
    Sentence::remove("CORS-E304", matter)
        .and(&format!(" and list each name, such as {}", Quoted(&example)))
}

/// A name that does nothing where it is.
fn useless(code: &'static str, name: &str, matter: &str) -> Sentence {
    Sentence::remove(code, format!("{} {matter}", Quoted(name)))
}
