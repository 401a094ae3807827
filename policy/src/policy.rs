//! Policy: every field valid, fields agreeing with each other. Made by `validate` only.

use crate::draft::{
    Closeness, Diagnostics, DisallowedRequests, Mode, OnFailure, PolicyId, UpstreamCorsHeaders,
};
use crate::header_name::HeaderName;
use crate::method::Method;
use crate::pattern::OriginPattern;
use crate::regex::OriginRegex;
use crate::scope::{HostPattern, PathMatch};

/// A valid policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(crate) id: PolicyId,
    /// Empty: every host.
    pub(crate) hostnames: Vec<HostPattern>,
    pub(crate) cors: Option<Cors>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) disallowed_requests: DisallowedRequests,
    pub(crate) trusted_origins: Vec<OriginPattern>,
    pub(crate) mode: Mode,
    pub(crate) on_failure: OnFailure,
    // INVARIANT: 200 or 204.
    pub(crate) success_status: u16,
    pub(crate) upstream_cors_headers: UpstreamCorsHeaders,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) closeness: Closeness,
    pub(crate) created: Option<i64>,
}

/// What is allowed: a valid `cors` block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    // INVARIANT: `Any` stands alone, and only with credentials where the danger was named.
    pub(crate) origins: Vec<OriginPattern>,
    pub(crate) regexes: Vec<OriginRegex>,
    pub(crate) methods: Names<Method>,
    pub(crate) headers: Names<HeaderName>,
    pub(crate) expose: Names<HeaderName>,
    pub(crate) credentials: bool,
    pub(crate) max_age: Option<u32>,
}

/// A list of names in which `*` may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names<T> {
    /// Whether `*` is in it.
    pub(crate) any: bool,
    /// The others, in the author's order, each once.
    pub(crate) named: Vec<T>,
}

/// A valid rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(crate) path: PathMatch,
    /// Absent: the policy's.
    pub(crate) cors: Option<Cors>,
    /// Absent: the policy's.
    pub(crate) disallowed_requests: Option<DisallowedRequests>,
    /// Absent: the policy's.
    pub(crate) trusted_origins: Option<Vec<OriginPattern>>,
}

// === impl Policy ===

impl Policy {
    /// Who it is.
    #[must_use]
    pub fn id(&self) -> &PolicyId {
        &self.id
    }

    /// Whether it enforces, only counts, or rests.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }
}

// === impl Names ===

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { any: false, named: Vec::new() }
    }
}
