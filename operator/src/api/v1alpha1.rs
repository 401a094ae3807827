//! `CorsPolicy`, version `v1alpha1`. What a doc comment says here, `kubectl explain` says there.

#![expect(clippy::duplicated_attributes, reason = "each printer column has its own")]
#![expect(unreachable_pub, reason = "the schema derive repeats each type inside a function")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Which origins may read the responses of a workload, and how: enforced by the proxy in front of it.
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
    doc = "Which origins may read the responses of a workload, and how: enforced by the proxy in front of it.",
    label("gateway.networking.k8s.io/policy", "Direct"),
    printcolumn(
        name = "Targets",
        type_ = "string",
        json_path = ".status.summary.targets",
        description = "what the policy is for"
    ),
    printcolumn(
        name = "Origins",
        type_ = "integer",
        json_path = ".status.summary.origins",
        description = "how many origin patterns it allows"
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
        description = "how many of the matched proxies run it"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.targetRefs) && has(self.selector))")
        .message("targetRefs and selector exclude each other: write one of them, or neither for every workload of the namespace"),
    validation = Rule::new("has(self.cors) || (has(self.rules) && self.rules.size() > 0)")
        .message("the policy has neither cors nor rules: write one of them")
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
    #[schemars(length(max = 256), inner(length(min = 1, max = 255)))]
    pub hostnames: Vec<String>,

    /// What is allowed wherever no rule says otherwise. Absent: the policy does nothing outside its rules.
    ///
    /// Permitted: `{allowOrigins: ["https://shop.example"], allowCredentials: true}`.
    /// Refused: leaving out both `cors` and `rules`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,

    /// What happens to a request (other than a preflight) whose origin is not allowed. `Forward`: it reaches the workload, and
    /// the browser keeps the response from the page, as CORS is meant to work. `Reject`: it is answered 403, which also stops
    /// WebSocket handshakes; requests without an `Origin` header, same-origin requests and `trustedOrigins` are never rejected.
    ///
    /// Permitted: `Reject`.
    /// Refused: `reject` (values are case-sensitive).
    #[serde(default)]
    pub disallowed_requests: DisallowedRequests,

    /// Origins that are never rejected under `disallowedRequests: Reject`, though nothing is shared with them: identity
    /// providers that post a form back, the site's own front end. The same grammar as `allowOrigins`.
    ///
    /// Permitted: `["https://login.example"]`.
    /// Refused: `["https://login.example/callback"]` (an origin has no path).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(max = 512)))]
    pub trusted_origins: Vec<String>,

    /// Exceptions for parts of the workload. The rule whose path fits best answers alone: an exact path beats a prefix, a
    /// longer prefix a shorter one. A rule's `cors` replaces the policy's whole; nothing is inherited.
    ///
    /// Permitted: `[{path: {type: PathPrefix, value: /public}, cors: {allowOrigins: ["*"]}}]`.
    /// Refused: the same path twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512))]
    pub rules: Vec<PathRule>,

    /// Whether the policy is enforced. `Active`: yes. `DryRun`: no; it is judged beside the policy in force, and what it would
    /// have done is counted. `Off`: as if it did not exist.
    ///
    /// Permitted: `DryRun`, `"Off"` (in quotes: `kubectl` takes a bare `Off` for `false`).
    /// Refused: `Disabled`.
    #[serde(default)]
    pub mode: Mode,

    /// How preflights are answered.
    ///
    /// Permitted: `{onFailure: Reject, successStatus: 200}`.
    /// Refused: `{successStatus: 201}` (200 or 204).
    #[serde(default)]
    pub preflight: Preflight,

    /// What becomes of CORS headers that the workload sends itself. `Replace`: they are removed, so that the browser sees one
    /// set of them. `Keep`: they stay where the workload sent an `Access-Control-Allow-Origin`, and ours are not added there.
    ///
    /// Permitted: `Keep`, while a workload is being moved to this policy.
    /// Refused: `Merge` (two sets of CORS headers make browsers refuse both).
    #[serde(default)]
    pub upstream_cors_headers: UpstreamCorsHeaders,

    /// Whether a response header, `x-corsward`, says which policy decided, what and why. Meant for an afternoon of searching:
    /// it shows names of policies to everyone.
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
        .message("a target is a Service (group \"\") or a Gateway (group gateway.networking.k8s.io)")
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

/// What is allowed, and to whom.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Cors {
    /// The origins that may read responses: scheme, host and port. `https://*.a.example` covers every subdomain and not
    /// `https://a.example` itself; `https://pr-*--app.a.example` covers a part of one label; `http://localhost:*` every port;
    /// `*` alone every origin. Empty: nobody.
    ///
    /// Permitted: `["https://shop.example", "https://*.shop.example", "http://localhost:*"]`.
    /// Refused: `["https://shop.example/"]` (an origin ends before the slash), `["shop.example"]` (it has a scheme).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16384), inner(length(max = 512)))]
    pub allow_origins: Vec<String>,

    /// Regular expressions of origins: the last resort. They always match the whole origin, in time linear in its length.
    ///
    /// Permitted: `["https://(www|m)[.]shop[.]example"]`.
    /// Refused: `["https://.*"]` with `allowCredentials` (it lets every site in), `["(?=a)"]` (no look-around).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub allow_origin_regexes: Vec<String>,

    /// The methods that may be used beside `GET`, `HEAD` and `POST`, which need no permission. Case-sensitive. `*` alone:
    /// every method.
    ///
    /// Permitted: `[PUT, PATCH, DELETE]`.
    /// Refused: `[TRACE]` (forbidden by the Fetch standard), `[GET PUT]` (one method an entry).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 64)))]
    pub allow_methods: Vec<String>,

    /// The request headers that may be set beside those that need no permission. In any case. `*`: every header but
    /// `authorization`, which must be named.
    ///
    /// Permitted: `[authorization, content-type, x-csrftoken]`.
    /// Refused: `["x csrf"]` (not a header name).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 256)))]
    pub allow_headers: Vec<String>,

    /// The response headers that scripts may read beside those that need no permission.
    ///
    /// Permitted: `[x-request-id, link]`.
    /// Refused: `[set-cookie]` (browsers never expose it).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 256)))]
    pub expose_headers: Vec<String>,

    /// Whether requests that carry cookies, HTTP authentication or client certificates are shared. A bearer token set by a
    /// script needs `allowHeaders: [authorization]`, not this.
    ///
    /// Permitted: `true` with named `https://` origins.
    /// Refused: `true` with `*` (see `dangerouslyAllow`).
    #[serde(default)]
    pub allow_credentials: bool,

    /// For how many seconds a browser may remember the answer to a preflight. `0`: not at all. Absent: not said, and browsers
    /// keep it for 5 seconds.
    ///
    /// Permitted: `600`.
    /// Refused: `-1`, `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_age: Option<i64>,

    /// Words that lift one protection each; the refusal names the word.
    ///
    /// Permitted: `[InsecureOriginWithCredentials]` beside an `http://` origin with credentials.
    /// Refused: `[Everything]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub dangerously_allow: Vec<Danger>,
}

/// An exception for a part of the workload.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PathRule {
    /// The part of the workload, by the request's path without its query.
    ///
    /// Permitted: `{type: PathPrefix, value: /public}`.
    /// Refused: `{type: RegularExpression, value: "/p.*"}`.
    pub path: PathMatch,

    /// What is allowed there. Absent: what the policy's `cors` says.
    ///
    /// Permitted: `{allowOrigins: ["*"]}`.
    /// Refused: a list of origins without the object around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,

    /// What happens there to a request whose origin is not allowed. Absent: what the policy says.
    ///
    /// Permitted: `Forward`.
    /// Refused: `Allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disallowed_requests: Option<DisallowedRequests>,

    /// Origins that are never rejected there. Absent: those of the policy.
    ///
    /// Permitted: `["https://login.example"]`.
    /// Refused: `["login.example"]` (an origin has a scheme).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), inner(length(max = 512)))]
    pub trusted_origins: Option<Vec<String>>,
}

/// A part of the paths of a workload.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PathMatch {
    /// How the path is compared. `Exact`: to the letter. `PathPrefix`: by whole segments, so that `/public` covers
    /// `/public/logo` and not `/publications`.
    ///
    /// Permitted: `PathPrefix`.
    /// Refused: `Prefix`.
    #[serde(rename = "type")]
    pub kind: PathType,
    /// The path, with a slash in front and nothing encoded that need not be.
    ///
    /// Permitted: `/public`.
    /// Refused: `public`, `/public?x=1`, `/a/../b`.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub value: String,
}

/// How preflights are answered.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.successStatus in [200, 204]")
        .message("successStatus is 200 or 204")
)]
pub struct Preflight {
    /// The answer to a preflight that fails. `Explain`: one from which the browser's console names the method or header that
    /// was not allowed. `Reject`: 403. `Ignore`: the success status without CORS headers. `Forward`: the workload answers.
    ///
    /// Permitted: `Reject`.
    /// Refused: `Deny`.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The status of a preflight that passes: 204, or 200 for clients of old that know nothing else.
    ///
    /// Permitted: `200`.
    /// Refused: `201`.
    #[serde(default = "Preflight::default_status")]
    pub success_status: i64,
}

/// What happens to a request whose origin is not allowed.
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

/// How a path is compared.
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

/// What becomes of the workload's own CORS headers.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamCorsHeaders {
    /// They are removed.
    #[default]
    Replace,
    /// They stay.
    Keep,
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

/// A protection, by the danger it keeps out.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// `*` or `scheme://*` with `allowCredentials`.
    AnyOriginWithCredentials,
    /// `http://` origins with `allowCredentials`.
    InsecureOriginWithCredentials,
    /// With `allowCredentials`, a star under which anybody may register a name.
    PublicSuffixSubdomains,
    /// `null` with `allowCredentials`.
    NullOriginWithCredentials,
    /// With `allowCredentials`, a regular expression that does not end in a domain of its own.
    UnboundedRegexWithCredentials,
}

/// What the operator says about a policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CorsPolicyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: is the policy as written valid? `Programmed`: is it in force? `ResolvedRefs`: do its targets exist?
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// What the proxies run. It differs from `spec` where `spec` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<InForce>,
    /// How many proxies the policy is for, and how they stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<Proxies>,
    /// Everything there is to say about the policy as written. `CORS-E` refuses it, `CORS-W` warns, `CORS-I` hints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub findings: Vec<Finding>,
    /// The same in few words, for the columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

/// What the proxies run of a policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct InForce {
    /// The generation it was.
    pub generation: i64,
    /// The digest of the configuration that holds it.
    pub digest: String,
    /// The spec as it was then.
    // Kept as it came: a release that reads specs differently must still be able to read the status.
    #[schemars(schema_with = "anything")]
    pub spec: serde_json::Value,
}

/// How the proxies of a policy stand.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Proxies {
    /// How many proxies the policy is for.
    pub matched: i64,
    /// How many of them run the latest configuration.
    pub current: i64,
    /// How many of them refused it.
    pub rejected: i64,
}

/// One thing to say about a policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What, for good: codes are never reused.
    pub code: String,
    /// Where, such as `spec.cors.allowOrigins[2]`.
    pub field: String,
    /// What to know, and what to write instead.
    pub message: String,
}

/// A status in few words.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// What the policy is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<String>,
    /// How many origin patterns it allows, over all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<i64>,
    /// How many of the matched proxies run it, such as `12/12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<String>,
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

fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let condition = generator.subschema_for::<Condition>();
    json_schema!({
        "type": "array",
        "items": condition,
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}
