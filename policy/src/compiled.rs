//! Compiled: policies in force in one proxy, ready to be asked once per request.

use std::sync::Arc;

use crate::draft::{
    Closeness, Diagnostics, DisallowedRequests, OnFailure, PolicyId, UpstreamCorsHeaders,
};
use crate::pattern::OriginPattern;
use crate::policy::Cors;
use crate::scope::{HostPattern, PathMatch};

/// Every policy of one proxy, with the tables that find the one for a request.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// In order of precedence.
    policies: Vec<CompiledPolicy>,
}

/// One policy of a [`Compiled`]: what it is, and its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledPolicy {
    pub(crate) head: Arc<Head>,
    pub(crate) blocks: Vec<Arc<Block>>,
}

/// What all blocks of a policy share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub(crate) id: PolicyId,
    pub(crate) closeness: Closeness,
    /// Never empty: no `hostnames` is [`HostPattern::Any`].
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) dry_run: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) success_status: u16,
    pub(crate) upstream_cors_headers: UpstreamCorsHeaders,
    pub(crate) diagnostics: Diagnostics,
}

/// What a policy says about one part of its scope: everything, or a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub(crate) head: Arc<Head>,
    /// `None`: everything in scope.
    pub(crate) path: Option<PathMatch>,
    pub(crate) cors: Cors,
    pub(crate) disallowed_requests: DisallowedRequests,
    pub(crate) trusted_origins: Vec<OriginPattern>,
}

// === impl Compiled ===

impl Compiled {
    /// The policies, in order of precedence.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyId> {
        self.policies.iter().map(|policy| &policy.head.id)
    }
}
