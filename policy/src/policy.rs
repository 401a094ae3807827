//! Policy: every field valid, fields agreeing with each other. Made by `validate` only.

use crate::draft::{
    Diagnostics, DisallowedRequests, Mode, OnFailure, PolicyId, Specificity, UpstreamCorsHeaders,
    UpstreamOrigin,
};
use crate::finding::Danger;
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
    pub(crate) upstream_origin: UpstreamOrigin,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) specificity: Specificity,
    pub(crate) created: Option<i64>,
    /// The entries of `dangerouslyAllow` of all `cors` blocks.
    pub(crate) dangers: Vec<ListedDanger>,
}

/// A word of `dangerouslyAllow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDanger {
    /// Its field, such as `spec.cors.dangerouslyAllow[0]`.
    pub field: String,
    /// The danger.
    pub danger: Danger,
}

/// A policy's own block or one of its rules.
#[derive(Clone, Debug)]
pub struct PolicyBlock<'p> {
    /// Its field: `spec` or `spec.rules[0]`.
    pub field: String,
    /// Its own `cors`; absent in a rule: the policy's.
    pub cors: Option<&'p Cors>,
    /// Its own `disallowedRequests`; absent in a rule: the policy's.
    pub disallowed_requests: Option<DisallowedRequests>,
}

/// A valid `cors` block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    // INVARIANT: `Any` stands alone, and only with credentials where the danger was named. In the author's order, each as often
    // as it is written: an index here is one of `allowOrigins`.
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
    /// Whether requests under it are left alone; no other field applies then.
    pub(crate) off: bool,
    /// Absent: the policy's.
    pub(crate) cors: Option<Cors>,
    /// Absent: the policy's.
    pub(crate) disallowed_requests: Option<DisallowedRequests>,
    /// Absent: the policy's.
    pub(crate) trusted_origins: Option<Vec<OriginPattern>>,
    /// Absent: the policy's.
    pub(crate) upstream_origin: Option<UpstreamOrigin>,
}

// === impl Policy ===

impl Policy {
    /// Returns the namespace and name.
    pub fn id(&self) -> &PolicyId {
        &self.id
    }

    /// Returns the number of origin patterns and regexes in all `cors` blocks.
    pub fn origins(&self) -> usize {
        let of_rules = self.rules.iter().filter_map(|rule| rule.cors.as_ref());
        let all = self.cors.iter().chain(of_rules);
        all.map(|cors| cors.origins.len().saturating_add(cors.regexes.len())).sum()
    }

    /// Returns whether the policy enforces, only counts, or rests.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the specificity of its target.
    pub fn specificity(&self) -> Specificity {
        self.specificity
    }

    /// Returns the same policy with another specificity, as of a proxy that all policies are as close to.
    pub fn with_specificity(&self, specificity: Specificity) -> Self {
        Self { specificity, ..self.clone() }
    }

    /// Returns its creation, in seconds of the Unix epoch.
    pub fn created(&self) -> Option<i64> {
        self.created
    }

    /// Returns whether CORS headers of the upstream stay in a response.
    pub fn keeps(&self) -> bool {
        self.upstream_cors_headers == UpstreamCorsHeaders::Keep
    }

    /// Returns the policy's own block, then those of its rules. A rule that leaves requests alone has none.
    pub fn blocks(&self) -> impl Iterator<Item = PolicyBlock<'_>> {
        let own = PolicyBlock {
            field: "spec".to_owned(),
            cors: self.cors.as_ref(),
            disallowed_requests: Some(self.disallowed_requests),
        };
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| !rule.off);
        let rules = rules.map(|(at, rule)| PolicyBlock {
            field: format!("spec.rules[{at}]"),
            cors: rule.cors.as_ref(),
            disallowed_requests: rule.disallowed_requests,
        });
        std::iter::once(own).chain(rules)
    }

    /// Returns the entries of `dangerouslyAllow` of all `cors` blocks.
    pub fn dangers(&self) -> &[ListedDanger] {
        &self.dangers
    }
}

// === impl Cors ===

impl Cors {
    /// `allowOrigins`: an index here is one there.
    pub fn origins(&self) -> &[OriginPattern] {
        &self.origins
    }

    /// `allowOriginRegexes`.
    pub fn regexes(&self) -> &[OriginRegex] {
        &self.regexes
    }

    /// `allowMethods`.
    pub fn methods(&self) -> &Names<Method> {
        &self.methods
    }

    /// `allowHeaders`.
    pub fn headers(&self) -> &Names<HeaderName> {
        &self.headers
    }

    /// `maxAge`, in seconds.
    pub fn max_age(&self) -> Option<u32> {
        self.max_age
    }
}

// === impl Names ===

impl<T> Names<T> {
    /// Returns whether `*` is listed.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Returns the other names, each once.
    pub fn named(&self) -> &[T] {
        &self.named
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { any: false, named: Vec::new() }
    }
}
