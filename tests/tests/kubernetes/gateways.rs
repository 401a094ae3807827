//! Scenarios of Gateways whose proxies run the filter, and of those whose proxies do not.

use corsward_test_harness::cluster::{LocalCluster, TestNamespace};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::status::{finding_message, message};
use serde_json::{Value, json};

use crate::specs::SHOP;

/// The path of the Gateway API.
const GATEWAY_API: &str = "/apis/gateway.networking.k8s.io/v1";

const NGINX: &str = "gateway.nginx.org/nginx-gateway-controller";

/// Writes a `GatewayClass`. Its controller is immutable, so a different one needs a new object.
fn class(ns: &TestNamespace<'_>, name: &str, controller: &str) {
    let path = format!("{GATEWAY_API}/gatewayclasses/{name}");
    let api = ns.cluster.api();
    if api.get(&path).unwrap().is_some() {
        api.delete(&path).unwrap();
    }
    eventually("the former class to go", || api.get(&path).unwrap().is_none()).unwrap();
    let object = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": { "name": name },
        "spec": { "controllerName": controller },
    });
    ns.write(&path, &object).unwrap();
}

fn at(gateways: &[&str]) -> Value {
    let group = "gateway.networking.k8s.io";
    let reference = |name| json!({ "group": group, "kind": "Gateway", "name": name });
    let references: Vec<Value> = gateways.iter().map(reference).collect();
    json!({ "targetRefs": references, "cors": { "allowOrigins": [SHOP] } })
}

#[test]
fn a_gateway_that_runs_no_filter_is_told_with_a_way_out_until_its_class_does() {
    let ns = LocalCluster::operated().test_namespace("classes").unwrap();
    class(&ns, "classes-edge", NGINX);
    ns.gateway("edge", "classes-edge").unwrap();
    ns.policy("edge", &at(&["edge"])).unwrap();
    let wanted = ["Accepted=True", "Programmed=False UnsupportedController"];
    let policy = ns.wait_for_conditions("edge", &wanted).unwrap();
    for part in ["Gateway `edge`", "`classes-edge`", NGINX, "NGINX Gateway Fabric", "the Services"]
    {
        let said = message(&policy, "Programmed");
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(finding_message(&policy, "CORS-W537").is_some(), "{policy:#}");
    assert_eq!(policy["status"].get("inForce"), None, "{policy:#}");
    assert!(ns.published().unwrap().is_empty());

    class(&ns, "classes-edge", "istio.io/gateway-controller");
    let policy = ns.wait_for_in_force("edge").unwrap();
    assert_eq!(finding_message(&policy, "CORS-W537"), None);
    assert_eq!(ns.published().unwrap().len(), 1);

    class(&ns, "classes-edge", "istio.io/agentgateway-controller");
    ns.wait_for_conditions("edge", &["Programmed=False UnsupportedController"]).unwrap();
    eventually("what was published to go", || ns.published().unwrap().is_empty()).unwrap();
}

#[test]
fn a_part_of_the_gateways_without_the_filter_is_named() {
    let ns = LocalCluster::operated().test_namespace("classes-part").unwrap();
    class(&ns, "classes-part", NGINX);
    ns.gateway("edge", "classes-part").unwrap();
    ns.gateway("inner", "istio").unwrap();
    ns.policy("both", &at(&["edge", "inner"])).unwrap();
    let policy = ns.wait_for_conditions("both", &["Programmed=True PartiallyProgrammed"]).unwrap();
    let said = message(&policy, "Programmed");
    assert!(said.contains("Gateway `edge`") && !said.contains("`inner`"), "{said}");
}

#[test]
fn a_controller_that_is_not_known_and_a_class_that_is_missing_take_nothing_away() {
    let ns = LocalCluster::operated().test_namespace("classes-unknown").unwrap();
    class(&ns, "classes-unknown", "company.example/controller");
    ns.gateway("edge", "classes-unknown").unwrap();
    ns.policy("edge", &at(&["edge"])).unwrap();
    let policy = ns.wait_for_in_force("edge").unwrap();
    let said = finding_message(&policy, "CORS-W538").unwrap();
    assert!(said.contains("`company.example/controller`"), "{said}");
    ns.gateway("edge", "classes-missing").unwrap();
    let policy = ns
        .wait_for("edge", "told of the missing class", |policy| {
            finding_message(policy, "CORS-W539").is_some()
        })
        .unwrap();
    assert!(finding_message(&policy, "CORS-W539").unwrap().contains("`classes-missing`"));
    assert_eq!(ns.published().unwrap().len(), 1);
}

#[test]
fn a_route_with_a_cors_filter_that_its_controller_does_not_claim_is_without_effect() {
    let ns = LocalCluster::operated().test_namespace("classes-claim").unwrap();
    class(&ns, "classes-claim", NGINX);
    let path = format!("{GATEWAY_API}/gatewayclasses/classes-claim/status");
    let claim = |features: &[&str]| {
        let features: Vec<Value> = features.iter().map(|name| json!({ "name": name })).collect();
        let status = json!({ "status": { "supportedFeatures": features } });
        ns.cluster.api().merge(&path, &status).unwrap();
    };
    claim(&["HTTPRouteQueryParamMatching"]);
    ns.gateway("edge", "classes-claim").unwrap();
    ns.service("api", &json!([{ "name": "http", "port": 80 }])).unwrap();
    ns.route_with_cors("api", "edge", SHOP).unwrap();
    ns.policy("api", &crate::specs::allow("api", &[SHOP])).unwrap();
    ns.policy("edge", &at(&["edge"])).unwrap();
    for policy in ["api", "edge"] {
        let told = |policy: &Value| {
            finding_message(policy, "CORS-W540").is_some_and(|said| {
                said.contains("`classes-claim/api`") && said.contains("HTTPRouteCORS")
            })
        };
        ns.wait_for(policy, "told that the filter of the route is without effect", told).unwrap();
    }
    claim(&["HTTPRouteCORS"]);
    ns.wait_for("api", "told that the route answers first", |policy| {
        finding_message(policy, "CORS-W540").is_none()
            && finding_message(policy, "CORS-W533").is_some()
    })
    .unwrap();
}
