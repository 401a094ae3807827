//! Probe: a request, and all that a client, an upstream and a proxy see of a decision about it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use corsward_policy::response_headers::Headers;
use corsward_policy::syntax::list_elements;
use corsward_policy::{
    Action, Compiled, Outcome, Refusal, Request, RequestField, Response, decide,
};
use serde::Serialize;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// `:method`.
    pub method: String,
    /// `:authority`.
    pub host: String,
    /// `:path`.
    pub path: String,
    /// `Origin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// `Access-Control-Request-Method`: the request is a preflight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_method: Option<String>,
    /// `Access-Control-Request-Headers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_headers: Option<String>,
    /// Whether the request comes from a page of the host itself.
    #[serde(skip_serializing_if = "is_false")]
    pub same_origin: bool,
    /// Whether it is a WebSocket handshake with cookies.
    #[serde(skip_serializing_if = "is_false")]
    pub handshake: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The verdict about a request, as far as a client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// No policy covers the request.
    NotCovered,
    /// A policy covers it, and it has no `Origin`.
    Covered,
    /// The response is shared, or the preflight passes.
    Allowed,
    /// The response is not shared, or the preflight fails.
    Refused,
    /// The answer is 403 in place of the upstream's.
    Rejected,
}

/// The client's, the upstream's and the proxy's view of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason of the verdict, which no client sees.
    pub reason: Option<&'static str>,
    /// The visible values, by name.
    pub values: BTreeMap<&'static str, Vec<String>>,
}

/// The status of an answer of the proxy.
const STATUS: &str = "status";
/// The treatment of CORS headers of the upstream.
const UPSTREAM_HEADERS: &str = "CORS headers of the upstream";
/// The treatment of `Origin` before the upstream.
const UPSTREAM_ORIGIN: &str = "Origin to the upstream";

/// A port that no policy names: hostnames have none.
const OTHER_PORT: u16 = 8443;

fn own_origin(host: &str) -> String {
    format!("https://{host}")
}

// === impl Probe ===

impl Probe {
    /// The request to that host and path. A page of `https://HOST` asks a different port of its host, because a request to its own would
    /// not be cross-origin.
    pub(crate) fn at(self, host: &str, path: &str) -> Self {
        let is_own = !self.same_origin && self.origin == Some(own_origin(host));
        let host = if is_own { format!("{host}:{OTHER_PORT}") } else { host.to_owned() };
        Self { host, path: path.to_owned(), ..self }
    }

    /// The same request of a page of its host; `None`: it is of another page.
    pub(crate) fn of_own_page(&self) -> Option<Self> {
        let own = || Self { origin: Some(own_origin(&self.host)), ..self.clone() };
        self.same_origin.then(own)
    }
}

impl Request for Probe {
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>> {
        let text = |text: &'static str| Some(Cow::Borrowed(text.as_bytes()));
        let own = |own: &'_ Option<String>| -> Option<Cow<'static, [u8]>> {
            own.as_ref().map(|own| Cow::Owned(own.clone().into_bytes()))
        };
        match field {
            RequestField::Method => Some(Cow::Borrowed(self.method.as_bytes())),
            RequestField::Authority => Some(Cow::Borrowed(self.host.as_bytes())),
            RequestField::Path => Some(Cow::Borrowed(self.path.as_bytes())),
            RequestField::Scheme => text("https"),
            RequestField::Origin => own(&self.origin),
            RequestField::AccessControlRequestMethod => own(&self.requested_method),
            RequestField::AccessControlRequestHeaders => own(&self.requested_headers),
            RequestField::SecFetchSite if self.origin.is_none() => None,
            RequestField::SecFetchSite => {
                text(if self.same_origin { "same-origin" } else { "cross-site" })
            }
            RequestField::Upgrade if self.handshake => text("websocket"),
            RequestField::Cookie if self.handshake => text("session=1"),
            RequestField::XForwardedProto
            | RequestField::Upgrade
            | RequestField::Cookie
            | RequestField::Authorization => None,
        }
    }

    fn destination_port(&self) -> Option<u16> {
        None
    }
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} https://{}{}", self.method, self.host, self.path)?;
        if let Some(origin) = &self.origin {
            write!(f, " Origin: {origin}")?;
        }
        if let Some(method) = &self.requested_method {
            write!(f, " Access-Control-Request-Method: {method}")?;
        }
        if let Some(headers) = &self.requested_headers {
            write!(f, " Access-Control-Request-Headers: {headers}")?;
        }
        if self.same_origin {
            f.write_str(" Sec-Fetch-Site: same-origin")?;
        }
        if self.handshake {
            f.write_str(" Upgrade: websocket Cookie: session=1")?;
        }
        Ok(())
    }
}

// === impl Verdict ===

impl Verdict {
    fn of(outcome: Option<Outcome>, is_covered: bool) -> Self {
        match outcome {
            None if is_covered => Self::Covered,
            None => Self::NotCovered,
            Some(Outcome::Allowed) => Self::Allowed,
            Some(Outcome::SameOrigin | Outcome::Trusted | Outcome::Refused(_)) => Self::Refused,
            Some(Outcome::Rejected(_)) => Self::Rejected,
        }
    }

    /// Returns the verdict in words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotCovered => "not covered",
            Self::Covered => "covered",
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
        }
    }
}

// === impl Observed ===

impl Observed {
    /// Returns whether neither a method nor a header could have changed the decision about this preflight.
    pub(crate) fn is_by_origin(&self) -> bool {
        let later = [Refusal::Method, Refusal::Header, Refusal::TooLong].map(Refusal::label);
        match self.verdict {
            Verdict::NotCovered => true,
            Verdict::Refused => self.reason.is_some_and(|reason| !later.contains(&reason)),
            Verdict::Allowed | Verdict::Covered | Verdict::Rejected => false,
        }
    }

    /// Decides about `probe`, with an upstream that sends no CORS headers and with one that does.
    pub fn of(compiled: &Compiled, probe: &Probe) -> Self {
        let decision = decide(compiled, probe);
        let is_covered = !matches!(decision.action, Action::Passthrough);
        let outcome = decision.verdict.as_ref().map(|verdict| verdict.outcome);
        let reason = outcome.and_then(Outcome::refusal).map(Refusal::label);
        let mut values = BTreeMap::new();
        let mut upstream = |status: &str, headers: &str, origin: &str| {
            let of_all = [(STATUS, status), (UPSTREAM_HEADERS, headers), (UPSTREAM_ORIGIN, origin)];
            values.extend(of_all.map(|(name, value)| (name, vec![value.to_owned()])));
        };
        match &decision.action {
            Action::Passthrough => {
                upstream("the upstream's", "kept", "kept");
            }
            Action::LocalReply(reply) => {
                upstream(&reply.status.to_string(), "not read", "not sent");
                insert(&mut values, &reply.headers, probe);
            }
            Action::Continue { remove, plan } => {
                let origin = if remove.is_some() { "removed" } else { "kept" };
                let keeps = plan.edits(&Answer { has_cors: true }).remove().next().is_none();
                let treatment = if keeps { "kept" } else { "replaced" };
                upstream("the upstream's", treatment, origin);
                insert(&mut values, &plan.edits(&Answer { has_cors: false }).set, probe);
            }
        }
        Self { verdict: Verdict::of(outcome, is_covered), reason, values }
    }
}

/// The answer of an upstream.
struct Answer {
    has_cors: bool,
}

impl Response for Answer {
    fn header(&self, name: &'static str) -> Option<Cow<'_, [u8]>> {
        let is_sharing = name == corsward_policy::header_name::ACAO;
        (self.has_cors && is_sharing).then_some(Cow::Borrowed(b"*"))
    }
}

/// Adds headers: lists sorted, and an echoed origin by that name.
fn insert(values: &mut BTreeMap<&'static str, Vec<String>>, headers: &Headers<'_>, probe: &Probe) {
    for (name, value) in headers.iter() {
        let mut elements: Vec<String> =
            list_elements(value).map(|one| String::from_utf8_lossy(one).into_owned()).collect();
        elements.sort();
        if probe.origin.as_ref().is_some_and(|origin| origin.as_bytes() == value) {
            elements = vec!["the origin of the request".to_owned()];
        }
        values.insert(canonical(name), elements);
    }
}

/// The name of a header as documents have it.
fn canonical(name: &'static str) -> &'static str {
    match name {
        "access-control-allow-origin" => "Access-Control-Allow-Origin",
        "access-control-allow-credentials" => "Access-Control-Allow-Credentials",
        "access-control-allow-methods" => "Access-Control-Allow-Methods",
        "access-control-allow-headers" => "Access-Control-Allow-Headers",
        "access-control-expose-headers" => "Access-Control-Expose-Headers",
        "access-control-max-age" => "Access-Control-Max-Age",
        "vary" => "Vary",
        "cache-control" => "Cache-Control",
        "x-corsward" => "X-Corsward",
        other => other,
    }
}
