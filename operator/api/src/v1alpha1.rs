//! Version `v1alpha1` of every resource. `kubectl explain` shows these doc comments.

mod cluster_cors_policy;
mod cors;
mod cors_policy;
mod origin_set;
mod status;

pub use cluster_cors_policy::{
    ClusterCorsPolicy, ClusterCorsPolicySpec, Enforcement, Guardrails, LabelExpression,
    LabelOperator, NamespaceSelector, Required,
};
pub use cors::{Cors, Danger, OriginSetKind, OriginSetRef};
pub use cors_policy::{
    CorsPolicy, CorsPolicySpec, Diagnostics, DisallowedRequests, Mode, OnFailure, PathMatch,
    PathRule, PathType, Preflight, Selector, TargetRef, UpstreamCorsHeaders, UpstreamOrigin,
};
pub use origin_set::{OriginSet, OriginSetSpec};
pub use status::{
    ClusterCorsPolicyStatus, CorsPolicyStatus, Finding, GuardrailInForce, InForce, MAX_FINDINGS,
    OriginSetStatus, OriginSetSummary, Proxies, Revision, Revisions, Summary,
};
