//! API server: a real one, and the paths of what is in it.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
pub use xtask::kubernetes::{Answer, Api, ApiServer, ApiServerPlan, Asked};
use xtask::paths;

/// The folder of the definitions of our resources.
pub fn crds() -> PathBuf {
    paths::root().join("crds")
}

/// Creates a namespace.
pub fn create_namespace(api: &Api, name: &str) -> Result<()> {
    api.create("/api/v1/namespaces", &json!({ "metadata": { "name": name } })).map(drop)
}

/// The path of the objects of a namespace: of ours, and of a built-in or foreign kind by its plural.
pub fn collection(namespace: &str, plural: &str) -> String {
    let group = match plural {
        "corspolicies" | "originsets" => "/apis/corsward.io/v1alpha1",
        "wasmplugins" | "trafficextensions" => "/apis/extensions.istio.io/v1alpha1",
        "envoyfilters" => "/apis/networking.istio.io/v1alpha3",
        "deployments" | "daemonsets" | "statefulsets" => "/apis/apps/v1",
        "gateways" | "httproutes" => "/apis/gateway.networking.k8s.io/v1",
        _ => "/api/v1",
    };
    format!("{group}/namespaces/{namespace}/{plural}")
}
