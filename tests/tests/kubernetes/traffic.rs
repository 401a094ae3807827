//! Scenarios of requests that pass a policy's proxies by, and of other settings for CORS: said in the status, and unsaid when mended.

use corsward_test_harness::cluster::{LocalCluster, TestNamespace};
use corsward_test_harness::status::{finding_message, version};
use serde_json::{Value, json};

use crate::specs::{SHOP, allow};

const ISTIO: &str = "/apis/networking.istio.io/v1";

/// A namespace for pods, with a policy for those of `api`.
fn test_namespace(name: &str) -> TestNamespace<'static> {
    let ns = LocalCluster::operated().test_namespace(name).unwrap();
    // Nobody makes it here, and no pod comes without it.
    ns.write(
        "/api/v1/namespaces/{namespace}/serviceaccounts/default",
        &json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } }),
    )
    .unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    ns
}

/// Labels the namespace, or takes a label away.
fn label(ns: &TestNamespace<'_>, label: &str, value: Value) {
    let patch = json!({ "metadata": { "labels": { label: value } } });
    ns.cluster.api().merge(&format!("/api/v1/namespaces/{}", ns.name), &patch).unwrap();
}

/// A running pod of the deployment `api`. Nothing runs here: it says so.
fn run(ns: &TestNamespace<'_>, name: &str, annotations: Value, spec: Value) {
    let containers = json!([{ "name": "app", "image": "app.example/app" }]);
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": { "app": "api", "pod-template-hash": "5d4" },
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-5d4", "uid": "0",
                "controller": true,
            }],
        },
        "spec": { "containers": containers, "nodeName": "node" },
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    let path = format!("/api/v1/namespaces/{}/pods", ns.name);
    ns.cluster.api().create(&path, &pod).unwrap();
    let status = json!({ "status": { "phase": "Running" } });
    ns.cluster.api().merge(&format!("{path}/{name}/status"), &status).unwrap();
}

/// The same with a sidecar.
fn run_injected(ns: &TestNamespace<'_>, name: &str, annotations: Value) {
    let containers = json!([
        { "name": "app", "image": "app.example/app" },
        { "name": "istio-proxy", "image": "app.example/proxy" },
    ]);
    run(ns, name, annotations, json!({ "containers": containers }));
}

/// Ends a pod at once, as its node would.
fn end(ns: &TestNamespace<'_>, name: &str) {
    let path = format!("/api/v1/namespaces/{}/pods/{name}?gracePeriodSeconds=0", ns.name);
    ns.cluster.api().delete(&path).unwrap();
}

/// Waits for a finding that says these words.
#[track_caller]
fn wait_for_said(ns: &TestNamespace<'_>, code: &str, words: &[&str]) -> Value {
    let says = |policy: &Value| {
        finding_message(policy, code)
            .is_some_and(|said| words.iter().all(|word| said.contains(word)))
    };
    ns.wait_for("api", &format!("{code} with {words:?}"), says).unwrap()
}

/// Waits until a finding is gone.
#[track_caller]
fn wait_for_unsaid(ns: &TestNamespace<'_>, code: &str) -> Value {
    ns.wait_for("api", &format!("without {code}"), |policy| finding_message(policy, code).is_none())
        .unwrap()
}

#[test]
fn a_workload_without_a_sidecar_is_told_how_to_get_one_until_it_has_it() {
    let ns = test_namespace("sidecars");
    run(&ns, "api-5d4-a", json!({}), json!({}));
    let said = wait_for_said(&ns, "CORS-W523", &["`deployment/api`", "kubectl label"]);
    assert!(finding_message(&said, "CORS-W525").is_none(), "one cause at a time: {said:#}");

    label(&ns, "istio-injection", "enabled".into());
    let restart = "kubectl --namespace sidecars rollout restart deployment/api";
    wait_for_said(&ns, "CORS-W525", &["`deployment/api`", restart]);
    wait_for_unsaid(&ns, "CORS-W523");

    // One after the other, as a deployment rolls.
    run_injected(&ns, "api-5d4-b", json!({}));
    wait_for_said(&ns, "CORS-W525", &["`deployment/api`"]);
    end(&ns, "api-5d4-a");
    wait_for_unsaid(&ns, "CORS-W525");
}

#[test]
fn a_workload_that_refuses_a_sidecar_or_cannot_have_one_is_named() {
    let ns = test_namespace("sidecars-refused");
    label(&ns, "istio.io/rev", "stable".into());
    run(&ns, "out", json!({ "sidecar.istio.io/inject": "false" }), json!({}));
    wait_for_said(&ns, "CORS-W524", &["`deployment/api`", "sidecar.istio.io/inject"]);
    run(&ns, "node", json!({}), json!({ "hostNetwork": true }));
    wait_for_said(&ns, "CORS-W526", &["`deployment/api`", "hostNetwork"]);
    for pod in ["out", "node"] {
        end(&ns, pod);
    }
    for code in ["CORS-W524", "CORS-W526"] {
        wait_for_unsaid(&ns, code);
    }
}

#[test]
fn a_port_whose_protocol_nobody_declares_is_named_until_somebody_does() {
    let ns = test_namespace("protocols");
    run_injected(&ns, "api-5d4-a", json!({}));
    ns.service("api", &json!([{ "name": "web", "port": 8000 }])).unwrap();
    wait_for_said(&ns, "CORS-W528", &["`api:8000`", "appProtocol: http"]);
    ns.service("api", &json!([{ "name": "web", "port": 8000, "appProtocol": "http" }])).unwrap();
    wait_for_unsaid(&ns, "CORS-W528");
    ns.service("api", &json!([{ "name": "tls-web", "port": 8000 }])).unwrap();
    wait_for_said(&ns, "CORS-W529", &["`api:8000 (tls)`"]);
    ns.service(
        "api",
        &json!([{ "name": "tls-web", "port": 8000 }, { "name": "http", "port": 80 }]),
    )
    .unwrap();
    wait_for_said(&ns, "CORS-I523", &["`api:8000 (tls)`"]);
    ns.service("api", &json!([{ "name": "http", "port": 80 }])).unwrap();
    for code in ["CORS-W529", "CORS-I523"] {
        wait_for_unsaid(&ns, code);
    }
}

#[test]
fn a_port_that_a_pod_keeps_from_its_sidecar_is_named_until_it_does_not() {
    let ns = test_namespace("excluded");
    ns.service("api", &json!([{ "name": "http", "port": 80, "targetPort": 8080 }])).unwrap();
    let excluded = json!({ "traffic.sidecar.istio.io/excludeInboundPorts": "15020,8080" });
    run_injected(&ns, "api-5d4-a", excluded);
    wait_for_said(&ns, "CORS-W530", &["`deployment/api:8080`"]);
    run_injected(&ns, "api-5d4-b", json!({}));
    end(&ns, "api-5d4-a");
    wait_for_unsaid(&ns, "CORS-W530");
}

#[test]
fn a_virtual_service_with_cors_of_its_own_is_named_wherever_it_leads() {
    let ns = test_namespace("virtual-service");
    let elsewhere = self::test_namespace("virtual-service-elsewhere");
    for ns in [&ns, &elsewhere] {
        ns.service("api", &json!([{ "name": "http", "port": 80 }])).unwrap();
    }
    let path = format!("{ISTIO}/namespaces/{{namespace}}/virtualservices/cors");
    let lead = |host: &str, cors: bool| {
        let mut route = json!({ "route": [{ "destination": { "host": host } }] });
        if cors {
            route["corsPolicy"] = json!({ "allowOrigins": [{ "exact": SHOP }] });
        }
        let object = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": "cors" },
            "spec": { "hosts": ["api"], "http": [route] },
        });
        ns.write(&path, &object).unwrap();
    };
    lead("api", true);
    let said = wait_for_said(&ns, "CORS-W532", &["`virtual-service/cors`", "last word"]);
    lead("api.virtual-service-elsewhere.svc.cluster.local", true);
    wait_for_said(&elsewhere, "CORS-W532", &["`virtual-service/cors`"]);
    let healed = wait_for_unsaid(&ns, "CORS-W532");
    assert_ne!(version(&said), version(&healed));
    lead("api.virtual-service-elsewhere.svc.cluster.local", false);
    wait_for_unsaid(&elsewhere, "CORS-W532");
    assert_eq!(
        version(&ns.get("corspolicies", "api").unwrap()),
        version(&healed),
        "it is nobody's business any more"
    );
}

#[test]
fn a_route_with_a_cors_filter_is_named_before_the_pods_and_at_the_gateway() {
    let ns = test_namespace("route");
    ns.service("api", &json!([{ "name": "http", "port": 80 }])).unwrap();
    ns.gateway("edge", "istio").unwrap();
    let edge = json!({
        "targetRefs": [{
            "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge",
        }],
        "cors": { "allowOrigins": [SHOP] },
    });
    ns.policy("edge", &edge).unwrap();
    ns.wait_for_in_force("edge").unwrap();
    let path = ns.route_with_cors("api", "edge", SHOP).unwrap();
    wait_for_said(&ns, "CORS-W533", &["`route/api`", "last word"]);
    ns.wait_for("edge", "told of the route", |policy| {
        finding_message(policy, "CORS-W534").is_some_and(|said| said.contains("`route/api`"))
    })
    .unwrap();
    ns.cluster.api().delete(&path).unwrap();
    wait_for_unsaid(&ns, "CORS-W533");
    ns.wait_for("edge", "healed", |policy| finding_message(policy, "CORS-W534").is_none()).unwrap();
}
