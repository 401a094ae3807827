//! A listener: filters, routes and access log of one port.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde_json::{Value, json};

/// One port of Envoy. It forwards requests unchanged: no path normalization, no timeout, no header of its own, so
/// that every difference from the upstream's answer is corsward's.
#[derive(Clone, Debug)]
pub struct Listener {
    name: String,
    address: SocketAddr,
    http_filters: Vec<Value>,
    virtual_hosts: Vec<Value>,
    refusals: Option<Refusals>,
    local_reply_config: Option<Value>,
    normalize_path: bool,
}

/// The destination of a line about each refused request.
#[derive(Clone, Debug)]
pub enum Refusals {
    /// Appended to a file.
    File(PathBuf),
    /// Envoy's standard output.
    Stdout,
}

/// A line of the access log: what the filter left in filter state about a request it refused, by the key of either shell.
const REFUSAL_FORMAT: &str = "%REQ(:METHOD)% %REQ(:AUTHORITY)%%REQ(:PATH)% %RESPONSE_CODE% \
                              %FILTER_STATE(wasm.corsward:PLAIN)%%FILTER_STATE(corsward:PLAIN)%\n";

// === impl Listener ===

impl Listener {
    /// A listener on any free port of 127.0.0.1, without filters or routes.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            http_filters: Vec::new(),
            virtual_hosts: Vec::new(),
            refusals: None,
            local_reply_config: None,
            normalize_path: false,
        }
    }

    /// On this address.
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// With this HTTP filter after those given before; the router always ends the chain.
    pub fn http_filter(mut self, filter: Value) -> Self {
        self.http_filters.push(filter);
        self
    }

    /// With one virtual host for every authority that has these routes.
    pub fn routes(self, routes: impl IntoIterator<Item = Value>) -> Self {
        let routes: Vec<Value> = routes.into_iter().collect();
        self.virtual_host(json!({ "name": "every", "domains": ["*"], "routes": routes }))
    }

    /// With a virtual host written out.
    pub fn virtual_host(mut self, virtual_host: Value) -> Self {
        self.virtual_hosts.push(virtual_host);
        self
    }

    /// With a line about each refused request.
    pub fn refusals(mut self, refusals: Refusals) -> Self {
        self.refusals = Some(refusals);
        self
    }

    /// With changes to the replies of Envoy and its filters.
    pub fn local_reply_config(mut self, config: Value) -> Self {
        self.local_reply_config = Some(config);
        self
    }

    /// With Envoy's own path normalization.
    pub fn normalize_path(mut self) -> Self {
        self.normalize_path = true;
        self
    }

    /// The content of a discovery file that holds these listeners and no others.
    pub fn discovery_response(listeners: &[Self], version: &str) -> Value {
        let resource = |listener: &Self| {
            let mut resource = listener.render();
            resource["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
            resource
        };
        let resources: Vec<Value> = listeners.iter().map(resource).collect();
        json!({ "version_info": version, "resources": resources })
    }

    pub(super) fn render(&self) -> Value {
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": self.name,
            "server_header_transformation": "PASS_THROUGH",
            "generate_request_id": false,
            "normalize_path": self.normalize_path,
            "stream_idle_timeout": "0s",
            "upgrade_configs": [{ "upgrade_type": "websocket" }],
            "http_protocol_options": { "accept_http_10": true, "header_key_format": preserved_case() },
            "http_filters": self.http_filters.iter().cloned().chain([router()]).collect::<Vec<_>>(),
            "route_config": { "name": self.name, "virtual_hosts": self.virtual_hosts },
        });
        if let Some(refusals) = &self.refusals {
            manager["access_log"] = json!([refusals.render()]);
        }
        if let Some(config) = &self.local_reply_config {
            manager["local_reply_config"] = config.clone();
        }
        json!({
            "name": self.name,
            "address": socket_address(self.address),
            "filter_chains": [{ "filters": [
                { "name": "envoy.filters.network.http_connection_manager", "typed_config": manager },
            ]}],
        })
    }
}

// === impl Refusals ===

impl Refusals {
    fn render(&self) -> Value {
        let format = json!({
            "text_format_source": { "inline_string": REFUSAL_FORMAT },
            "omit_empty_values": true,
        });
        let mut log = match self {
            Self::File(path) => json!({
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": path,
                    "log_format": format,
                },
            }),
            Self::Stdout => json!({
                "name": "envoy.access_loggers.stdout",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                    "log_format": format,
                },
            }),
        };
        log["filter"] = json!({ "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                "expression": "'wasm.corsward' in filter_state || 'corsward' in filter_state",
            },
        }});
        log
    }
}

/// A route that sends what begins with `prefix` to `cluster`, without a timeout.
pub fn route(prefix: &str, cluster: &str) -> Value {
    json!({
        "match": { "prefix": prefix },
        "route": {
            "cluster": cluster,
            "timeout": "0s",
            // The upstream may close an idle connection at the moment we write to it.
            "retry_policy": { "retry_on": "reset-before-request", "num_retries": 1 },
        },
    })
}

pub(super) fn socket_address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip(), "port_value": address.port() } })
}

pub(super) fn preserved_case() -> Value {
    json!({ "stateful_formatter": {
        "name": "envoy.http.stateful_header_formatters.preserve_case",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig",
        },
    }})
}

fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    })
}
