//! Objects of the core and of the Gateway API in a namespace of a scenario.

use serde_json::{Value, json};

use super::TestNamespace;

/// The path of the Gateway API.
pub(crate) const GATEWAY_API: &str = "/apis/gateway.networking.k8s.io/v1";

// === impl TestNamespace ===

impl TestNamespace<'_> {
    /// Writes a `Service` for the pods of the application of that name.
    pub(crate) fn service(&self, name: &str, ports: &Value) {
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": name },
            "spec": { "selector": { "app": name }, "ports": ports },
        });
        self.write(&format!("/api/v1/namespaces/{{namespace}}/services/{name}"), &service);
    }

    /// Writes a `Gateway` with one listener.
    pub(crate) fn gateway(&self, name: &str, class: &str) {
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": { "name": name },
            "spec": {
                "gatewayClassName": class,
                "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }],
            },
        });
        self.write(&format!("{GATEWAY_API}/namespaces/{{namespace}}/gateways/{name}"), &gateway);
    }

    /// Writes an `HTTPRoute` with a CORS filter from a Gateway to the Service of its own name. Returns its path.
    pub(crate) fn route_with_cors(&self, name: &str, gateway: &str, origin: &str) -> String {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": { "name": name },
            "spec": {
                "parentRefs": [{ "name": gateway }],
                "rules": [{
                    "filters": [{ "type": "CORS", "cors": { "allowOrigins": [origin] } }],
                    "backendRefs": [{ "name": name, "port": 80 }],
                }],
            },
        });
        let path = format!("{GATEWAY_API}/namespaces/{}/httproutes/{name}", self.name);
        self.write(&path, &route);
        path
    }
}
