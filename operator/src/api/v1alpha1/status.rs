//! Statuses: what the operator says about an object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Most findings in one status. The first of them are written, which are the gravest.
pub const MAX_FINDINGS: usize = 100;

/// What the operator says about a policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CorsPolicyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: is the policy as written valid? `Programmed`: is it in force, by the word of the proxies where they can be asked?
    /// `ResolvedRefs`: do its targets exist?
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// What the proxies run. It differs from `spec` where `spec` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<InForce>,
    /// What the proxies ran until a `ClusterCorsPolicy` forbade it. They run it again when that is loosened, unless `spec` is accepted
    /// by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<InForce>,
    /// How many workloads the policy is for, and how their proxies stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<Proxies>,
    /// Everything there is to say about the policy as written. `CORS-E` refuses it, `CORS-W` warns, `CORS-I` hints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_FINDINGS))]
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
    /// How many running pods the policy is for, with a proxy or without.
    pub matched: i64,
    /// How many of them run it, by their proxies' own word. Absent: no proxy has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<i64>,
    /// How many of them refused it. Absent: no proxy has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<i64>,
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
    /// How many of the workloads run it, such as `12/12`; `?/12`: no proxy has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<String>,
}

/// What the operator says about a set of origins.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OriginSetStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: is the set as written valid? Policies that use a refused one are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Everything there is to say about the set as written. `CORS-E` refuses it, `CORS-W` warns, `CORS-I` hints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_FINDINGS))]
    pub findings: Vec<Finding>,
    /// The same in few words, for the columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<OriginSetSummary>,
}

/// The status of a set in few words.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OriginSetSummary {
    /// How many origin patterns it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<i64>,
}

/// What the operator says about guardrails.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCorsPolicyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: are the guardrails as written valid? Where they are not, those accepted before hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The guardrails that hold. They differ from `spec` where `spec` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<GuardrailInForce>,
    /// Everything there is to say about the guardrails as written. `CORS-E` refuses them, `CORS-W` warns, `CORS-I` hints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_FINDINGS))]
    pub findings: Vec<Finding>,
    /// How many policies exceed a guardrail of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceeded_by: Option<i64>,
}

/// Guardrails that hold.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GuardrailInForce {
    /// The generation they were.
    pub generation: i64,
    /// The spec as it was then.
    // Kept as it came, as that of a policy.
    #[schemars(schema_with = "anything")]
    pub spec: serde_json::Value,
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
