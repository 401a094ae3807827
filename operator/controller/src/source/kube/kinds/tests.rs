//! The values of objects of each kind.

mod gateways;
mod native;
mod pods;

use std::collections::BTreeMap;

use super::*;
use corsward_operator_core::cluster_state::{ServicePort, TargetPort};
use serde::de::DeserializeOwned;
use serde_json::json;

/// The value of an object of the kind.
#[track_caller]
fn value<R: DeserializeOwned, K, V, E>(kind: &Kind<R, K, V, E>, object: &Value) -> V {
    (kind.value)(serde_json::from_value(object.clone()).unwrap())
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_policy_is_taken_as_it_is_written() {
    let policy = |spec: &Value| {
        json!({
            "apiVersion": "corsward.io/v1alpha1",
            "kind": "CorsPolicy",
            "metadata": {
                "namespace": "shop", "name": "api", "uid": "u1", "generation": 3,
                "creationTimestamp": "2026-01-02T03:04:05Z",
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
            },
            "spec": spec,
            "status": {"observedGeneration": 2},
        })
    };
    for (why, spec) in [
        ("a spec that fits", json!({"cors": {"allowOrigins": ["https://a.example"]}})),
        ("a field nobody knows", json!({"cors": {"alowOrigins": 7}})),
        ("a text in its place", json!("cors")),
        ("a list in its place", json!([1, [2, {"a": null}]])),
    ] {
        let object = value(&POLICIES, &policy(&spec));
        assert_eq!(object.spec().map(JsonText::value), Some(spec), "{why}");
        assert_eq!(object.id.to_string(), "shop/api", "{why}");
        assert_eq!((object.generation, object.place), (Some(3), None), "{why}");
        let record = object.record.unwrap();
        assert_eq!((record.uid.as_str(), record.created), ("u1", Some(1_767_323_045)), "{why}");
        assert_eq!(record.status.value(), json!({"observedGeneration": 2}), "{why}");
    }
}

#[test]
fn a_policy_without_a_spec_says_nothing() {
    for object in [
        json!({"metadata": {"namespace": "shop", "name": "api"}}),
        json!({"metadata": {"namespace": "shop", "name": "api"}, "spec": null, "status": null}),
    ] {
        let object = value(&POLICIES, &object);
        assert_eq!(object.spec().map(JsonText::value), Some(json!({})));
        assert_eq!(object.record.unwrap().status.value(), Value::Null);
    }
}

#[test]
fn a_malformed_policy_does_not_stop_the_list_it_is_in() {
    let list = json!({
        "apiVersion": "corsward.io/v1alpha1", "kind": "CorsPolicyList",
        "metadata": {"resourceVersion": "7"},
        "items": [
            {"metadata": {"namespace": "shop", "name": "odd"}, "spec": 7, "status": "fine"},
            {"metadata": {"namespace": "shop", "name": "good"}, "spec": {"mode": "Off"}},
        ],
    });
    let list: kube::core::ObjectList<Raw<Value, Value>> = serde_json::from_value(list).unwrap();
    let objects: Vec<Object> = list.items.into_iter().map(POLICIES.value).collect();
    let specs: Vec<_> =
        objects.iter().map(|object| object.spec().unwrap().value().to_string()).collect();
    assert_eq!(specs, ["7", r#"{"mode":"Off"}"#]);
}

#[test]
fn a_watch_names_what_is_deleted() {
    let event = json!({"type": "DELETED", "object": {
        "metadata": {"namespace": "shop", "name": "api", "resourceVersion": "9"}, "spec": {},
    }});
    let event: kube::core::WatchEvent<Raw<Value, Value>> = serde_json::from_value(event).unwrap();
    let kube::core::WatchEvent::Deleted(raw) = event else { panic!("{event:?}") };
    let delta = Delta::Delete(policy_id(&raw.metadata));
    let id = PolicyId { namespace: "shop".to_owned(), name: "api".to_owned() };
    assert_eq!((POLICIES.change)(delta), Event::Delete(id));
}

#[test]
fn a_guardrail_and_an_origin_set_are_taken_as_written() {
    let object = json!({
        "metadata": {"namespace": "shop", "name": "a", "uid": "u", "generation": 4},
        "spec": {"origins": 7},
    });
    let want = RawObject {
        uid: "u".to_owned(),
        generation: 4,
        spec: Arc::new(json!({"origins": 7})),
        status: JsonText::default(),
    };
    assert_eq!(value(&ORIGIN_SETS, &object), want);
    assert_eq!(value(&CLUSTER_POLICIES, &object), want);
}

#[test]
fn the_word_off_stops_a_namespace_and_others_are_kept_to_be_named() {
    let unknown = |word: &str| NamespaceMode::Unknown(word.to_owned());
    for (annotations, mode) in [
        (json!({"corsward.io/mode": "Off"}), NamespaceMode::Off),
        (json!({"corsward.io/mode": "off"}), NamespaceMode::Off),
        (json!({"corsward.io/mode": "DryRun"}), unknown("DryRun")),
        (json!({"corsward.io/mode": ""}), unknown("")),
        (json!({"corsward.io/mod": "Off"}), NamespaceMode::Unset),
        (json!(null), NamespaceMode::Unset),
    ] {
        let object = json!({"metadata": {
            "name": "shop", "labels": {"team": "a"}, "annotations": annotations,
        }});
        let want = Namespace { labels: labels(&[("team", "a")]), mode };
        assert_eq!(value(&NAMESPACES, &object), want, "{object}");
    }
}

#[test]
fn of_a_service_its_selector_and_tcp_ports_count() {
    let service = |spec: Value| {
        value(&SERVICES, &json!({"metadata": {"namespace": "shop", "name": "a"}, "spec": spec}))
    };
    let port = |name: Option<&str>, port, target| ServicePort {
        name: name.map(str::to_owned),
        port,
        target,
        app_protocol: None,
    };
    let number = TargetPort::Number;
    for (why, spec, selector, ports) in [
        (
            "names and numbers",
            json!({"selector": {"app": "a"}, "ports": [
                {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"},
                {"name": "named", "port": 81, "targetPort": "web"},
                {"name": "quic", "port": 80, "targetPort": 8080, "protocol": "UDP"},
            ]}),
            labels(&[("app", "a")]),
            vec![
                port(Some("http"), 80, number(8080)),
                port(Some("named"), 81, TargetPort::Name("web".to_owned())),
            ],
        ),
        (
            "the target is the port where nothing is said",
            json!({"ports": [{"port": 80}, {"port": 81, "targetPort": 0}]}),
            Labels::new(),
            vec![port(None, 80, number(80)), port(None, 81, number(81))],
        ),
        (
            "a name for something outside of the cluster",
            json!({"type": "ExternalName", "externalName": "a.example", "selector": {"app": "a"}}),
            Labels::new(),
            vec![],
        ),
        ("no port that there is", json!({"ports": [{"port": 70_000}]}), Labels::new(), vec![]),
    ] {
        assert_eq!(service(spec), Service { selector, ports }, "{why}");
    }
}

#[test]
fn of_a_pod_its_labels_named_ports_and_proxy_count() {
    let pod = |metadata: Value, spec: Value| {
        value(&PODS, &json!({"metadata": metadata, "spec": spec, "status": {"phase": "Running"}}))
    };
    let named = json!({"namespace": "shop", "name": "a", "labels": {"app": "a"}});
    let application = json!({"name": "app", "image": "x", "ports": [
        {"name": "web", "containerPort": 8080}, {"containerPort": 9},
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
    ]});
    let sidecar = json!({"name": "istio-proxy", "restartPolicy": "Always", "ports": [
        {"name": "web", "containerPort": 15_001}, {"name": "stats", "containerPort": 15_090},
    ]});
    let plain = pod(named.clone(), json!({"containers": [application]}));
    assert_eq!(plain.labels, labels(&[("app", "a")]));
    assert_eq!(plain.ports, BTreeMap::from([("web".to_owned(), 8080)]));
    assert!(!plain.has_proxy() && !plain.ambient);

    for (why, spec) in [
        ("a container", json!({"containers": [application, sidecar]})),
        ("a native sidecar", json!({"containers": [application], "initContainers": [sidecar]})),
    ] {
        let pod = pod(named.clone(), spec);
        assert!(pod.has_proxy(), "{why}");
        let want = [("web".to_owned(), 8080), ("stats".to_owned(), 15_090)];
        assert_eq!(pod.ports, BTreeMap::from(want), "{why}: the application's name comes first");
    }
    let done = json!({"name": "istio-proxy", "ports": [{"name": "web", "containerPort": 1}]});
    let spec = json!({"containers": [application], "initContainers": [done]});
    assert!(!pod(named, spec).has_proxy(), "an init container that ends is no sidecar");
}

#[test]
fn a_pod_is_found_at_its_address_until_it_is_deleted() {
    let pod = |metadata: Value, status: Value| {
        value(&PODS, &json!({"metadata": metadata, "spec": {}, "status": status}))
    };
    let address = |status: Value| pod(json!({"name": "a"}), status).address;
    assert_eq!(address(json!({"podIP": "10.1.2.3"})), Some([10, 1, 2, 3].into()));
    assert_eq!(address(json!({"podIP": "fd00::1"})), Some("fd00::1".parse().unwrap()));
    for none in [json!({}), json!({"podIP": ""}), json!({"podIP": "a.example"})] {
        assert_eq!(address(none.clone()), None, "{none}");
    }
    let deleted = json!({"name": "a", "deletionTimestamp": "2026-01-02T03:04:05Z"});
    assert!(pod(deleted, json!({})).terminating);
    assert!(!pod(json!({"name": "a"}), json!({})).terminating);
}

#[test]
fn a_pod_is_ambient_where_it_has_no_sidecar() {
    for (why, metadata, containers, ambient) in [
        ("by label", json!({"labels": {"istio.io/dataplane-mode": "ambient"}}), json!([]), true),
        ("said no", json!({"labels": {"istio.io/dataplane-mode": "none"}}), json!([]), false),
        (
            "by its namespace's label",
            json!({"annotations": {"ambient.istio.io/redirection": "enabled"}}),
            json!([]),
            true,
        ),
        (
            "a sidecar comes first",
            json!({"labels": {"istio.io/dataplane-mode": "ambient"}}),
            json!([{"name": "istio-proxy"}]),
            false,
        ),
    ] {
        let object = json!({"metadata": metadata, "spec": {"containers": containers}});
        assert_eq!(value(&PODS, &object).ambient, ambient, "{why}");
    }
}
