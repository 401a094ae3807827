//! The resources, as authors write them and as the API server stores them. Their doc comments are the manual.
//!
//! The crate knows no client and no runtime.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use kube::CustomResourceExt as _;

pub mod json_text;
pub mod v1alpha1;

/// The API group of every resource.
pub const GROUP: &str = "corsward.io";
/// The API version of every resource.
pub const API_VERSION: &str = "corsward.io/v1alpha1";
/// The group of the resources of the Gateway API.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
/// The kind of a policy.
pub const KIND: &str = "CorsPolicy";
/// The kind of guardrails.
pub const GUARDRAIL_KIND: &str = "ClusterCorsPolicy";
/// The kind of a set of origins.
pub const ORIGIN_SET_KIND: &str = "OriginSet";

/// The definitions of every resource for an API server, by the names of their kinds.
pub fn definitions() -> [CustomResourceDefinition; 3] {
    [v1alpha1::ClusterCorsPolicy::crd(), v1alpha1::CorsPolicy::crd(), v1alpha1::OriginSet::crd()]
}

/// The schema of the `spec` of that kind, a policy's for an unknown one.
pub fn spec_schema(kind: &str) -> &'static JSONSchemaProps {
    static POLICY: LazyLock<JSONSchemaProps> =
        LazyLock::new(|| schema(v1alpha1::CorsPolicy::crd()));
    static ORIGIN_SET: LazyLock<JSONSchemaProps> =
        LazyLock::new(|| schema(v1alpha1::OriginSet::crd()));
    static GUARDRAIL: LazyLock<JSONSchemaProps> =
        LazyLock::new(|| schema(v1alpha1::ClusterCorsPolicy::crd()));
    match kind {
        ORIGIN_SET_KIND => &ORIGIN_SET,
        GUARDRAIL_KIND => &GUARDRAIL,
        _ => &POLICY,
    }
}

/// The schema of `spec`, out of a definition.
fn schema(definition: CustomResourceDefinition) -> JSONSchemaProps {
    let versions = definition.spec.versions;
    let schema = versions.into_iter().find_map(|version| version.schema?.open_api_v3_schema);
    let properties = schema.and_then(|schema| schema.properties);
    properties.and_then(|mut properties| properties.remove("spec")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
