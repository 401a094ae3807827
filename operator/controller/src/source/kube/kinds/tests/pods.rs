//! The values of a pod's owners and annotations, and of a Service's port.

use std::collections::BTreeSet;

use super::value;
use crate::source::kube::kinds::{PODS, SERVICES};
use corsward_operator_core::cluster_state::{Inbound, Injection, Pod, PodProxy};
use serde_json::{Value, json};

fn pod(metadata: &Value) -> Pod {
    value(&PODS, &json!({"metadata": metadata, "spec": {"containers": []}}))
}

#[test]
fn a_pod_is_named_by_what_outlives_it() {
    for (kind, name, labels, want) in [
        ("ReplicaSet", "api-5d4", json!({"pod-template-hash": "5d4"}), "deployment/api"),
        ("ReplicaSet", "api-5d4", json!({"rollouts-pod-template-hash": "5d4"}), "rollout/api"),
        ("ReplicaSet", "api-5d4", json!({}), "replicaset/api-5d4"),
        ("ReplicaSet", "api-5d4", json!({"pod-template-hash": "6"}), "replicaset/api-5d4"),
        ("StatefulSet", "db", json!({}), "statefulset/db"),
        ("DaemonSet", "agent", json!({}), "daemonset/agent"),
        ("Job", "import-29384756", json!({}), "cronjob/import"),
        ("Job", "import-7", json!({}), "job/import-7"),
    ] {
        let owner = |controller| {
            json!({
                "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u",
                "controller": controller,
            })
        };
        let metadata = |controller| {
            json!({
                "namespace": "shop", "name": "one", "labels": labels,
                "ownerReferences": [owner(controller)],
            })
        };
        assert_eq!(pod(&metadata(true)).workload, want);
        assert_eq!(pod(&metadata(false)).workload, "pod/one", "it does not control it");
    }
}

#[test]
fn a_pods_label_about_injection_comes_before_its_annotation() {
    let inject = |value: Option<&str>| json!({"sidecar.istio.io/inject": value});
    for (label, annotation, want) in [
        (None, None, false),
        (Some("false"), None, true),
        (None, Some("false"), true),
        (Some("true"), Some("false"), false),
        (Some("false"), Some("true"), true),
        (None, Some("no"), false),
    ] {
        let mut metadata = json!({});
        if label.is_some() {
            metadata["labels"] = inject(label);
        }
        if annotation.is_some() {
            metadata["annotations"] = inject(annotation);
        }
        let want = if want { Injection::OptedOut } else { Injection::Usual };
        assert_eq!(pod(&metadata).injection, want, "{metadata}");
    }
}

#[test]
fn what_a_sidecar_is_given_is_read_from_annotations() {
    let included = "traffic.sidecar.istio.io/includeInboundPorts";
    let excluded = "traffic.sidecar.istio.io/excludeInboundPorts";
    let only = |ports: &[u16]| Inbound::Only(ports.iter().copied().collect::<BTreeSet<_>>());
    for (annotations, want) in [
        (json!({}), Inbound::All),
        (json!({included: "*"}), Inbound::All),
        (json!({excluded: ""}), Inbound::All),
        (json!({excluded: "15020, 8080"}), Inbound::Except([8080, 15020].into())),
        (json!({included: "*", excluded: "8080"}), Inbound::Except([8080].into())),
        (json!({included: "8080,9090", excluded: "8080"}), only(&[8080, 9090])),
        (json!({included: ""}), only(&[])),
        (json!({"sidecar.istio.io/interceptionMode": "NONE"}), only(&[])),
        (json!({"sidecar.istio.io/interceptionMode": "TPROXY"}), Inbound::All),
    ] {
        assert_eq!(pod(&json!({"annotations": annotations})).inbound, want, "{annotations}");
    }
}

#[test]
fn a_pod_on_its_nodes_network_and_a_declared_protocol_are_seen() {
    let on_node = |spec: Value| value(&PODS, &json!({"metadata": {}, "spec": spec})).injection;
    assert_eq!(on_node(json!({"hostNetwork": true, "containers": []})), Injection::HostNetwork);
    assert_eq!(on_node(json!({"containers": []})), Injection::Usual);
    let spec = json!({"ports": [{"port": 80, "appProtocol": "http"}, {"port": 81}]});
    let service = value(&SERVICES, &json!({"metadata": {}, "spec": spec}));
    let declared: Vec<_> = service.ports.into_iter().map(|port| port.app_protocol).collect();
    assert_eq!(declared, [Some("http".to_owned()), None]);
}

#[test]
fn a_proxy_that_routes_is_a_gateways() {
    for (name, args, want) in [
        ("istio-proxy", json!(["proxy", "router", "--domain", "shop.svc"]), PodProxy::Gateway),
        ("istio-proxy", json!(["proxy", "sidecar"]), PodProxy::Sidecar),
        ("istio-proxy", json!(null), PodProxy::Sidecar),
        ("app", json!(["router"]), PodProxy::None),
    ] {
        let containers = json!([{"name": name, "args": args}]);
        let pod = value(&PODS, &json!({"metadata": {}, "spec": {"containers": containers}}));
        assert_eq!(pod.proxy, want, "{name} {args}");
    }
}
