//! Envoy's bootstrap configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::listener::{Listener, preserved_case, route, socket_address};
use super::plugin::Shell;
use super::stats_tags;

/// The bootstrap of an Envoy.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    admin: SocketAddr,
    concurrency: u32,
    node: Value,
    listeners: Vec<Listener>,
    listeners_file: Option<PathBuf>,
    clusters: Vec<Value>,
}

// === impl Bootstrap ===

impl Bootstrap {
    /// No listener, no cluster, one worker, the admin interface on any free port.
    #[expect(
        clippy::new_without_default,
        reason = "an Envoy without a listener is nobody's default"
    )]
    pub fn new() -> Self {
        Self {
            admin: (Ipv4Addr::LOCALHOST, 0).into(),
            concurrency: 1,
            node: json!({ "id": "corsward", "cluster": "corsward" }),
            listeners: Vec::new(),
            listeners_file: None,
            clusters: Vec::new(),
        }
    }

    /// One listener `main` that forwards everything to `upstream`, after `http_filters`.
    pub fn forwarding(upstream: SocketAddr, http_filters: impl IntoIterator<Item = Value>) -> Self {
        let mut listener = Listener::new("main").routes([route("/", "upstream")]);
        for filter in http_filters {
            listener = listener.http_filter(filter);
        }
        Self::new().listener(listener).upstream("upstream", upstream)
    }

    /// With the admin interface on this address.
    pub fn admin(mut self, address: SocketAddr) -> Self {
        self.admin = address;
        self
    }

    /// With this many worker threads.
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// With this node id and metadata (`{"LABELS": {…}}` as Istio writes it). A dynamic module gets the labels by the environment.
    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` in place")]
    pub fn node(mut self, id: &str, metadata: Value) -> Self {
        self.node = json!({ "id": id, "cluster": "corsward", "metadata": metadata });
        self
    }

    /// With one more listener.
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// With listeners that come and go: those of a discovery file, see [`Listener::discovery_response`].
    pub fn listeners_from(mut self, file: &Path) -> Self {
        self.listeners_file = Some(file.into());
        self
    }

    /// With a cluster of one address that speaks HTTP/1.1.
    pub fn upstream(self, name: &str, address: SocketAddr) -> Self {
        let endpoint = json!({ "endpoint": { "address": socket_address(address) } });
        self.cluster(cluster(name, &[endpoint]))
    }

    /// With a cluster that has no endpoint: each request to it is answered 503.
    pub fn empty_upstream(self, name: &str) -> Self {
        self.cluster(cluster(name, &[]))
    }

    /// With a cluster written out.
    pub fn cluster(mut self, cluster: Value) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// The labels of the node as a dynamic module reads them: `app=api,tier=web`.
    pub(super) fn labels(&self) -> String {
        let labels = self.node["metadata"]["LABELS"].as_object().into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
        labels.collect::<Vec<_>>().join(",")
    }

    /// The number of threads that serve requests.
    pub fn workers(&self) -> u32 {
        self.concurrency
    }

    /// The text of the file: JSON, which is YAML too.
    pub fn render(&self) -> String {
        let mut bootstrap = json!({
            "node": self.node,
            "admin": { "address": socket_address(self.admin) },
            "stats_config": { "stats_tags": stats_tags::rules() },
            "overload_manager": overload_manager(),
            "static_resources": {
                "listeners": self.listeners.iter().map(Listener::render).collect::<Vec<_>>(),
                "clusters": self.clusters,
            },
        });
        if bootstrap.to_string().contains(Shell::Native.type_url()) {
            // As the names of a Wasm filter's metrics on the Prometheus page: without what Envoy puts before them.
            bootstrap["layered_runtime"]["layers"] = json!([{ "name": "static", "static_layer": {
                "envoy.reloadable_features.dynamic_modules_strip_custom_stat_prefix": true,
            }}]);
        }
        if let Some(file) = &self.listeners_file {
            let directory = file.parent().unwrap_or(file);
            bootstrap["dynamic_resources"]["lds_config"]["path_config_source"] =
                json!({ "path": file, "watched_directory": { "path": directory } });
        }
        format!("{bootstrap:#}\n")
    }
}

/// A limit that is never reached, because Envoy warns at each start when there is none.
fn overload_manager() -> Value {
    json!({ "resource_monitors": [{
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": 50000,
        },
    }]})
}

fn cluster(name: &str, endpoints: &[Value]) -> Value {
    let unlimited = 1_000_000;
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": endpoints }],
        },
        "circuit_breakers": { "thresholds": [{
            "max_connections": unlimited, "max_pending_requests": unlimited,
            "max_requests": unlimited, "max_retries": unlimited,
        }]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                // Below the keep-alive of usual back ends (gunicorn 2 s, Node 5 s).
                "common_http_protocol_options": { "idle_timeout": "1s" },
                "explicit_http_config": {
                    "http_protocol_options": { "header_key_format": preserved_case() },
                },
            },
        },
    })
}
