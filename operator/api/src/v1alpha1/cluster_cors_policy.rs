//! `ClusterCorsPolicy`: guardrails of a platform team around the policies of others.

#![expect(clippy::duplicated_attributes, reason = "each printer column has its own")]
#![expect(unreachable_pub, reason = "the schema derive repeats each type inside a function")]

use std::collections::BTreeMap;

use corsward_policy::limits;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClusterCorsPolicyStatus, Danger};

/// A limit of what the CORS policies of some namespaces may allow. It allows nothing by itself. If several select a namespace,
/// all of them apply.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "corsward.io",
    version = "v1alpha1",
    kind = "ClusterCorsPolicy",
    plural = "clustercorspolicies",
    shortname = "ccors",
    category = "corsward",
    status = "ClusterCorsPolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Limits of what the CORS policies of some namespaces may allow: the guardrails of a platform team.",
    printcolumn(
        name = "Enforcement",
        type_ = "string",
        json_path = ".spec.enforcement",
        description = "Enforce or Warn"
    ),
    printcolumn(
        name = "Exceeded",
        type_ = "integer",
        json_path = ".status.exceededBy",
        description = "number of policies that exceed it"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#,
        description = "whether the guardrails as written are valid"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCorsPolicySpec {
    /// The namespaces whose policies it bounds, by their labels. Absent: every namespace.
    ///
    /// Permitted: `{matchLabels: {team: shop}}`, `{matchExpressions: [{key: env, operator: NotIn, values: [dev]}]}`.
    /// Refused: `{}` (leave `namespaceSelector` out to mean every namespace).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<NamespaceSelector>,

    /// The effect on a policy that exceeds a guardrail. `Enforce`: it is refused, with reason `GuardrailExceeded`, and taken
    /// out of force if it is in force already. `Warn`: it stays in force, and its status lists what it exceeds.
    /// The default is `Enforce`, because a guardrail without effect should be an explicit decision; start with `Warn` if there are
    /// policies already.
    ///
    /// Permitted: `Warn`.
    /// Refused: `Audit`.
    #[serde(default)]
    pub enforcement: Enforcement,

    /// The limits of what policies may allow.
    ///
    /// Permitted: `{allowedOrigins: ["https://*.shop.example"], maxMaxAge: 7200}`.
    /// Refused: `{}` (at least one guardrail).
    pub guardrails: Guardrails,
}

/// Namespaces, by their labels. All that is written must hold.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.matchLabels) || has(self.matchExpressions)")
        .message("the selector is empty: leave namespaceSelector out to mean every namespace")
)]
pub struct NamespaceSelector {
    /// Labels that a namespace must have, all of them. Absent: any.
    ///
    /// Permitted: `{kubernetes.io/metadata.name: shop}`.
    /// Refused: `{}` (leave `namespaceSelector` out to mean every namespace).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16))]
    pub match_labels: BTreeMap<String, String>,

    /// Conditions on the labels of a namespace, all of which must hold. Absent: none.
    ///
    /// Permitted: `[{key: env, operator: In, values: [staging, production]}]`.
    /// Refused: `[]` (leave it out).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub match_expressions: Vec<LabelExpression>,
}

/// A condition on one label.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 : !has(self.values) || self.values.size() == 0")
        .message("In and NotIn need values, Exists and DoesNotExist have none")
)]
pub struct LabelExpression {
    /// The label's name.
    ///
    /// Permitted: `env`.
    /// Refused: an empty one.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// `In`: the namespace has the label, with one of `values`. `NotIn`: it has not, or with a different value. `Exists`: it has
    /// the label. `DoesNotExist`: it has not.
    ///
    /// Permitted: `NotIn`.
    /// Refused: `Equals`.
    pub operator: LabelOperator,
    /// The values, for `In` and `NotIn`. Absent: none, as `Exists` and `DoesNotExist` have it.
    ///
    /// Permitted: `[dev, test]`.
    /// Refused: any, with `Exists`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// The limits of what policies may allow. An absent field sets no limit.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.allowedOrigins) || has(self.allowRegexes) || has(self.forbidDanger) || has(self.maxMaxAge) || has(self.allowedMethods) || has(self.allowedHeaders) || has(self.requireDisallowedRequests)")
        .message("there is no guardrail: write at least one")
)]
pub struct Guardrails {
    /// The origins that policies may allow: each pattern in a policy's `allowOrigins` must be contained in one pattern here.
    /// `https://*.shop.example` contains `https://pr-*.shop.example` and `https://a.b.shop.example`, and not
    /// `https://shop.example`, nor any `http://` origin, nor a different port. `trustedOrigins` of a policy are not bounded: nothing
    /// is shared with them. Absent: every origin. Empty: none.
    ///
    /// Permitted: `["https://shop.example", "https://*.shop.example", "http://localhost:*"]`.
    /// Refused: `["shop.example"]` (an origin has a scheme).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = limits::MAX_GUARDRAIL_ORIGINS),
        inner(length(min = 1, max = limits::MAX_ORIGIN_LEN))
    )]
    pub allowed_origins: Option<Vec<String>>,

    /// Whether policies may use `allowOriginRegexes`, which cannot be compared with `allowedOrigins`. Absent: only where there
    /// are no `allowedOrigins`.
    ///
    /// Permitted: `false`, which refuses every regex.
    /// Refused: `Never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_regexes: Option<bool>,

    /// Words that no policy may list in `dangerouslyAllow`. Absent: a policy may list any.
    ///
    /// Permitted: `[AnyOriginWithCredentials, NullOriginWithCredentials]`.
    /// Refused: `[Everything]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub forbid_danger: Vec<Danger>,

    /// The longest `maxAge` of a policy, in seconds. A policy without `maxAge` stays below any. Absent: any.
    ///
    /// Permitted: `7200`.
    /// Refused: `-1`, `2h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = limits::MAX_MAX_AGE))]
    pub max_max_age: Option<i64>,

    /// The methods that policies may allow beside `GET`, `HEAD` and `POST`, which need no permission. Case-sensitive. `*`: every
    /// method, and only it lets a policy write `*`. Absent: every method. Empty: none.
    ///
    /// Permitted: `[PUT, PATCH, DELETE]`.
    /// Refused: `[TRACE]` (forbidden by the Fetch standard).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = limits::MAX_METHODS),
        inner(length(min = 1, max = limits::MAX_METHOD_LEN))
    )]
    pub allowed_methods: Option<Vec<String>>,

    /// The request headers that policies may allow. In any case. `*`: every header but `authorization`, which must be named; and
    /// only `*` lets a policy write `*`. Absent: every header. Empty: none.
    ///
    /// Permitted: `[authorization, content-type]`.
    /// Refused: `["x csrf"]` (not a header name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = limits::MAX_HEADERS),
        inner(length(min = 1, max = limits::MAX_HEADER_NAME_LEN))
    )]
    pub allowed_headers: Option<Vec<String>>,

    /// The required value of `disallowedRequests`, for every part of a workload. Absent: any value.
    ///
    /// Permitted: `Reject`.
    /// Refused: `Forward` (it is what happens without).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // An optional word would lose its manual to that of the word's type.
    #[schemars(with = "Required")]
    pub require_disallowed_requests: Option<Required>,
}

/// The effect on a policy that exceeds a guardrail.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// It stands, and its status says so.
    Warn,
    /// It is refused.
    #[default]
    Enforce,
}

/// The requirement on a label.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// It is there, with one of the values.
    In,
    /// It is not there, or with a different value.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// The required value of `disallowedRequests`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// `Reject`.
    Reject,
}
