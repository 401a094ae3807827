//! The objects of a cluster reach the controller, despite faults in between.

use std::sync::Arc;

use corsward_operator_core::cluster_state::{Key, NamespaceMode, TargetPort};
use corsward_test_harness::api_server::{collection, crds, create_namespace};
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};
use xtask::kubernetes::ApiServer;

use crate::harness::{Picture, Watching, counted, policy};

/// The restarts of the watch of policies.
const RESTARTS: &str = r#"corsward_watch_restarts_total{kind="CorsPolicy"}"#;

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.to_owned(), name: name.to_owned() }
}

/// A kind as a future release, or a user, may define it: `spec` may hold anything.
fn anything_goes(group: &str, version: &str, kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            // The API server asks for it in the group of the Gateway API, which is the community's.
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/1538"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{
                "name": version,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {"x-kubernetes-preserve-unknown-fields": true},
                        "status": {"x-kubernetes-preserve-unknown-fields": true},
                    },
                }},
            }],
        },
    })
}

fn define(server: &ApiServer, definition: &Value) {
    let file = server.directory().join("definition.json");
    std::fs::write(&file, definition.to_string()).unwrap();
    server.apply(&file).unwrap();
}

/// Makes a pod that nothing runs; says that it runs.
fn running_pod(server: &ApiServer, namespace: &str, name: &str) {
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    server.api().create(&accounts, &json!({"metadata": {"name": "default"}})).unwrap();
    let pod = json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [
                {"name": "app", "image": "none", "ports": [{"name": "web", "containerPort": 8080}]},
                {"name": "istio-proxy", "image": "none"},
            ],
        },
    });
    server.api().create(&pods, &pod).unwrap();
    phase(server, namespace, name, "Running");
}

fn phase(server: &ApiServer, namespace: &str, name: &str, phase: &str) {
    let status = format!("/api/v1/namespaces/{namespace}/pods/{name}/status");
    server.api().merge(&status, &json!({"status": {"phase": phase}})).unwrap();
}

fn has_policies<const N: usize>(names: [&str; N]) -> impl Fn(&Picture) -> Option<()> {
    move |picture| (picture.names() == names).then_some(())
}

#[test]
fn what_is_in_a_cluster_is_said_and_so_is_each_change() {
    let server = ApiServer::start().unwrap();
    let api = server.api();
    server.apply(&crds()).unwrap();
    create_namespace(server.api(), "shop").unwrap();
    running_pod(&server, "shop", "api");
    let service = json!({
        "metadata": {"name": "api"},
        "spec": {"selector": {"app": "api"}, "ports": [{"port": 80, "targetPort": "web"}]},
    });
    api.create("/api/v1/namespaces/shop/services", &service).unwrap();
    for name in ["api", "web"] {
        api.create(&collection("shop", "corspolicies"), &policy(name)).unwrap();
    }
    let mut watching = Watching::start(&server);
    watching.wait_until_synced();

    let seen = &watching.picture;
    assert_eq!(seen.names(), ["shop/api", "shop/web"]);
    let object = &seen.policies["shop/api"];
    let record = object.record.as_ref().unwrap();
    assert_eq!((object.generation, record.uid.len()), (Some(1), 36));
    assert!(record.created.is_some_and(|created| created > 1_700_000_000));
    let service = &seen.cluster_state.services[&key("shop", "api")];
    assert_eq!(service.ports[0].target, TargetPort::Name("web".to_owned()));
    let pod = &seen.cluster_state.pods[&key("shop", "api")];
    assert!(pod.has_proxy() && pod.ports["web"] == 8080);
    assert_eq!(seen.cluster_state.namespaces["shop"].mode, NamespaceMode::Unset);
    assert!(seen.cluster_state.gateways.is_empty(), "nobody serves them");

    let off = json!({"metadata": {"annotations": {"corsward.io/mode": "Off"}}});
    api.merge("/api/v1/namespaces/shop", &off).unwrap();
    watching.wait_for("the namespace to stop", |picture| {
        (picture.cluster_state.namespaces["shop"].mode == NamespaceMode::Off).then_some(())
    });
    phase(&server, "shop", "api", "Succeeded");
    watching
        .wait_for("the pod to end", |picture| picture.cluster_state.pods.is_empty().then_some(()));
    api.delete(&format!("{}/web", collection("shop", "corspolicies"))).unwrap();
    watching.wait_for("one policy to go", has_policies(["shop/api"]));

    define(&server, &anything_goes("gateway.networking.k8s.io", "v1", "Gateway", "gateways"));
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge"},
        "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80}, "odd"]},
    });
    let gateways = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways";
    api.create(gateways, &gateway).unwrap();
    watching.wait_for("a kind that is served from now on", |picture| {
        let gateway = picture.cluster_state.gateways.get(&key("shop", "edge"))?;
        (gateway.class == "istio" && gateway.listeners["http"] == 80).then_some(())
    });
    api.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.gateway.networking.k8s.io").unwrap();
    watching.wait_for("its objects to go with their definition", |picture| {
        picture.cluster_state.gateways.is_empty().then_some(())
    });
    let end = watching.stop();
    assert_eq!((end.synced, end.lists), (1, 1), "said once, and never listed again");
}

#[test]
fn without_our_definitions_nothing_is_said_to_be_there() {
    let server = ApiServer::start().unwrap();
    create_namespace(server.api(), "shop").unwrap();
    let mut watching = Watching::start(&server);
    watching.wait_for("what is served", |picture| {
        picture.cluster_state.namespaces.contains_key("shop").then_some(())
    });
    let metrics = Arc::clone(&watching.metrics);
    eventually("a second attempt", || Ok(counted(&metrics, RESTARTS) >= 2)).unwrap();
    assert_eq!(watching.picture.synced, 0);
    assert_eq!(watching.picture.lists, 0, "an unknown kind is not an empty one");
    server.apply(&crds()).unwrap();
    watching.wait_until_synced();
    assert_eq!(watching.stop().lists, 1);
}

#[test]
fn one_malformed_object_stops_no_watch() {
    let server = ApiServer::start().unwrap();
    let api = server.api();
    server.apply(&crds()).unwrap();
    define(&server, &anything_goes("corsward.io", "v1alpha1", "CorsPolicy", "corspolicies"));
    create_namespace(server.api(), "shop").unwrap();
    let odd = |name: &str, spec: Value| {
        let mut object = policy(name);
        object["spec"] = spec;
        object
    };
    let policies = collection("shop", "corspolicies");
    for object in [odd("text", json!("cors")), odd("none", json!(null)), odd("list", json!([7]))] {
        api.create(&policies, &object).unwrap();
    }
    let mut watching = Watching::start(&server);
    watching.wait_until_synced();
    api.create(&policies, &odd("deep", json!({"cors": {"allowOrigins": {"a": [null]}}}))).unwrap();
    api.create(&policies, &policy("well")).unwrap();
    let want = ["shop/deep", "shop/list", "shop/none", "shop/text", "shop/well"];
    watching.wait_for("all of them", has_policies(want));
    let picture = watching.stop();
    let spec = |name: &str| picture.policies[name].spec().unwrap().value().to_string();
    assert_eq!((spec("shop/text"), spec("shop/list")), ("\"cors\"".into(), "[7]".into()));
    assert_eq!(spec("shop/none"), "{}");
    assert_eq!(picture.lists, 1);
}

#[test]
fn what_happens_while_the_api_server_is_away_is_seen_afterwards() {
    let mut server = ApiServer::start().unwrap();
    server.apply(&crds()).unwrap();
    create_namespace(server.api(), "shop").unwrap();
    for name in ["goes", "stays"] {
        server.api().create(&collection("shop", "corspolicies"), &policy(name)).unwrap();
    }
    let mut watching = Watching::start(&server);
    watching.wait_until_synced();

    // The line is cut: the watch goes on from where it was, and misses nothing.
    watching.line.cut();
    server.api().create(&collection("shop", "corspolicies"), &policy("comes")).unwrap();
    watching.line.mend();
    let want = ["shop/comes", "shop/goes", "shop/stays"];
    watching.wait_for("what came in between", has_policies(want));
    assert_eq!(watching.picture.lists, 1, "nothing is listed again");

    // What happened in between is forgotten everywhere: the watch is answered 410, and everything is listed again.
    watching.line.cut();
    server.api().delete(&format!("{}/goes", collection("shop", "corspolicies"))).unwrap();
    server.kill();
    server.store().compact().unwrap();
    server.restart().unwrap();
    watching.line.mend();
    watching.wait_for("what went in between", has_policies(["shop/comes", "shop/stays"]));
    assert_eq!(watching.picture.lists, 2, "listed again, once");

    server.kill();
    server.restart().unwrap();
    server.api().create(&collection("shop", "corspolicies"), &policy("later")).unwrap();
    let want = ["shop/comes", "shop/later", "shop/stays"];
    watching.wait_for("what came after a restart", has_policies(want));
    assert!(counted(&watching.metrics, RESTARTS) > 0, "each interruption is counted");
    assert_eq!(watching.stop().synced, 1, "said once in a lifetime");
}
