//! Request class: the kinds of requests, methods and header names that two rule sets tell apart.

use std::collections::BTreeSet;

use corsward_policy::limits::{MAX_METHOD_LEN, MAX_REQUEST_HEADERS};
use corsward_policy::survey::Selected;

use crate::probe::Probe;

/// The methods that a rule set may list by itself.
const USUAL_METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// The header names that a rule set treats by themselves.
const USUAL_HEADERS: [&str; 2] = ["authorization", "content-type"];

/// A class of requests from one origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RequestClass {
    /// Requests that are no preflights.
    Actual,
    /// Preflights for this method, without further headers.
    Method(String),
    /// Preflights for a method that no list names.
    OtherMethod,
    /// Preflights for a method that is longer than a list can name.
    LongMethod,
    /// Preflights for a method that is none.
    NoMethod,
    /// Preflights with this header.
    Header(String),
    /// Preflights with a header that no list names.
    OtherHeader,
    /// Preflights with a header whose name is none.
    NoHeader,
    /// Preflights with more headers than a proxy reads.
    ManyHeaders,
    /// WebSocket handshakes with cookies.
    Handshake,
    /// Requests from pages of the host itself, which browsers do not check.
    SameOrigin,
    /// WebSocket handshakes of such pages.
    SameOriginHandshake,
}

// === impl RequestClass ===

impl RequestClass {
    /// Returns the classes that the rule sets tell apart.
    pub(crate) fn all(rule_sets: &[Selected<'_>]) -> Vec<Self> {
        let usual = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut methods: BTreeSet<String> = usual(&USUAL_METHODS);
        let mut headers: BTreeSet<String> = usual(&USUAL_HEADERS);
        for selected in rule_sets {
            let cors = selected.cors();
            methods.extend(cors.methods().named().iter().map(ToString::to_string));
            headers.extend(cors.headers().named().iter().map(ToString::to_string));
        }
        let mut classes = vec![Self::Actual];
        classes.extend(methods.into_iter().map(Self::Method));
        classes.extend([Self::OtherMethod, Self::LongMethod, Self::NoMethod]);
        classes.extend(headers.into_iter().map(Self::Header));
        classes.extend([Self::OtherHeader, Self::NoHeader, Self::ManyHeaders]);
        classes.extend([Self::Handshake, Self::SameOrigin, Self::SameOriginHandshake]);
        classes
    }

    pub(crate) fn is_preflight(&self) -> bool {
        !matches!(
            self,
            Self::Actual | Self::SameOrigin | Self::Handshake | Self::SameOriginHandshake
        )
    }

    /// Returns whether it asks for a method that is not one of the safelist.
    pub(crate) fn asks_for_method(&self) -> bool {
        match self {
            Self::Method(method) => method != "GET",
            Self::OtherMethod | Self::LongMethod | Self::NoMethod => true,
            _ => false,
        }
    }

    pub(crate) fn asks_for_header(&self) -> bool {
        matches!(self, Self::Header(_) | Self::OtherHeader | Self::NoHeader | Self::ManyHeaders)
    }

    /// Returns one of its requests.
    pub(crate) fn probe(&self, host: &str, path: &str, origin: &str, all: &[Self]) -> Probe {
        let named = |name: &str| {
            let of = |class: &Self| match class {
                Self::Method(own) | Self::Header(own) => own == name,
                _ => false,
            };
            all.iter().any(of)
        };
        let free = |name: &str| {
            let numbered = (0..=all.len()).map(|number| format!("{name}{number}"));
            let mut all = std::iter::once(name.to_owned()).chain(numbered);
            all.find(|name| !named(name)).unwrap_or_default()
        };
        let mut probe = Probe {
            method: "GET".into(),
            origin: Some(origin.into()),
            same_origin: matches!(self, Self::SameOrigin | Self::SameOriginHandshake),
            handshake: matches!(self, Self::Handshake | Self::SameOriginHandshake),
            ..Probe::default()
        }
        .at(host, path);
        if !self.is_preflight() {
            return probe;
        }
        let method = match self {
            Self::Method(method) => method.clone(),
            Self::OtherMethod => free("CUSTOM"),
            Self::LongMethod => "M".repeat(MAX_METHOD_LEN.saturating_add(1)),
            Self::NoMethod => "NO METHOD".into(),
            _ => "GET".into(),
        };
        probe.requested_headers = match self {
            Self::Header(header) => Some(header.clone()),
            Self::OtherHeader => Some(free("x-custom")),
            Self::NoHeader => Some("no header".into()),
            Self::ManyHeaders => Some(vec!["a"; MAX_REQUEST_HEADERS.saturating_add(1)].join(",")),
            _ => None,
        };
        probe.method = "OPTIONS".into();
        probe.requested_method = Some(method);
        probe
    }

    /// Returns the name of a class within its kind, such as `PUT`.
    fn label(&self) -> &str {
        match self {
            Self::Actual => "actual requests",
            Self::SameOrigin => "actual requests from the host's own pages",
            Self::Handshake => "WebSocket handshakes with cookies",
            Self::SameOriginHandshake => {
                "WebSocket handshakes with cookies from the host's own pages"
            }
            Self::Method(name) | Self::Header(name) => name,
            Self::OtherMethod => "any other method",
            Self::LongMethod => "a method of more than 64 characters",
            Self::NoMethod => "an invalid method",
            Self::OtherHeader => "any other header",
            Self::NoHeader => "an invalid header name",
            Self::ManyHeaders => "too many headers",
        }
    }

    /// Returns words for `some` of `all` classes.
    pub(crate) fn texts(some: &BTreeSet<&Self>, all: &[Self]) -> Vec<String> {
        let mut texts = Vec::new();
        for class in some.iter().filter(|class| !class.is_preflight()) {
            // A wider kind says so for the narrower one.
            let wider = match class {
                Self::Handshake | Self::SameOrigin => some.contains(&Self::Actual),
                Self::SameOriginHandshake => {
                    some.contains(&Self::Actual) || some.contains(&Self::SameOrigin)
                }
                _ => false,
            };
            texts.extend((!wider).then(|| class.label().to_owned()));
        }
        let own: Vec<&Self> = some.iter().copied().filter(|class| class.is_preflight()).collect();
        let missing: Vec<&Self> =
            all.iter().filter(|class| class.is_preflight() && !some.contains(class)).collect();
        if own.is_empty() {
            return texts;
        }
        texts.push(match missing.len() {
            0 => "preflights".to_owned(),
            len if len < own.len() => format!("preflights, but not {}", listed(&missing)),
            _ => format!("preflights {}", listed(&own)),
        });
        texts
    }
}

/// The classes of preflights in words: `for PUT, with x-a`.
fn listed(classes: &[&RequestClass]) -> String {
    let labels = |headers: bool| {
        let own = classes.iter().filter(|class| class.asks_for_header() == headers);
        own.map(|class| class.label()).collect::<Vec<_>>().join(", ")
    };
    let (methods, headers) = (labels(false), labels(true));
    match (methods.is_empty(), headers.is_empty()) {
        (false, false) => format!("for {methods}, with {headers}"),
        (false, true) => format!("for {methods}"),
        _ => format!("with {headers}"),
    }
}
