//! Objects: the kinds of an archive, and the part of each object that goes into it.

use corsward_api::API_VERSION as OWN;
use corsward_operator_core::names::MANAGED_BY;
use corsward_operator_core::publish::output::BUNDLE_LABEL;
use serde_json::Value;

use super::mask;
use crate::live::{encoded, path};

/// The objects of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Collection {
    /// `apiVersion`.
    api_version: &'static str,
    kind: &'static str,
    plural: &'static str,
    /// Those alone that the operator has written.
    is_published: bool,
    /// Those alone that are about an object of corsward.io.
    is_about_policies: bool,
    /// The folder in the archive.
    folder: &'static str,
}

const fn collection(
    folder: &'static str,
    api_version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Collection {
    let (is_published, is_about_policies) = (false, false);
    Collection { api_version, kind, plural, is_published, is_about_policies, folder }
}

const EXTENSIONS: &str = "extensions.istio.io/v1alpha1";

/// The kinds of corsward, and the Events about them.
pub(super) const OF_POLICIES: [Collection; 5] = [
    collection("corsward.io", OWN, "CorsPolicy", "corspolicies"),
    collection("corsward.io", OWN, "OriginSet", "originsets"),
    collection("corsward.io", OWN, "ClusterCorsPolicy", "clustercorspolicies"),
    collection("cluster", "gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses"),
    Collection { is_about_policies: true, ..collection("events", "v1", "Event", "events") },
];

/// The kinds of objects that the operator publishes.
pub(super) const PUBLISHED: [Collection; 4] = [
    published(EXTENSIONS, "WasmPlugin", "wasmplugins"),
    published(EXTENSIONS, "TrafficExtension", "trafficextensions"),
    published("networking.istio.io/v1alpha3", "EnvoyFilter", "envoyfilters"),
    published("v1", "ConfigMap", "configmaps"),
];

/// The kinds of a namespace that has policies.
pub(super) const OF_NAMESPACE: [Collection; 2] = [
    collection("", "v1", "Service", "services"),
    collection("", "gateway.networking.k8s.io/v1", "Gateway", "gateways"),
];

const fn published(
    api_version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Collection {
    Collection { is_published: true, ..collection("published", api_version, kind, plural) }
}

// === impl Collection ===

impl Collection {
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        path(self.api_version, self.plural, namespace)
    }

    pub(super) fn selector(&self) -> String {
        if self.is_published {
            // A ConfigMap without it holds the bytes of a module.
            let labels = format!("{}={},{BUNDLE_LABEL}", MANAGED_BY.0, MANAGED_BY.1);
            return format!("labelSelector={}", encoded(&labels));
        }
        if self.is_about_policies {
            let fields = format!("involvedObject.apiVersion={OWN}");
            return format!("fieldSelector={}", encoded(&fields));
        }
        String::new()
    }

    /// The file in the archive.
    pub(super) fn file(&self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!("namespaces/{namespace}/{}.yaml", self.plural),
            None => format!("{}/{}.yaml", self.folder, self.plural),
        }
    }

    /// The object as the archive has it. An item of a list does not name its kind.
    pub(super) fn clean(&self, mut object: Value) -> Value {
        mask::tidy(&mut object);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("apiVersion".to_owned(), self.api_version.into());
            fields.insert("kind".to_owned(), self.kind.into());
        }
        object
    }
}
