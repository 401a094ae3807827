//! Tests of what Gateways and their classes become.

use corsward_operator_core::cluster_state::{Gateway, GatewayClass};
use serde_json::json;

use super::value;
use crate::source::kube::kinds::{GATEWAY_CLASSES, GATEWAYS};

#[test]
fn of_a_gateway_that_fits_no_schema_what_fits_is_taken() {
    for (why, spec, class, listeners) in [
        (
            "as it should be",
            json!({"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80}]}),
            "istio",
            vec![("http", 80)],
        ),
        (
            "one listener odd",
            json!({"gatewayClassName": "istio", "listeners": [{"name": 7}, {"name": "b", "port": 443}]}),
            "istio",
            vec![("b", 443)],
        ),
        ("no listeners", json!({"gatewayClassName": ["istio"], "listeners": "none"}), "", vec![]),
        ("nothing", json!(null), "", vec![]),
    ] {
        let object = json!({"metadata": {"namespace": "shop", "name": "gw"}, "spec": spec});
        let listeners = listeners.into_iter().map(|(name, port)| (name.to_owned(), port));
        let want = Gateway { class: class.to_owned(), listeners: listeners.collect() };
        assert_eq!(value(&GATEWAYS, &object), want, "{why}");
    }
}

#[test]
fn a_class_is_its_controller_and_whether_it_lists_the_cors_filter() {
    for (why, spec, status, supports_cors) in [
        (
            "listed",
            json!({"controllerName": "c"}),
            json!([{"name": "X"}, {"name": "HTTPRouteCORS"}]),
            Some(true),
        ),
        (
            "listed by its name alone",
            json!({"controllerName": "c"}),
            json!(["HTTPRouteCORS"]),
            Some(true),
        ),
        (
            "others are",
            json!({"controllerName": "c"}),
            json!([{"name": "HTTPRouteQueryParamMatching"}]),
            Some(false),
        ),
        ("none is", json!({"controllerName": "c"}), json!([]), None),
        ("no list", json!({"controllerName": "c"}), json!(null), None),
        ("odd", json!({"controllerName": "c"}), json!([7, {"name": 8}]), Some(false)),
    ] {
        let status = json!({"supportedFeatures": status});
        let object = json!({"metadata": {"name": "c"}, "spec": spec, "status": status});
        let want = GatewayClass { controller: "c".to_owned(), supports_cors };
        assert_eq!(value(&GATEWAY_CLASSES, &object), want, "{why}");
    }
    for spec in [json!(null), json!({"controllerName": 7}), json!([])] {
        let object = json!({"metadata": {"name": "c"}, "spec": spec});
        assert_eq!(value(&GATEWAY_CLASSES, &object), GatewayClass::default());
    }
}
