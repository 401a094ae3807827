//! Workload: a Deployment of the back ends' image and a Service before it.

use serde_json::{Map, Value, json};

/// The image of all back ends.
pub const IMAGE: &str = "corsward-e2e/backends:dev";

/// A Deployment and its Service.
#[derive(Clone, Debug)]
pub struct Workload {
    pub name: String,
    labels: Map<String, Value>,
    command: Vec<String>,
    ports: Vec<Value>,
    replicas: u32,
    /// Does the pod answer HTTP, so that its readiness can be asked for?
    probed: Option<u16>,
}

// === impl Workload ===

impl Workload {
    /// One of that name, with the label `app` of that value.
    pub fn new(name: &str) -> Self {
        let mut labels = Map::new();
        labels.insert("app".to_owned(), json!(name));
        Self {
            name: name.to_owned(),
            labels,
            command: Vec::new(),
            ports: Vec::new(),
            replicas: 1,
            probed: None,
        }
    }

    /// A back end that answers what it is asked to, behind the port 80 of its Service.
    pub fn echo(name: &str) -> Self {
        let echo = Self::new(name).command(&["node", "/apps/echo/server.js", "8080"]);
        Self { probed: Some(8080), ..echo.port("http", 80, 8080) }
    }

    /// With this program in its pods.
    pub fn command(mut self, words: &[&str]) -> Self {
        self.command = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// With a port of the Service and of its pods.
    pub fn port(mut self, name: &str, port: u16, target: u16) -> Self {
        self.ports.push(json!({ "name": name, "port": port, "targetPort": target }));
        self
    }

    /// With one more label on its pods.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), json!(value));
        self
    }

    /// With so many pods.
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Does it answer HTTP behind port 80?
    pub fn answers(&self) -> bool {
        self.probed.is_some()
    }

    /// The objects for `kubectl apply`.
    pub fn objects(&self) -> Value {
        let Self { name, labels, command, ports, replicas, probed } = self;
        let mut container = json!({
            "name": "app",
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": command,
        });
        if let Some(port) = probed {
            let probe = json!({ "httpGet": { "path": "/", "port": port }, "periodSeconds": 1 });
            container["readinessProbe"] = probe;
        }
        let app = json!({ "app": name });
        let deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": name },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": app },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": { "terminationGracePeriodSeconds": 1, "containers": [container] },
                },
            },
        });
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": name },
            "spec": { "selector": app, "ports": ports },
        });
        let mut items = vec![deployment];
        items.extend((!ports.is_empty()).then_some(service));
        json!({ "apiVersion": "v1", "kind": "List", "items": items })
    }
}
