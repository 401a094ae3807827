//! The resources, as authors write them and as the API server stores them. Their doc comments are the manual.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub mod v1alpha1;

/// The API group of every resource.
pub const GROUP: &str = "corsward.io";
/// The kind of a policy.
pub const KIND: &str = "CorsPolicy";

/// The definition of `CorsPolicy` for an API server.
#[must_use]
pub fn definition() -> CustomResourceDefinition {
    v1alpha1::CorsPolicy::crd()
}
