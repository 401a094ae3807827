//! Draft: one policy as its author wrote it, strings unchecked. `validate` turns it into a [`Policy`](crate::Policy).

/// A policy as written: nothing here has been checked but its shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The policy's `metadata.namespace` and `metadata.name`.
    pub id: PolicyId,
    /// `spec.hostnames`.
    pub hostnames: Vec<String>,
    /// `spec.cors`.
    pub cors: Option<CorsDraft>,
    /// `spec.rules`.
    pub rules: Vec<RuleDraft>,
    /// `spec.disallowedRequests`.
    pub disallowed_requests: DisallowedRequests,
    /// `spec.trustedOrigins`.
    pub trusted_origins: Vec<String>,
    /// `spec.mode`.
    pub mode: Mode,
    /// `spec.preflight.onFailure`.
    pub on_failure: OnFailure,
    /// `spec.preflight.successStatus`.
    pub success_status: Option<i64>,
    /// `spec.upstreamCorsHeaders`.
    pub upstream_cors_headers: UpstreamCorsHeaders,
    /// `spec.upstreamOrigin`.
    pub upstream_origin: UpstreamOrigin,
    /// `spec.diagnostics`.
    pub diagnostics: Diagnostics,
    /// Specificity of the declared target: the first criterion of precedence.
    pub specificity: Specificity,
    /// `metadata.creationTimestamp` in seconds of the Unix epoch; absent where there is none (`dir:`).
    pub created: Option<i64>,
}

/// Namespace and name of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// A `cors` block as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsDraft {
    /// `allowOrigins`.
    pub allow_origins: Vec<String>,
    /// `allowOriginRegexes`.
    pub allow_origin_regexes: Vec<String>,
    /// `allowMethods`.
    pub allow_methods: Vec<String>,
    /// `allowHeaders`.
    pub allow_headers: Vec<String>,
    /// `exposeHeaders`.
    pub expose_headers: Vec<String>,
    /// `allowCredentials`.
    pub allow_credentials: bool,
    /// `maxAge`, in seconds.
    pub max_age: Option<i64>,
    /// `dangerouslyAllow`: words of design section 3.3.
    pub dangerously_allow: Vec<String>,
}

/// One element of `spec.rules` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleDraft {
    /// `path.type`.
    pub path_type: PathType,
    /// `path.value`.
    pub path_value: String,
    /// `mode`: `Active`, or `Off` for requests that are left alone.
    pub mode: Mode,
    /// `cors`; absent: the policy's.
    pub cors: Option<CorsDraft>,
    /// `disallowedRequests`; absent: the policy's.
    pub disallowed_requests: Option<DisallowedRequests>,
    /// `trustedOrigins`; absent: the policy's.
    pub trusted_origins: Option<Vec<String>>,
    /// `upstreamOrigin`; absent: the policy's.
    pub upstream_origin: Option<UpstreamOrigin>,
}

/// The comparison of a rule's path (Gateway API, `HTTPPathMatch`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathType {
    /// The whole path, to the letter.
    Exact,
    /// Whole segments from the left.
    PathPrefix,
}

/// The treatment of an actual request whose origin is not allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DisallowedRequests {
    /// It is forwarded; the browser keeps the response from the page.
    #[default]
    Forward,
    /// It is answered 403.
    Reject,
}

/// Whether a policy enforces, only counts, or rests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Enforced.
    #[default]
    Active,
    /// Evaluated beside the policy in force and counted, never enforced.
    DryRun,
    /// As if it did not exist.
    Off,
}

/// The answer to a preflight that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// An answer that lets the browser's console name the method or header.
    #[default]
    Explain,
    /// 403, without any CORS header.
    Reject,
    /// The success status, without any CORS header.
    Ignore,
    /// The upstream answers.
    Forward,
}

/// The owner of a response's CORS headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UpstreamCorsHeaders {
    /// The policy: its headers replace the upstream's.
    #[default]
    Replace,
    /// The upstream, if it sends any.
    Keep,
}

/// Whether the upstream sees the `Origin` of an actual request that is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UpstreamOrigin {
    /// As the client sent it.
    #[default]
    Keep,
    /// Removed, because the proxy has checked it already.
    Remove,
}

/// Whether a response header names the policy, the verdict and its reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Diagnostics {
    /// No.
    #[default]
    None,
    /// Yes, in `x-corsward`.
    Header,
}

/// Specificity of a declared target; the greater one takes precedence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Specificity {
    /// Every workload of the cluster.
    Cluster,
    /// Every workload of the namespace.
    #[default]
    Namespace,
    /// A Service, a Gateway or a selector.
    Workload,
}

// === impl PolicyId ===

impl std::fmt::Display for PolicyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
