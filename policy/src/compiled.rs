//! Compiled: policies in force in one proxy, ready to be asked once per request.

use std::sync::Arc;

use crate::draft::{
    Closeness, Diagnostics, DisallowedRequests, OnFailure, PolicyId, UpstreamCorsHeaders,
};
use crate::header_name::HeaderName;
use crate::keyed::Keyed;
use crate::method::Method;
use crate::origin_set::OriginSet;
use crate::pattern::OriginPattern;
use crate::policy::Cors;
use crate::scope::{HostPattern, PathMatch};
use crate::table::Table;

/// Every policy of one proxy, with the tables that find the one for a request.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    // INVARIANT: in order of precedence; the tables are built from it.
    policies: Vec<CompiledPolicy>,
    pub(crate) active: Table,
    pub(crate) rehearsed: Table,
}

/// One policy of a [`Compiled`]: what it is, and its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledPolicy {
    pub(crate) head: Arc<Head>,
    /// In order of their paths; the one for everything in scope first.
    pub(crate) blocks: Vec<Arc<Block>>,
}

/// What all blocks of a policy share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub(crate) id: PolicyId,
    pub(crate) closeness: Closeness,
    // INVARIANT: sorted, unique, never empty: no `hostnames` is `HostPattern::Any`.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) dry_run: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) success_status: u16,
    pub(crate) upstream_cors_headers: UpstreamCorsHeaders,
    pub(crate) diagnostics: Diagnostics,
}

/// What a policy says about one part of its scope: everything, or a path.
#[derive(Clone, Debug)]
pub struct Block {
    pub(crate) head: Arc<Head>,
    /// `None`: everything in scope.
    pub(crate) path: Option<PathMatch>,
    pub(crate) cors: Arc<CompiledCors>,
    pub(crate) disallowed_requests: DisallowedRequests,
    // INVARIANT: sorted, unique.
    pub(crate) trusted_origins: Vec<OriginPattern>,
    pub(crate) trusted: OriginSet,
}

/// A `cors` block with its look-up tables and its header values, joined once.
#[derive(Clone, Debug)]
pub struct CompiledCors {
    // INVARIANT: origins and regexes sorted, unique; everything below is derived from it.
    pub(crate) source: Cors,
    pub(crate) origins: OriginSet,
    pub(crate) methods: NameSet,
    pub(crate) headers: NameSet,
    /// `Access-Control-Expose-Headers`.
    pub(crate) expose: Option<Box<[u8]>>,
    /// `Access-Control-Max-Age`.
    pub(crate) max_age: Option<Box<[u8]>>,
}

/// A list of names: to look up in, and as a header value.
#[derive(Clone, Debug)]
pub(crate) struct NameSet {
    pub(crate) any: bool,
    named: Keyed<()>,
    pub(crate) joined: Option<Box<[u8]>>,
}

// === impl Compiled ===

impl Compiled {
    /// Builds the tables for policies in order of precedence.
    pub(crate) fn new(policies: Vec<CompiledPolicy>) -> Self {
        let table = |dry_run| Table::new(policies.iter().filter(|p| p.head.dry_run == dry_run));
        let (active, rehearsed) = (table(false), table(true));
        Self { policies, active, rehearsed }
    }

    /// The policies, in order of precedence.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyId> {
        self.policies.iter().map(|policy| &policy.head.id)
    }

    pub(crate) fn compiled_policies(&self) -> &[CompiledPolicy] {
        &self.policies
    }

    /// The active policies that win nowhere, each with one that wins in its place.
    #[must_use]
    pub fn overridden(&self) -> Vec<(PolicyId, PolicyId)> {
        let active = self.policies.iter().filter(|policy| !policy.head.dry_run);
        active
            .filter_map(|policy| {
                let winner = self.active.winner_everywhere_over(policy)?;
                Some((policy.head.id.clone(), winner.clone()))
            })
            .collect()
    }
}

/// Two are equal when they were compiled from equal policies.
impl PartialEq for Compiled {
    fn eq(&self, other: &Self) -> bool {
        self.policies == other.policies
    }
}

impl Eq for Compiled {}

// === impl Block ===

impl Block {
    pub(crate) fn new(
        head: Arc<Head>,
        path: Option<PathMatch>,
        cors: Arc<CompiledCors>,
        disallowed_requests: DisallowedRequests,
        trusted_origins: Vec<OriginPattern>,
    ) -> Self {
        let trusted = OriginSet::new(&trusted_origins, &[]);
        Self { head, path, cors, disallowed_requests, trusted_origins, trusted }
    }

    /// Does its `Access-Control-Allow-Origin` depend on the request? If not, it is `*` without credentials.
    pub(crate) fn is_dynamic(&self) -> bool {
        !self.cors.origins.is_any() || self.cors.source.credentials
    }
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        let Self { head, path, cors, disallowed_requests, trusted_origins, trusted: _ } = self;
        *head == other.head
            && *path == other.path
            && cors.source == other.cors.source
            && *disallowed_requests == other.disallowed_requests
            && *trusted_origins == other.trusted_origins
    }
}

impl Eq for Block {}

// === impl CompiledCors ===

impl CompiledCors {
    /// Compiles a block whose lists are sorted.
    pub(crate) fn new(source: Cors) -> Self {
        let origins = OriginSet::new(&source.origins, &source.regexes);
        let expose = join(source.expose.any, &header_names(&source.expose.named));
        let headers = NameSet::new(source.headers.any, &header_names(&source.headers.named));
        // `*` covers every method beside it, but not every header: `*, authorization` says more than `*`.
        let methods: Vec<&str> = source.methods.named.iter().map(Method::as_str).collect();
        let methods =
            NameSet::new(source.methods.any, if source.methods.any { &[] } else { &methods });
        let max_age = source.max_age.map(|seconds| seconds.to_string().into_bytes().into());
        Self { source, origins, methods, headers, expose, max_age }
    }
}

// === impl NameSet ===

impl NameSet {
    fn new(any: bool, names: &[&str]) -> Self {
        let mut set = Self { any, named: Keyed::default(), joined: join(any, names) };
        for name in names {
            set.named.entry(name.as_bytes(), || ());
        }
        set
    }

    pub(crate) fn names(&self, name: &[u8]) -> bool {
        self.named.get(name).is_some()
    }
}

/// A list-based field value, `*` first; `None` for an empty list, which is never sent.
fn join(any: bool, names: &[&str]) -> Option<Box<[u8]>> {
    let mut all = names.to_vec();
    if any {
        all.insert(0, "*");
    }
    (!all.is_empty()).then(|| all.join(", ").into_bytes().into())
}

fn header_names(names: &[HeaderName]) -> Vec<&str> {
    names.iter().map(HeaderName::as_str).collect()
}
