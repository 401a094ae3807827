//! `CorsPolicy`: what a policy is for, and how it is enforced.

#![expect(clippy::duplicated_attributes, reason = "each printer column has its own")]
#![expect(unreachable_pub, reason = "the schema derive repeats each type inside a function")]

use std::collections::BTreeMap;

use corsward_policy::limits;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cors, CorsPolicyStatus};

/// The origins that may read the responses of a workload, and the methods and headers that they may use. The proxy in front of the
/// workload enforces it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "corsward.io",
    version = "v1alpha1",
    kind = "CorsPolicy",
    plural = "corspolicies",
    shortname = "cors",
    shortname = "corspol",
    category = "corsward",
    category = "gateway-api",
    namespaced,
    status = "CorsPolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "The origins that may read the responses of a workload, and the methods and headers that they may use. The proxy in front of the workload enforces it.",
    label("gateway.networking.k8s.io/policy", "Direct"),
    printcolumn(
        name = "Targets",
        type_ = "string",
        json_path = ".status.summary.targets",
        description = "the policy's targets"
    ),
    printcolumn(
        name = "Origins",
        type_ = "integer",
        json_path = ".status.summary.origins",
        description = "number of allowed origin patterns"
    ),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.mode",
        description = "Active, DryRun or Off"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#,
        description = "whether the policy as written is valid"
    ),
    printcolumn(
        name = "Programmed",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Programmed")].status"#,
        description = "whether the policy as written is in force"
    ),
    printcolumn(
        name = "Proxies",
        type_ = "string",
        json_path = ".status.summary.proxies",
        description = "number of matched proxies that run it"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.targetRefs) && has(self.selector))")
        .message("targetRefs and selector exclude each other: write one of them, or neither for every workload of the namespace"),
    validation = Rule::new("has(self.cors) || (has(self.rules) && self.rules.size() > 0)")
        .message("the policy has neither cors nor rules: write one of them"),
    validation = Rule::new("has(self.cors) || !has(self.rules) || self.rules.all(rule, has(rule.cors) || has(rule.mode) && rule.mode == 'Off')")
        .message("a rule without cors stands for the cors of the policy, and the policy has none: write cors into the rule"),
    validation = Rule::new("!has(self.hostnames) || self.hostnames.all(host, (host.startsWith('[') ? host.endsWith(']') : !host.contains(':')) && !host.contains('/'))")
        .message("hostnames have no scheme, no port and no path: write api.shop.example or *.shop.example")
)]
pub struct CorsPolicySpec {
    /// The objects whose proxies the policy is for, in its own namespace. Absent, and no `selector`: every workload of the
    /// namespace. Not together with `selector`.
    ///
    /// Permitted: `[{group: "", kind: Service, name: api, sectionName: http}]`.
    /// Refused: `[{group: apps, kind: Deployment, name: api}]` (name the Service, or use `selector`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub target_refs: Vec<TargetRef>,

    /// The pods whose proxies the policy is for, in its own namespace. Absent, and no `targetRefs`: every workload of the
    /// namespace. Not together with `targetRefs`.
    ///
    /// Permitted: `{matchLabels: {app: api}}`.
    /// Refused: `{matchLabels: {}}` (leave `selector` out to mean every workload).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,

    /// The hosts the policy is for, as the proxy sees them in the request's authority, without port. `*.` at the left stands
    /// for one or more labels. Absent: every host.
    ///
    /// Permitted: `[api.shop.example, "*.shop.example"]`.
    /// Refused: `["https://api.shop.example:8443"]` (no scheme, no port).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = limits::MAX_HOSTNAMES),
        inner(length(min = 1, max = limits::MAX_HOSTNAME_LEN))
    )]
    pub hostnames: Vec<String>,

    /// The default for all paths without a rule. Absent: the policy does nothing outside its rules.
    ///
    /// Permitted: `{allowOrigins: ["https://shop.example"], allowCredentials: true}`.
    /// Refused: leaving out both `cors` and `rules`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,

    /// The treatment of a request (other than a preflight) whose origin is not allowed. `Forward`: it reaches the workload, and
    /// the browser keeps the response from the page, as CORS is meant to work. `Reject`: it is answered 403, which also stops
    /// WebSocket handshakes; requests without an `Origin` header, same-origin requests and `trustedOrigins` are never rejected.
    /// The default is `Forward`.
    ///
    /// Permitted: `Reject`.
    /// Refused: `reject` (values are case-sensitive).
    #[serde(default)]
    pub disallowed_requests: DisallowedRequests,

    /// Origins that are never rejected under `disallowedRequests: Reject`, though nothing is shared with them: identity
    /// providers that post a form back, the site's own front end. The same grammar as `allowOrigins`. Absent: none.
    ///
    /// Permitted: `["https://login.example"]`.
    /// Refused: `["https://login.example/callback"]` (an origin has no path).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = limits::MAX_TRUSTED_ORIGINS),
        inner(length(min = 1, max = limits::MAX_ORIGIN_LEN))
    )]
    pub trusted_origins: Vec<String>,

    /// Exceptions for parts of the workload. The rule whose path fits best answers alone: an exact path beats a prefix, a
    /// longer prefix a shorter one. A rule's `cors` replaces the policy's whole; nothing is inherited. `mode: "Off"` leaves a
    /// path to its own CORS. Absent: no exceptions.
    ///
    /// Permitted: `[{path: {type: PathPrefix, value: /public}, cors: {allowOrigins: ["*"]}}]`.
    /// Refused: the same path twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::MAX_RULES))]
    pub rules: Vec<PathRule>,

    /// Whether the policy is enforced. `Active`: yes. `DryRun`: no; it is evaluated beside the policy in force, and its
    /// verdicts are counted. `Off`: as if it did not exist. The default is `Active`.
    ///
    /// Permitted: `DryRun`, `"Off"` (in quotes: `kubectl` takes a bare `Off` for `false`).
    /// Refused: `Disabled`.
    #[serde(default)]
    pub mode: Mode,

    /// The answers to preflights. The default is `{onFailure: Explain, successStatus: 204}`.
    ///
    /// Permitted: `{onFailure: Reject, successStatus: 200}`.
    /// Refused: `{successStatus: 201}` (200 or 204).
    #[serde(default)]
    pub preflight: Preflight,

    /// The treatment of CORS headers that the workload sends itself. `Replace`: they are removed, so that the browser sees one
    /// set of them. `Keep`: they stay where the workload sent an `Access-Control-Allow-Origin`, and ours are not added there.
    /// The default is `Replace`.
    ///
    /// Permitted: `Keep`, while a workload is being moved to this policy.
    /// Refused: `Merge` (two sets of CORS headers make browsers refuse both).
    #[serde(default)]
    pub upstream_cors_headers: UpstreamCorsHeaders,

    /// Whether the workload sees the `Origin` of a request that is allowed. `Keep`: as the client sent it. `Remove`: an allowed
    /// request (other than a preflight) is forwarded without `Origin`, so that a CORS layer of the workload itself neither
    /// answers nor refuses it; Spring, gin and others answer 403 to origins that they do not know. A request that is not
    /// allowed keeps its `Origin`. CSRF checks and WebSocket servers that compare `Origin` see none on allowed requests.
    /// The default is `Keep`.
    ///
    /// Permitted: `Remove`.
    /// Refused: `Strip`.
    #[serde(default)]
    pub upstream_origin: UpstreamOrigin,

    /// Whether a response header, `x-corsward`, says which policy decided, what and why. Meant for an afternoon of searching:
    /// it shows names of policies to everyone. The default is `None`.
    ///
    /// Permitted: `Header`.
    /// Refused: `true`.
    #[serde(default)]
    pub diagnostics: Diagnostics,
}

/// An object whose proxies a policy is for.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.group == '' && self.kind == 'Service') || (self.group == 'gateway.networking.k8s.io' && self.kind == 'Gateway')")
        .message("a target is a Service (group \"\") or a Gateway (group gateway.networking.k8s.io)"),
    validation = Rule::new("!self.name.contains('/')")
        .message("a target is of the policy's own namespace: write its name alone"),
    validation = Rule::new("self.kind != 'Service' || !has(self.sectionName) || self.sectionName.matches('[a-z]')")
        .message("the sectionName of a Service is the name of a port, not its number")
)]
pub struct TargetRef {
    /// The API group: empty for a Service.
    ///
    /// Permitted: `""` with kind Service, `gateway.networking.k8s.io` with kind Gateway.
    /// Refused: `v1` (that is a version).
    #[schemars(length(max = 253))]
    pub group: String,
    /// The kind.
    ///
    /// Permitted: `Service`, `Gateway`.
    /// Refused: `Deployment` (use `selector`).
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// The name, in the policy's namespace.
    ///
    /// Permitted: `api`.
    /// Refused: `shop/api` (targets are of the policy's own namespace).
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The Service's port or the Gateway's listener, by name. Absent: all of them.
    ///
    /// Permitted: `http`.
    /// Refused: `8080` (a name, not a number).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

/// Pods, by their labels.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Labels that a pod must have, all of them.
    ///
    /// Permitted: `{app: api, tier: web}`.
    /// Refused: `{}` (leave `selector` out to mean every workload).
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16))]
    pub match_labels: BTreeMap<String, String>,
}

/// An exception for a part of the workload.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.mode) || self.mode != 'DryRun'")
        .message("a rule cannot be rehearsed alone: write Active or Off, or mode: DryRun for the whole policy"),
    validation = Rule::new("!has(self.mode) || self.mode != 'Off' || !(has(self.cors) || has(self.disallowedRequests) || has(self.trustedOrigins) || has(self.upstreamOrigin))")
        .message("a rule with mode Off leaves requests alone: remove its cors, disallowedRequests, trustedOrigins and upstreamOrigin")
)]
pub struct PathRule {
    /// The part of the workload, by the request's path without its query.
    ///
    /// Permitted: `{type: PathPrefix, value: /public}`.
    /// Refused: `{type: RegularExpression, value: "/p.*"}`.
    pub path: PathMatch,

    /// Whether the policy covers requests there. `Active`: yes. `Off`: requests under the path and their responses pass untouched,
    /// preflights included, as if no policy existed there; the path keeps its own CORS. Nothing else is said in such a rule, and no
    /// broader policy answers in its place. A narrower rule may be active below it. Such requests appear in no metric, and get
    /// no `x-corsward` header. Absent: `Active`.
    ///
    /// Permitted: `"Off"` (in quotes: `kubectl` takes a bare `Off` for `false`), for an identity provider with CORS of its own.
    /// Refused: `DryRun` (write it under `spec`, for the whole policy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // An optional word would lose its manual to that of the word's type.
    #[schemars(with = "Mode")]
    pub mode: Option<Mode>,

    /// The allowed origins, methods and headers there. Absent: those of the policy's `cors`.
    ///
    /// Permitted: `{allowOrigins: ["*"]}`.
    /// Refused: a list of origins without the object around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,

    /// The treatment there of a request whose origin is not allowed. Absent: as in the policy.
    ///
    /// Permitted: `Forward`.
    /// Refused: `Allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // An optional word would lose its manual to that of the word's type.
    #[schemars(with = "DisallowedRequests")]
    pub disallowed_requests: Option<DisallowedRequests>,

    /// Origins that are never rejected there. Absent: those of the policy.
    ///
    /// Permitted: `["https://login.example"]`.
    /// Refused: `["login.example"]` (an origin has a scheme).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = limits::MAX_TRUSTED_ORIGINS),
        inner(length(min = 1, max = limits::MAX_ORIGIN_LEN))
    )]
    pub trusted_origins: Option<Vec<String>>,

    /// Whether the workload sees the `Origin` of a request that is allowed there. Absent: as in the policy.
    ///
    /// Permitted: `Keep`, for a WebSocket server that compares `Origin`.
    /// Refused: `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // An optional word would lose its manual to that of the word's type.
    #[schemars(with = "UpstreamOrigin")]
    pub upstream_origin: Option<UpstreamOrigin>,
}

/// A part of the paths of a workload.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.value.startsWith('/')")
        .message("a path begins with a slash")
)]
pub struct PathMatch {
    /// The comparison of the path. `Exact`: to the letter. `PathPrefix`: by whole segments, so that `/public` covers
    /// `/public/logo` and not `/publications`.
    ///
    /// Permitted: `PathPrefix`.
    /// Refused: `Prefix`.
    #[serde(rename = "type")]
    pub kind: PathType,
    /// The path, with a slash in front and nothing encoded that need not be. It is compared literally: globs, regexes, templates
    /// and parameters of other systems are refused. A literal `*` is written `%2A`, and a segment that begins with a colon
    /// `%3A`.
    ///
    /// Permitted: `/public`, `/v1/things:batchGet`, `/files/%2A`.
    /// Refused: `public`, `/public?x=1`, `/a/../b`, `/api/*`, `/api/:id`, `/api/{id}`.
    #[schemars(length(min = 1, max = limits::MAX_RULE_PATH_LEN))]
    pub value: String,
}

/// The answers to preflights.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.successStatus in [200, 204]")
        .message("successStatus is 200 or 204")
)]
pub struct Preflight {
    /// The answer to a preflight that fails. `Explain`: one from which the browser's console names the method or header that
    /// was not allowed. `Reject`: 403. `Ignore`: the success status without CORS headers. `Forward`: the workload answers.
    /// The default is `Explain`.
    ///
    /// Permitted: `Reject`.
    /// Refused: `Deny`.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The status of a preflight that passes: 204, or 200 for clients of old that know nothing else. The default is `204`.
    ///
    /// Permitted: `200`.
    /// Refused: `201`.
    #[serde(default = "Preflight::default_status")]
    pub success_status: i64,
}

/// The treatment of a request whose origin is not allowed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DisallowedRequests {
    /// It is forwarded; the browser keeps the response from the page.
    #[default]
    Forward,
    /// It is answered 403.
    Reject,
}

/// Whether a policy is enforced.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Yes.
    #[default]
    Active,
    /// No, but what it would have done is counted.
    DryRun,
    /// No.
    Off,
}

/// The comparison of a path.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathType {
    /// To the letter.
    Exact,
    /// By whole segments from the left.
    PathPrefix,
}

/// The answer to a preflight that fails.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// One that lets the browser's console name the method or header.
    #[default]
    Explain,
    /// 403.
    Reject,
    /// The success status without CORS headers.
    Ignore,
    /// The workload's.
    Forward,
}

/// The treatment of the workload's own CORS headers.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamCorsHeaders {
    /// They are removed.
    #[default]
    Replace,
    /// They stay.
    Keep,
}

/// Whether the workload sees the `Origin` of a request that is allowed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamOrigin {
    /// As the client sent it.
    #[default]
    Keep,
    /// It does not.
    Remove,
}

/// Whether a response header says who decided.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Diagnostics {
    /// No.
    #[default]
    None,
    /// Yes, `x-corsward`.
    Header,
}

// === impl Preflight ===

impl Preflight {
    const fn default_status() -> i64 {
        204
    }
}

impl Default for Preflight {
    fn default() -> Self {
        Self { on_failure: OnFailure::default(), success_status: Self::default_status() }
    }
}
