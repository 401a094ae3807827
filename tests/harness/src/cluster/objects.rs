//! Objects of the core and of the Gateway API in a namespace of a scenario.

use anyhow::Result;
use serde_json::{Value, json};

use super::TestNamespace;

// === impl TestNamespace ===

impl TestNamespace<'_> {
    /// Writes a `Service` for the pods of the application of that name.
    pub fn service(&self, name: &str, ports: &Value) -> Result<Value> {
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": name },
            "spec": { "selector": { "app": name }, "ports": ports },
        });
        self.write(&self.path("services", name), &service)
    }

    /// Writes a `Gateway` with one listener.
    pub fn gateway(&self, name: &str, class: &str) -> Result<Value> {
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": { "name": name },
            "spec": {
                "gatewayClassName": class,
                "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }],
            },
        });
        self.write(&self.path("gateways", name), &gateway)
    }

    /// Writes an `HTTPRoute` with a CORS filter from a Gateway to the Service of its own name. Returns its path.
    pub fn route_with_cors(&self, name: &str, gateway: &str, origin: &str) -> Result<String> {
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
        let path = self.path("httproutes", name);
        self.write(&path, &route)?;
        Ok(path)
    }
}
