//! Istio's kinds: a bundle as a `WasmPlugin`, a `TrafficExtension` or an `EnvoyFilter`.

use corsward_api::GATEWAY_GROUP;
use corsward_policy::wire::{Envelope, OnInvalid};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::bundle::{BUNDLE_NAME, Bundle};
use crate::capabilities::{ProxyPods, Reach, ServedTargets};
use crate::filter_module::Module;
use crate::targets::{GATEWAY_NAME, TargetProxies};

/// The highest priority comes first within the phase: the filter must see a request before any filter answers it, and a
/// response after all of them.
const PRIORITY: i32 = i32::MAX;
/// The common part of the names of both types of Envoy.
const WASM_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const STRING_TYPE: &str = "type.googleapis.com/google.protobuf.StringValue";

/// The controllers of Gateways whose proxies are Envoy, configured by istiod: they run the filter.
///
/// The last one is istiod in `OpenShift`, which sets `PILOT_GATEWAY_API_CONTROLLER_NAME`.
pub(crate) const CONTROLLERS: [&str; 3] = [
    "istio.io/gateway-controller",
    "istio.io/mesh-controller",
    "openshift.io/gateway-controller/v1",
];

/// The proxies that Istio configures. Their metrics are served in plain, and past the redirection of the pod's traffic.
pub const REACH: Reach = Reach::Targets(ServedTargets {
    workloads: true,
    gateway_controllers: &CONTROLLERS,
    pods: Some(ProxyPods { gateway_label: GATEWAY_NAME, elsewhere: None, stats_port: 15_090 }),
});

/// One of Istio's kinds that bring a filter to proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IstioKind {
    /// `extensions.istio.io/v1alpha1`: in phase AUTHN, before everything but an `AuthorizationPolicy` with action CUSTOM.
    WasmPlugin,
    /// `extensions.istio.io/v1alpha1`: its successor, from Istio 1.30 on.
    TrafficExtension,
    /// `networking.istio.io/v1alpha3`: before everything.
    EnvoyFilter,
}

// === impl IstioKind ===

impl IstioKind {
    /// All kinds.
    pub(super) const ALL: [Self; 3] = [Self::WasmPlugin, Self::TrafficExtension, Self::EnvoyFilter];

    /// The API resources of all kinds.
    pub fn resources() -> Vec<ApiResource> {
        Self::ALL.iter().map(|kind| kind.resource()).collect()
    }

    /// Does an object of the other kind reach the same proxies at the same place of their chain? Then one may take the other's place.
    pub(super) fn replaces(self, other: Self) -> bool {
        let alike = [Self::WasmPlugin, Self::TrafficExtension];
        self != other && alike.contains(&self) && alike.contains(&other)
    }

    /// Its API resource.
    pub(super) fn resource(self) -> ApiResource {
        let (group, version, kind) = match self {
            Self::WasmPlugin => ("extensions.istio.io", "v1alpha1", "WasmPlugin"),
            Self::TrafficExtension => ("extensions.istio.io", "v1alpha1", "TrafficExtension"),
            Self::EnvoyFilter => ("networking.istio.io", "v1alpha3", "EnvoyFilter"),
        };
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
    }
}

/// The spec that brings `bundle` to its proxies; nothing for those without a namespace.
pub(super) fn spec(kind: IstioKind, bundle: &Bundle, module: &Module) -> Option<Value> {
    let mut spec = match kind {
        IstioKind::WasmPlugin => {
            let mut spec = plugin(bundle, module);
            spec.as_object_mut()?.extend(in_front());
            spec
        }
        IstioKind::TrafficExtension => {
            let mut spec = Value::Object(in_front());
            spec.as_object_mut()?.insert("wasm".to_owned(), plugin(bundle, module));
            spec
        }
        IstioKind::EnvoyFilter => patches(bundle, module),
    };
    let fields = spec.as_object_mut()?;
    match bundle.key.proxies()? {
        TargetProxies::Workloads(labels) => {
            let (selector, wanted) = match kind {
                IstioKind::EnvoyFilter => ("workloadSelector", json!({"labels": **labels})),
                _ => ("selector", json!({"matchLabels": **labels})),
            };
            if !labels.is_empty() {
                fields.insert(selector.to_owned(), wanted);
            }
            if kind != IstioKind::EnvoyFilter {
                // What a sidecar serves, not what its application calls. Gateways never match this.
                fields.insert("match".to_owned(), json!([{"mode": "SERVER"}]));
            }
        }
        TargetProxies::Gateway(name) => {
            let gateway = json!([{"group": GATEWAY_GROUP, "kind": "Gateway", "name": name}]);
            fields.insert("targetRefs".to_owned(), gateway);
        }
    }
    Some(spec)
}

/// The module that a spec names.
pub(super) fn module(kind: IstioKind, spec: &Value) -> Option<Module> {
    let (plugin, url, sha256) = match kind {
        IstioKind::WasmPlugin => (spec, "/url", "/sha256"),
        IstioKind::TrafficExtension => (spec.get("wasm")?, "/url", "/sha256"),
        IstioKind::EnvoyFilter => {
            let remote = "/configPatches/1/patch/value/typed_config/config/vm_config/code/remote";
            (spec.pointer(remote)?, "/http_uri/uri", "/sha256")
        }
    };
    let text = |at| plugin.pointer(at).and_then(Value::as_str).map(str::to_owned);
    Some(Module { url: text(url)?, sha256: text(sha256)? })
}

fn in_front() -> serde_json::Map<String, Value> {
    let phase = ("phase".to_owned(), Value::from("AUTHN"));
    [phase, ("priority".to_owned(), PRIORITY.into())].into_iter().collect()
}

fn plugin(bundle: &Bundle, module: &Module) -> Value {
    let Module { url, sha256 } = module;
    json!({
        "url": url,
        "sha256": sha256,
        "pluginName": BUNDLE_NAME,
        // A module that cannot be fetched must not take the traffic down: without it, requests pass as if it did not exist.
        "failStrategy": "FAIL_OPEN",
        "pluginConfig": envelope(bundle).to_value(),
    })
}

/// A place at the head of every inbound chain, and the filter in it as a resource of its own, so that a change of it closes no
/// connection. Istio's agent fetches the module and hands Envoy a local file.
fn patches(bundle: &Bundle, module: &Module) -> Value {
    let context = match bundle.key.proxies() {
        Some(TargetProxies::Gateway(_)) => "GATEWAY",
        _ => "SIDECAR_INBOUND",
    };
    // Two of ours in one proxy for a moment must not be taken for each other.
    let name = format!("{BUNDLE_NAME}/{}", bundle.key);
    let manager = "envoy.filters.network.http_connection_manager";
    let place = json!({
        "name": name,
        "config_discovery": {
            "config_source": {"ads": {}, "initial_fetch_timeout": "0s"},
            "type_urls": [WASM_TYPE],
        },
    });
    json!({
        // The last to be inserted first is the first.
        "priority": PRIORITY,
        "configPatches": [
            {
                "applyTo": "HTTP_FILTER",
                "match": {
                    "context": context,
                    "listener": {"filterChain": {"filter": {"name": manager}}},
                },
                "patch": {"operation": "INSERT_FIRST", "value": place},
            },
            {
                "applyTo": "EXTENSION_CONFIG",
                "match": {"context": context},
                "patch": {"operation": "ADD", "value": extension(&name, bundle, module)},
            },
        ],
    })
}

fn extension(name: &str, bundle: &Bundle, module: &Module) -> Value {
    let Module { url, sha256 } = module;
    // The agent fetches it: the schema asks for a cluster, and nothing uses it.
    let uri = json!({"uri": url, "cluster": "unused", "timeout": "30s"});
    json!({
        "name": name,
        "typed_config": {
            "@type": WASM_TYPE,
            "config": {
                "name": name,
                // One root_id and vm_id in every proxy: a VM set costs 32 MiB.
                "root_id": BUNDLE_NAME,
                "failure_policy": "FAIL_OPEN",
                "vm_config": {
                    "vm_id": BUNDLE_NAME,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"remote": {"http_uri": uri, "sha256": sha256}},
                },
                "configuration": {"@type": STRING_TYPE, "value": envelope(bundle).encode()},
            },
        },
    })
}

fn envelope(bundle: &Bundle) -> Envelope {
    let Bundle { compiled, digest, .. } = bundle;
    let (digest, compiled) = (digest.to_string(), compiled.to_string());
    // Istio gives its plugins no default configuration, so refusing one would answer every request with 500.
    Envelope { digest, on_invalid: OnInvalid::Keep, compiled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::BundleKey;
    use crate::publish::testing::{gateway, module, workloads};

    const KINDS: [IstioKind; 3] =
        [IstioKind::WasmPlugin, IstioKind::TrafficExtension, IstioKind::EnvoyFilter];

    fn bundle(key: BundleKey) -> Bundle {
        Bundle::new(key, r#"{"policies":["é"]}"#.into())
    }

    #[test]
    fn a_wasm_plugin_for_the_pods_with_some_labels() {
        let bundle = bundle(workloads(&[("app", "api")]));
        assert_eq!(
            spec(IstioKind::WasmPlugin, &bundle, &module()),
            Some(json!({
                "selector": {"matchLabels": {"app": "api"}},
                "match": [{"mode": "SERVER"}],
                "phase": "AUTHN",
                "priority": 2_147_483_647,
                "url": module().url,
                "sha256": module().sha256,
                "pluginName": "corsward",
                "failStrategy": "FAIL_OPEN",
                "pluginConfig": {
                    "v": 1,
                    "digest": *bundle.digest,
                    "onInvalid": "Keep",
                    "compiled": "{\"policies\":[\"é\"]}",
                },
            }))
        );
    }

    #[test]
    fn whole_namespaces_have_no_selector_and_gateways_no_match() {
        for kind in KINDS {
            let namespace = spec(kind, &bundle(workloads(&[])), &module()).unwrap();
            assert_eq!(namespace.get("selector"), None, "{kind:?}");
            assert_eq!(namespace.get("workloadSelector"), None, "{kind:?}");
            let gateway = spec(kind, &bundle(gateway("front")), &module()).unwrap();
            assert_eq!(gateway["targetRefs"][0]["name"], "front", "{kind:?}");
            assert_eq!(gateway.get("match"), None, "{kind:?}");
            assert_eq!(spec(kind, &bundle(BundleKey::All), &module()), None);
        }
        let filter = spec(IstioKind::EnvoyFilter, &bundle(gateway("front")), &module());
        assert_eq!(filter.unwrap()["configPatches"][1]["match"]["context"], "GATEWAY");
    }

    #[test]
    fn the_module_is_read_back() {
        for kind in KINDS {
            let spec = spec(kind, &bundle(workloads(&[])), &module()).unwrap();
            assert_eq!(super::module(kind, &spec), Some(module()), "{kind:?}");
        }
    }

    #[test]
    fn the_filter_reads_the_configuration_in_whatever_way_it_travels() {
        let bundle = bundle(workloads(&[]));
        let spec = spec(IstioKind::WasmPlugin, &bundle, &module()).unwrap();
        let text = |name: &str| spec["pluginConfig"][name].to_string();
        let filter = super::spec(IstioKind::EnvoyFilter, &bundle, &module()).unwrap();
        let config = &filter["configPatches"][1]["patch"]["value"]["typed_config"]["config"];
        for (why, bytes) in [
            ("as a string", config["configuration"]["value"].as_str().unwrap().to_owned()),
            // protojson sorts the fields of a Struct, puts spaces where it likes, and writes the double 1 as `1`.
            (
                "as istiod writes a Struct",
                format!(
                    r#"{{"compiled":{}, "digest":{}, "onInvalid":"Keep", "v":1}}"#,
                    text("compiled"),
                    text("digest"),
                ),
            ),
        ] {
            let read = Envelope::decode(bytes.as_bytes()).unwrap();
            assert_eq!(read.compiled, *bundle.compiled, "{why}");
            assert_eq!(read.digest, *bundle.digest, "{why}");
            assert_eq!(read.on_invalid, OnInvalid::Keep, "{why}");
        }
    }
}
