//! Tests of the plan, with Gateways that run the filter and Gateways that do not.

use super::cluster::{cluster, codes, keys, service, targeting, written};
use super::*;
use crate::cluster_state::{Change, Delta, Gateway, GatewayClass, Key, NativeCors, ParentGateway};

const NGINX: &str = "gateway.nginx.org/nginx-gateway-controller";
const ISTIO: &str = "istio.io/gateway-controller";

fn gateway(name: &str, class: &str) -> Change {
    let key = Key { namespace: "shop".into(), name: name.into() };
    let gateway = Gateway { class: class.into(), ..Gateway::default() };
    Change::Gateway(Delta::Apply(key, gateway))
}

fn class(name: &str, controller: &str) -> Change {
    let class = GatewayClass { controller: controller.into(), supports_cors: None };
    Change::GatewayClass(Delta::Apply(name.into(), class))
}

fn of_gateway(name: &str) -> BundleKey {
    BundleKey::new("shop", TargetProxies::Gateway(name.into()))
}

fn programmed(outcome: &TestOutcome) -> (bool, Reason, String) {
    reason(outcome, "a", ConditionType::Programmed)
}

#[test]
fn a_gateway_without_the_filter_is_told_and_healed_by_another_class() {
    let mut index = cluster(&[("a", targeting("Gateway", "edge"))]);
    index.change(gateway("edge", "company"));
    index.change(class("company", NGINX));
    let nowhere = carry_out(&mut index);
    assert_eq!(keys(&nowhere), [], "nothing is published for it");
    assert!(reason(&nowhere, "a", ConditionType::Accepted).0, "there is nothing wrong with it");
    let (holds, why, message) = programmed(&nowhere);
    assert_eq!((holds, why), (false, Reason::UnsupportedController));
    assert!(message.contains("NGINX Gateway Fabric") && message.contains("Services"), "{message}");
    assert!(codes(&nowhere).contains(&"CORS-W537"), "{:?}", codes(&nowhere));
    assert_eq!(nowhere.in_force.len(), 0, "nothing of it is in force");

    index.change(class("company", ISTIO));
    let healed = carry_out(&mut index);
    assert_eq!(keys(&healed), [of_gateway("edge")]);
    assert_eq!(programmed(&healed).1, Reason::Published);
    assert!(!codes(&healed).iter().any(|code| code.starts_with("CORS-W53")));

    index.change(class("company", "istio.io/agentgateway-controller"));
    let gone = carry_out(&mut index);
    assert_eq!((keys(&gone), programmed(&gone).1), (vec![], Reason::UnsupportedController));
    index.change(gateway("edge", "istio"));
    assert_eq!(keys(&carry_out(&mut index)), [of_gateway("edge")], "the Gateway has another class");
}

#[test]
fn a_refused_text_keeps_what_was_in_force_while_its_gateway_is_without_the_filter() {
    let mut index = cluster(&[("a", targeting("Gateway", "edge"))]);
    index.change(gateway("edge", "company"));
    index.change(class("company", ISTIO));
    let before = carry_out(&mut index);
    let mut refused = targeting("Gateway", "edge");
    refused["cors"]["allowOrigins"] = json!(["https://a.example/"]);
    let Object { text, .. } = written("a", &refused);
    index.apply(Object { text, generation: Some(2), ..written("a", &Value::Null) });
    index.change(class("company", NGINX));
    assert_eq!(keys(&carry_out(&mut index)), []);
    index.change(class("company", ISTIO));
    assert_eq!(carry_out(&mut index).bundles, before.bundles);
}

#[test]
fn a_controller_that_is_not_known_and_a_class_that_is_missing_are_told_and_nothing_is_lost() {
    for (why, of_class, code) in [
        ("not known", Some("company.example/controller"), "CORS-W538"),
        ("no class", None, "CORS-W539"),
    ] {
        let mut index = cluster(&[("a", targeting("Gateway", "edge"))]);
        index.change(gateway("edge", "company"));
        index.change(class("istio", ISTIO));
        if let Some(controller) = of_class {
            index.change(class("company", controller));
        }
        let outcome = carry_out(&mut index);
        assert_eq!(keys(&outcome), [of_gateway("edge")], "{why}");
        assert!(codes(&outcome).contains(&code), "{why}: {:?}", codes(&outcome));
        assert_eq!(programmed(&outcome).1, Reason::Published, "{why}");
    }
}

#[test]
fn a_gateway_without_the_filter_beside_one_that_runs_it_is_a_part() {
    let mut spec = targeting("Gateway", "edge");
    spec["targetRefs"].as_array_mut().unwrap().push(json!(
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inner"}
    ));
    let mut index = cluster(&[("a", spec)]);
    index.change(gateway("edge", "nginx"));
    index.change(gateway("inner", "istio"));
    index.change(class("nginx", NGINX));
    let outcome = carry_out(&mut index);
    assert_eq!(keys(&outcome), [of_gateway("inner")]);
    let (holds, why, message) = programmed(&outcome);
    assert_eq!((holds, why), (true, Reason::PartiallyProgrammed));
    assert!(message.contains("Gateway `edge`"), "{message}");
}

#[test]
fn the_class_of_a_gateway_elsewhere_changes_the_namespaces_that_its_routes_lead_to() {
    let mut index = cluster(&[("a", targeting("Service", "api"))]);
    index.change(service("api", "api"));
    let infra = |name: &str| Key { namespace: "infra".into(), name: name.into() };
    let services = [Key { namespace: "shop".into(), name: "api".into() }].into();
    let parent = ParentGateway { gateway: infra("edge"), section: None, port: None };
    let route = NativeCors { services, gateways: [parent].into(), in_mesh: false };
    index.change(Change::HttpRoute(Delta::Apply(infra("route"), route)));
    let supported = GatewayClass { controller: NGINX.into(), supports_cors: Some(false) };
    let change = Change::GatewayClass(Delta::Apply("nginx".into(), supported));
    index.change(change);
    index.take_changed();
    let gateway = Gateway { class: "nginx".into(), ..Gateway::default() };
    index.change(Change::Gateway(Delta::Apply(infra("edge"), gateway)));
    let changed = index.take_changed();
    assert!(changed.contains(&Scope::Namespace("shop".into())), "{changed:?}");
    assert!(codes(&carry_out(&mut index)).contains(&"CORS-W540"));
}
