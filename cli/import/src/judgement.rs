//! Judgement: the parts of an answer that a page, a cache or an application notices.

use std::collections::BTreeSet;
use std::fmt;

use corsward_browser::{
    CorsRequest, CorsResponse, CredentialsMode, Preflight, cors_check, preflight_check,
};
use serde::Serialize;

use crate::exchange::{Answer, Exchange};

/// The age of a preflight without `Access-Control-Max-Age` (Fetch standard, "CORS-preflight fetch").
const DEFAULT_MAX_AGE: u64 = 5;

/// The credentials modes in which the browser accepts an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// None.
    Refused,
    /// Without credentials.
    Anonymous,
    /// With credentials too.
    Credentialed,
}

/// A judgement on one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The modes in which the preflight passes, or the page reads the response.
    pub access: Access,
    /// Whether the application saw the request.
    pub reached: bool,
    /// The response headers that the page reads beside the safelisted ones.
    pub exposed: BTreeSet<String>,
    /// The seconds for which a passed preflight is kept.
    pub max_age: Option<u64>,
    /// Whether a shared cache keeps the answer apart from those for other origins.
    pub cached_by_origin: bool,
}

/// A part of a judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Aspect {
    /// Whether the preflight passes.
    Preflight,
    /// Whether the page reads the response.
    Response,
    /// The headers of the response that the page reads.
    ExposedHeaders,
    /// The age of the preflight.
    MaxAge,
    /// Whether the application is asked.
    Application,
    /// Whether a shared cache keeps origins apart.
    Cache,
}

/// A difference between two judgements on the same request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Difference {
    /// The part that differs.
    pub aspect: Aspect,
    /// The old system's.
    pub old: String,
    /// The policy's.
    pub new: String,
}

/// Judges an answer.
pub(crate) fn judge(exchange: &Exchange, answer: &Answer) -> Judgement {
    let access = access(exchange, answer);
    let response = &answer.response;
    let list = |name| {
        let value = response.header(name).unwrap_or_default();
        let text = String::from_utf8_lossy(&value).to_ascii_lowercase();
        let names = text.split(',').map(|name| name.trim().to_owned());
        names.filter(|name| !name.is_empty()).collect::<BTreeSet<String>>()
    };
    let is_preflight = exchange.is_preflight();
    let max_age = || {
        let written = response.header("access-control-max-age")?;
        std::str::from_utf8(&written).ok()?.trim().parse().ok()
    };
    let is_constant = || response.header("access-control-allow-origin").as_deref() == Some(b"*");
    let is_cacheable = matches!(exchange.method.as_str(), "GET" | "HEAD");
    let varies = || list("vary").iter().any(|name| name == "origin" || name == "*");
    let is_allowed = access != Access::Refused;
    Judgement {
        access,
        reached: answer.reached,
        exposed: if is_allowed && !is_preflight {
            list("access-control-expose-headers")
        } else {
            BTreeSet::new()
        },
        max_age: (is_allowed && is_preflight).then(|| max_age().unwrap_or(DEFAULT_MAX_AGE)),
        cached_by_origin: !is_cacheable || varies() || is_constant(),
    }
}

fn access(exchange: &Exchange, answer: &Answer) -> Access {
    let Some(origin) = exchange.header("origin") else {
        return Access::Refused;
    };
    let response =
        CorsResponse { status: answer.response.status, headers: &answer.response.headers };
    let passes = |credentials| {
        let request = CorsRequest { origin: origin.into(), credentials };
        if !exchange.is_preflight() {
            return cors_check(&request, response).is_ok();
        }
        let text = |name| exchange.header(name).unwrap_or_default();
        let names = text("access-control-request-headers").split(',').map(str::trim);
        let preflight = Preflight {
            method: text("access-control-request-method").into(),
            unsafe_names: names.filter(|name| !name.is_empty()).map(Into::into).collect(),
        };
        preflight_check(&request, &preflight, response).is_ok()
    };
    match (passes(CredentialsMode::Include), passes(CredentialsMode::Omit)) {
        (true, _) => Access::Credentialed,
        (false, true) => Access::Anonymous,
        (false, false) => Access::Refused,
    }
}

// === impl Judgement ===

impl Judgement {
    /// The parts in which the judgement on the policy's answer differs.
    pub(crate) fn differences(&self, new: &Self, is_preflight: bool) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut compare = |aspect, old: String, new: String| {
            if old != new {
                differences.push(Difference { aspect, old, new });
            }
        };
        let access = if is_preflight { Aspect::Preflight } else { Aspect::Response };
        compare(access, self.access.to_string(), new.access.to_string());
        let both = self.access != Access::Refused
            && new.access != Access::Refused
            && self.reached == new.reached;
        if both {
            let names = |names: &BTreeSet<String>| {
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.iter().cloned().collect::<Vec<_>>().join(", ")
                }
            };
            compare(Aspect::ExposedHeaders, names(&self.exposed), names(&new.exposed));
            let seconds = |age: Option<u64>| age.map_or_else(String::new, |age| format!("{age} s"));
            compare(Aspect::MaxAge, seconds(self.max_age), seconds(new.max_age));
        }
        let reached = |reached| if reached { "asked" } else { "not asked" }.to_owned();
        compare(Aspect::Application, reached(self.reached), reached(new.reached));
        let cached = |by_origin| {
            if by_origin {
                "each origin has its own".to_owned()
            } else {
                "one for all origins".to_owned()
            }
        };
        compare(Aspect::Cache, cached(self.cached_by_origin), cached(new.cached_by_origin));
        differences
    }
}

// === impl Access ===

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Anonymous => "allowed without credentials",
            Self::Credentialed => "allowed with credentials",
        })
    }
}

// === impl Aspect ===

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preflight => "preflight",
            Self::Response => "response",
            Self::ExposedHeaders => "exposed headers",
            Self::MaxAge => "age of a preflight",
            Self::Application => "application",
            Self::Cache => "copy in a shared cache",
        })
    }
}
