//! Statuses: the operator's report on an object. The fields of its types are in the order of their names, as those of a [`JsonText`].

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::json_text::JsonText;

/// Most findings in one status. The first of them are written, which are the gravest.
pub const MAX_FINDINGS: usize = 100;

/// The operator's report on a policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CorsPolicyStatus {
    /// `Accepted`: is the policy as written valid? `Programmed`: is it in force, by the proxies' own metrics if they are readable?
    /// `ResolvedRefs`: do its targets exist?
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// All findings about the policy as written. `CORS-E` refuses it, `CORS-W` warns, `CORS-I` hints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_FINDINGS))]
    pub findings: Vec<Finding>,
    /// The spec that the proxies run. It differs from `spec` if `spec` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<InForce>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The number of matched workloads, and the state of their proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<Proxies>,
    /// The same in few words, for the columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The spec that the proxies ran until a `ClusterCorsPolicy` forbade it. They run it again once that guardrail allows it, unless
    /// `spec` is accepted by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<InForce>,
}

/// The spec of a policy that the proxies run.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct InForce {
    /// The digest of the configuration that holds it.
    pub digest: String,
    /// The generation of that spec.
    pub generation: i64,
    /// The spec of that generation.
    // Kept as it came: a release that reads specs differently must still be able to read the status.
    #[schemars(schema_with = "anything")]
    pub spec: JsonText,
}

/// The state of a policy's proxies.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Proxies {
    /// The number of those pods that run it, by their proxies' own metrics. Absent: no proxy has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<i64>,
    /// The number of running pods that the policy matches, with a proxy or without.
    pub matched: i64,
    /// The number of those pods that refused it. Absent: no proxy has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<i64>,
}

/// A finding about an object.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The code, which never changes its meaning.
    pub code: String,
    /// The field, such as `spec.cors.allowOrigins[2]`.
    pub field: String,
    /// The value, its fault and the fix.
    pub message: String,
}

/// A status in few words.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The number of origin patterns that the whole policy allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<i64>,
    /// The workloads that run it, of those that it matches, such as `12/12`; `?/12`: no proxy has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<String>,
    /// The policy's targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<String>,
}

/// The operator's report on a set of origins.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OriginSetStatus {
    /// `Accepted`: is the set as written valid? Policies that use a refused one are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// All findings about the set as written. `CORS-E` refuses it, `CORS-W` warns, `CORS-I` hints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_FINDINGS))]
    pub findings: Vec<Finding>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The same in few words, for the columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<OriginSetSummary>,
}

/// The status of a set in few words.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OriginSetSummary {
    /// The number of origin patterns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<i64>,
}

/// The operator's report on guardrails.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCorsPolicyStatus {
    /// `Accepted`: are the guardrails as written valid? If they are not, the last valid ones stay in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The number of policies that exceed one of the guardrails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceeded_by: Option<i64>,
    /// All findings about the guardrails as written. `CORS-E` refuses them, `CORS-W` warns, `CORS-I` hints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_FINDINGS))]
    pub findings: Vec<Finding>,
    /// The guardrails in force. They differ from `spec` if `spec` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<GuardrailInForce>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Guardrails in force.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GuardrailInForce {
    /// The generation they were.
    pub generation: i64,
    /// The spec of that generation.
    // Kept as it came, as that of a policy.
    #[schemars(schema_with = "anything")]
    pub spec: JsonText,
}

/// The specs in force, as a status of any release records them: the operator's memory over restarts. The rest of the status is not read.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Revisions {
    /// The spec that is in force.
    pub in_force: Option<Revision>,
    /// The spec that a guardrail took out of force.
    pub suspended: Option<Revision>,
}

/// The spec of one generation.
#[derive(Deserialize, Clone, Debug, PartialEq)]
pub struct Revision {
    /// The generation.
    pub generation: i64,
    /// Its spec.
    pub spec: JsonText,
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
