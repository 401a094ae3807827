//! Layer: a CORS layer as its settings describe it, and the answers that it gives.

use crate::exchange::{Answer, Exchange, Response, System};
use crate::expression::Expression;

/// A CORS layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The origins.
    pub(crate) origins: Vec<OriginRule>,
    /// The methods.
    pub(crate) methods: Names,
    /// The request headers.
    pub(crate) headers: Names,
    /// The response headers that a page may read.
    pub(crate) expose: Vec<String>,
    /// Whether responses to requests with credentials are shared.
    pub(crate) credentials: bool,
    /// The age of a preflight in seconds.
    pub(crate) max_age: Option<u64>,
    /// The paths at which the layer works; absent: all.
    pub(crate) paths: Option<Expression>,
    /// The habits of its implementation.
    pub(crate) habits: Habits,
}

/// A rule that allows origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OriginRule {
    /// Any origin, answered with `*`.
    Star,
    /// Any origin, answered with itself.
    Echo,
    /// One origin, as written.
    Exact(String),
    /// The origins that a regex matches.
    Regex(Expression),
}

/// A list of methods or header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// These; `*` among them is sent as it stands.
    Listed(Vec<String>),
    /// The requested ones, echoed.
    Requested,
}

/// The habits of an implementation, as measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Habits {
    /// Whether `*` stands in responses to requests without `Origin`, too.
    pub(crate) star_always: bool,
    /// The comparison of an origin with a written one.
    pub(crate) comparison: Comparison,
    /// The status of a passed preflight.
    pub(crate) success_status: u16,
    /// The status of a preflight from an origin that is not allowed; absent: the application is asked.
    pub(crate) refused_origin: Option<u16>,
    /// The status of a preflight for a method or a header that is not listed; absent: the answer lists what is allowed, and the
    /// browser compares.
    pub(crate) refused_names: Option<u16>,
    /// The status of a request whose origin, or for [`Habits::checks_method`] whose method, is not allowed; absent: the application is
    /// asked.
    pub(crate) refused_request: Option<u16>,
    /// Whether the method of a request that is no preflight must be listed, too.
    pub(crate) checks_method: bool,
    /// The fate of an `OPTIONS` without `Access-Control-Request-Method`.
    pub(crate) plain_options: PlainOptions,
    /// The responses with `Vary: Origin`.
    pub(crate) vary: Vary,
    /// The fate of the application's own `Access-Control-Allow-Origin`.
    pub(crate) own: Own,
    /// Whether responses with an error status of the application have the headers.
    pub(crate) errors: bool,
}

/// A comparison of origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// To the letter.
    Bytes,
    /// Without case.
    IgnoreCase,
    /// The same, and without a slash at the end of the request's origin, which is a URI.
    IgnoreCaseAndSlash,
    /// Scheme without case and authority to the letter, after both are parsed as URLs.
    Url,
}

/// The fate of an `OPTIONS` that is no preflight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainOptions {
    /// The application is asked.
    Forwarded,
    /// The layer answers it as a preflight.
    Answered,
    /// The same where the origin is allowed.
    AnsweredIfAllowed,
}

/// The responses that have `Vary: Origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vary {
    /// All.
    All,
    /// All but those of an application that sets `Vary` itself.
    UnlessOwn,
    /// None.
    Never,
}

/// The fate of an `Access-Control-Allow-Origin` of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// The layer's stands in its place, where the layer sends one.
    Replaced,
    /// It stays, and the layer sends none.
    Kept,
    /// It stays beside the layer's.
    Doubled,
}

// === impl Layer ===

impl Layer {
    /// The value of `Access-Control-Allow-Origin` for that origin.
    fn sharing(&self, origin: &str) -> Option<String> {
        if self.habits.comparison == Comparison::IgnoreCaseAndSlash && !is_uri(origin) {
            return None;
        }
        let parts = url(origin);
        let accepts = |rule: &OriginRule| match rule {
            // Most texts without the authority are told apart before they are read.
            OriginRule::Exact(written) if self.habits.comparison == Comparison::Url => {
                written.contains(parts.1) && url(written) == parts
            }
            rule => rule.accepts(origin, self.habits.comparison),
        };
        self.origins.iter().find_map(|rule| match rule {
            OriginRule::Star => Some("*".to_owned()),
            rule => accepts(rule).then(|| origin.to_owned()),
        })
    }

    fn preflight(&self, exchange: &Exchange, sharing: Option<String>) -> Answer {
        let Some(sharing) = sharing else {
            return match self.habits.refused_origin {
                None => exchange.forwarded(),
                Some(status) => Answer { response: Response::empty(status), reached: false },
            };
        };
        let asked = |name| exchange.header(name).unwrap_or_default();
        let (method, names) =
            (asked("access-control-request-method"), asked("access-control-request-headers"));
        let is_listed = self.methods.has(method) && elements(names).all(|n| self.headers.has(n));
        let status = match self.habits.refused_names {
            Some(status) if !is_listed => status,
            _ => self.habits.success_status,
        };
        let mut response = Response::empty(status);
        self.share(&mut response, sharing);
        self.answer_names(&mut response, method, names);
        Answer { response, reached: false }
    }

    fn answer_names(&self, response: &mut Response, method: &str, names: &str) {
        let lists = [
            ("access-control-allow-methods", &self.methods, method),
            ("access-control-allow-headers", &self.headers, names),
        ];
        for (header, listed, asked) in lists {
            let value = listed.value(asked);
            if !value.is_empty() {
                response.set(header, value);
            }
        }
        if let Some(age) = self.max_age {
            response.set("access-control-max-age", age.to_string());
        }
    }

    fn share(&self, response: &mut Response, sharing: String) {
        match self.habits.own {
            Own::Replaced => response.set("access-control-allow-origin", sharing),
            Own::Kept if response.header("access-control-allow-origin").is_some() => {}
            Own::Kept | Own::Doubled => response.append("access-control-allow-origin", sharing),
        }
        if self.credentials {
            response.set("access-control-allow-credentials", "true");
        }
        if !self.expose.is_empty() {
            response.set("access-control-expose-headers", self.expose.join(", "));
        }
    }
}

impl System for Layer {
    fn answer(&self, exchange: &Exchange) -> Answer {
        if self.paths.as_ref().is_some_and(|paths| !paths.accepts(&exchange.path)) {
            return exchange.forwarded();
        }
        let origin = exchange.header("origin").filter(|origin| !origin.is_empty());
        let is_star = self.habits.star_always
            && self.origins.iter().any(|rule| matches!(rule, OriginRule::Star));
        let star = is_star.then(|| "*".to_owned());
        let sharing = star.or_else(|| origin.and_then(|origin| self.sharing(origin)));
        let answers_plain = match self.habits.plain_options {
            PlainOptions::Forwarded => false,
            PlainOptions::Answered => true,
            PlainOptions::AnsweredIfAllowed => sharing.is_some(),
        };
        if exchange.is_preflight() || (answers_plain && exchange.method == "OPTIONS") {
            return self.preflight(exchange, sharing);
        }
        let is_refused =
            sharing.is_none() || (self.habits.checks_method && !self.methods.has(&exchange.method));
        let refusal = self.habits.refused_request.filter(|_| origin.is_some() && is_refused);
        let mut answer = match refusal {
            Some(status) => Answer { response: Response::empty(status), reached: false },
            None => exchange.forwarded(),
        };
        let varies = match self.habits.vary {
            Vary::All => true,
            Vary::UnlessOwn => answer.response.header("vary").is_none(),
            Vary::Never => false,
        };
        if varies {
            answer.response.append("vary", "origin");
        }
        let has_headers = self.habits.errors || answer.response.status < 400;
        if let Some(sharing) = sharing.filter(|_| has_headers && refusal.is_none()) {
            self.share(&mut answer.response, sharing);
        }
        answer
    }
}

// === impl OriginRule ===

impl OriginRule {
    /// The text that the settings have.
    pub(crate) fn written(&self) -> &str {
        match self {
            Self::Star | Self::Echo => "*",
            Self::Exact(origin) => origin,
            Self::Regex(expression) => expression.source(),
        }
    }

    /// Whether the rule is meant for the whole origin.
    pub(crate) fn is_meant_for(&self, origin: &str) -> bool {
        match self {
            Self::Star | Self::Echo => true,
            Self::Exact(written) => written == origin,
            Self::Regex(expression) if expression.is_open_at_start() => expression.accepts(origin),
            Self::Regex(expression) => expression.accepts_whole(origin),
        }
    }

    /// Whether the rule allows that origin.
    pub(crate) fn accepts(&self, origin: &str, comparison: Comparison) -> bool {
        match self {
            Self::Star | Self::Echo => true,
            Self::Regex(expression) if comparison == Comparison::IgnoreCaseAndSlash => {
                expression.accepts(without_slash(origin))
            }
            Self::Regex(expression) => expression.accepts(origin),
            Self::Exact(written) => match comparison {
                Comparison::Bytes => written == origin,
                Comparison::IgnoreCase => written.eq_ignore_ascii_case(origin),
                Comparison::IgnoreCaseAndSlash => {
                    written.eq_ignore_ascii_case(without_slash(origin))
                }
                Comparison::Url => url(written) == url(origin),
            },
        }
    }
}

/// Whether an origin has no blank, and a port of digits.
fn is_uri(origin: &str) -> bool {
    let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let behind_address = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    let port = behind_address.split_once(':').map_or("", |(_, port)| port);
    !origin.contains(' ') && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_slash(origin: &str) -> &str {
    origin.strip_suffix('/').unwrap_or(origin)
}

/// The scheme and the authority of a text, as Python's `urlsplit` has them.
pub(crate) fn url(text: &str) -> (String, &str) {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    if !is_scheme(scheme) {
        return (String::new(), "");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (scheme.to_ascii_lowercase(), authority)
}

// === impl Names ===

impl Names {
    /// Whether it covers that name.
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Requested => true,
            Self::Listed(names) => {
                names.iter().any(|listed| listed == "*" || listed.eq_ignore_ascii_case(name))
            }
        }
    }

    fn value(&self, asked: &str) -> String {
        match self {
            Self::Requested => asked.to_owned(),
            Self::Listed(names) => names.join(", "),
        }
    }
}

/// The elements of a list-based field.
fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|element| !element.is_empty())
}
