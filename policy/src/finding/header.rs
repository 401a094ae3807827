//! Reasons about `allowHeaders` and `exposeHeaders`.

use super::list::{covered, entries};
use super::quoted::Quoted;
use super::{Explain, Place, Proposal, Sentence, Written};

/// Reasons about header names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderReason {
    /// Not a token, or too long.
    Syntax {
        /// The entry as written.
        value: String,
        /// The names that were probably meant.
        instead: Vec<String>,
    },
    /// A star beside other characters.
    Glob(String),
    /// A regex, as in `x-a|x-b`.
    Regex {
        /// The entry as written.
        value: String,
        /// The names that were probably meant.
        instead: Vec<String>,
    },
    /// A text of a program, as in `HttpHeaders.AUTHORIZATION`, `'x-a'` or `$http_x_a`.
    Program {
        /// The entry as written.
        value: String,
        /// The names that were probably meant.
        instead: Vec<String>,
    },
    /// An exception, as in `-cookie` and `!cookie`.
    Exception(String),
    /// The word of a different system for every name.
    Every {
        /// The entry as written.
        value: String,
        /// Whether `*` stands for every name here.
        has_wildcard: bool,
    },
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
    /// A name that is not well-known, and a well-known one but for a slip.
    Misspelled {
        /// The entry as written.
        value: String,
        /// The well-known name.
        meant: String,
        /// Whether the list has that name too.
        is_listed: bool,
    },
    /// A response header of the CORS protocol, in `exposeHeaders`.
    CorsResponseHeaderExposed(String),
    /// An empty `allowHeaders`.
    None,
    /// `*` beside names that it covers.
    AnyBesideOthers {
        /// Those names.
        covered: Vec<String>,
        /// The list without them.
        rest: Vec<String>,
    },
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

/// The advice for a text that names no header.
const ONE_NAME: &str = "write one name per entry, such as `content-type`";

// === impl HeaderReason ===

impl Explain for HeaderReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Syntax { value, instead } => entries(
                "CORS-E303",
                format!("{} is an invalid header name", Quoted(value)),
                instead,
                ONE_NAME,
            ),
            Self::Glob(value) => glob(value),
            Self::Regex { value, instead } => {
                entries(OTHER_SYNTAX, taken_literally(value, "is a regex"), instead, ONE_NAME)
            }
            Self::Program { value, instead } => program(value, instead),
            Self::Exception(value) => exception(value),
            Self::Every { value, has_wildcard } => every(value, *has_wildcard),
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
            Self::AnyBesideOthers { covered: names, rest } => covered("CORS-I305", names, rest),
            Self::AnyWithoutAuthorization => Sentence::new(
                "CORS-I306",
                "`*` does not cover `authorization`",
                "add `authorization` if clients send it",
            )
            .with_edit(Proposal::Add(Place::Here, vec!["authorization".to_owned()])),
            Self::SessionIdNotExposed => session_id_not_exposed(),
            Self::TracingIncomplete { listed, missing } => tracing_incomplete(listed, missing),
            Self::ForbiddenRequestHeader(name) => {
                useless("CORS-W303", name, "is a forbidden request-header, which no script can set")
            }
            Self::CorsResponseHeader(name) => useless(
                "CORS-W305",
                name,
                "is a header of responses, and a client that sends it is mistaken",
            ),
            Self::Misspelled { value, meant, is_listed } => misspelled(value, meant, *is_listed),
            Self::CorsResponseHeaderExposed(name) => {
                useless("CORS-I311", name, "is for browsers, which need no listing of it")
            }
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

fn session_id_not_exposed() -> Sentence {
    Sentence::new(
        "CORS-I309",
        "requests may carry `mcp-session-id`, and no page can read it from the response that sets it",
        "add `mcp-session-id` to `exposeHeaders`",
    )
    .with_edit(Proposal::Add(Place::Here, vec!["mcp-session-id".to_owned()]))
}

fn tracing_incomplete(listed: &[&str], missing: &[&str]) -> Sentence {
    Sentence::new(
        "CORS-I310",
        format!("tracing agents send {} beside {}", all(missing), all(listed)),
        format!("add {}", all(missing)),
    )
    .with_edit(add(missing))
}

fn add(names: &[&str]) -> Proposal {
    Proposal::Add(Place::Here, names.iter().copied().map(str::to_owned).collect())
}

/// Names, in one phrase.
fn all(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| Quoted(name).to_string()).collect();
    quoted.join(" and ")
}

fn program(value: &str, instead: &[String]) -> Sentence {
    let matter = taken_literally(value, "is a text of a program");
    entries(OTHER_SYNTAX, matter, instead, "write the name of a header, such as `content-type`")
}

/// The code of a name with a slip in it.
const MISSPELLED: &str = "CORS-W309";

fn misspelled(value: &str, meant: &str, is_listed: bool) -> Sentence {
    let matter = format!("{} is no well-known header, and nearly {}", Quoted(value), Quoted(meant));
    let sentence = if is_listed {
        Sentence::remove(MISSPELLED, matter)
    } else {
        Sentence::write(MISSPELLED, matter, Written::text(meant))
    };
    sentence.and(", unless the application really has it so")
}

fn cookie() -> Sentence {
    Sentence::new(
        "CORS-W304",
        "`Cookie` is a forbidden request-header, which no script can set",
        "remove it, and write `allowCredentials: true` if cookies are meant",
    )
    .with_edit(Proposal::Remove)
}

/// The code of a name in a foreign syntax. All are tokens, and a header of such a name is in no registry.
const OTHER_SYNTAX: &str = "CORS-E304";

fn taken_literally(value: &str, matter: &str) -> String {
    format!("{} {matter}, and browsers take it for a header of that name", Quoted(value))
}

fn glob(value: &str) -> Sentence {
    let example = value.replace("**", "*").replace(['*', '%'], "id");
    Sentence::remove(OTHER_SYNTAX, taken_literally(value, "is a glob"))
        .and(&format!(" and list each name, such as {}", Quoted(&example)))
}

fn every(value: &str, has_wildcard: bool) -> Sentence {
    let matter = taken_literally(value, "is a word of other systems for every header");
    if has_wildcard {
        Sentence::write(OTHER_SYNTAX, matter, Written::text("*"))
    } else {
        Sentence::remove(OTHER_SYNTAX, matter).and(" and list the headers that scripts read")
    }
}

/// A name that does nothing where it is.
fn useless(code: &'static str, name: &str, matter: &str) -> Sentence {
    Sentence::remove(code, format!("{} {matter}", Quoted(name)))
}

fn exception(value: &str) -> Sentence {
    Sentence::remove(OTHER_SYNTAX, taken_literally(value, "is an exception of other systems"))
        .and(", because a policy has no exceptions and allows only what it lists")
}
