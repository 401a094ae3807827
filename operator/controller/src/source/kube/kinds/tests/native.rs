//! The values of objects with CORS settings of their own.

use super::value;
use crate::source::kube::kinds::{HTTP_ROUTES, VIRTUAL_SERVICES};
use corsward_operator_core::cluster_state::{Change, Delta, Key, NativeCors};
use serde_json::{Value, json};

fn object(spec: &Value) -> Value {
    json!({"metadata": {"namespace": "shop", "name": "a"}, "spec": spec})
}

fn services(native: &NativeCors) -> Vec<String> {
    native.services.iter().map(|key| format!("{}/{}", key.namespace, key.name)).collect()
}

#[test]
fn a_virtual_service_leads_where_its_routes_with_cors_do() {
    let to = |host: &str| json!([{"destination": {"host": host}}]);
    let cors = json!({"allowOrigins": [{"exact": "https://a.example"}]});
    let http = |host: &str| json!([{"corsPolicy": cors, "route": to(host)}]);
    for (why, http, want) in [
        ("a short name", http("api"), vec!["shop/api"]),
        ("a whole name", http("api.other.svc.cluster.local"), vec!["other/api"]),
        ("another domain", http("api.other.svc.corp.example"), vec!["other/api"]),
        ("not a Service", http("api.example.com"), vec![]),
        ("half a name, which a mesh does not know", http("api.other"), vec![]),
        ("no setting", json!([{"route": to("api")}]), vec![]),
        ("no setting after all", json!([{"corsPolicy": null, "route": to("api")}]), vec![]),
        (
            "one route of two",
            json!([{"corsPolicy": cors, "route": to("api")}, {"route": to("web")}]),
            vec!["shop/api"],
        ),
        (
            "two destinations",
            json!([{"corsPolicy": cors, "route": [to("api")[0], to("next")[0], to("api")[0]]}]),
            vec!["shop/api", "shop/next"],
        ),
        (
            "delegated, so that the host counts",
            json!([{"corsPolicy": cors, "delegate": {"name": "b"}}]),
            vec!["shop/front"],
        ),
        ("answered at once", json!([{"corsPolicy": cors, "redirect": {"uri": "/"}}]), vec![]),
        ("odd", json!([7, {"corsPolicy": cors, "route": [{"destination": 7}, 8]}]), vec![]),
        ("odder", json!({"corsPolicy": cors}), vec![]),
    ] {
        let native = value(&VIRTUAL_SERVICES, &object(&json!({"hosts": ["front"], "http": http})));
        assert_eq!(services(&native), want, "{why}");
        assert!(native.gateways.is_empty());
    }
}

#[test]
fn a_route_leads_to_its_backends_and_its_gateways_where_it_has_a_cors_filter() {
    let cors = json!([{"type": "CORS", "cors": {"allowOrigins": ["https://a.example"]}}]);
    let other = json!([{"type": "RequestHeaderModifier"}]);
    let parents = json!([
        {"name": "edge", "sectionName": "web"},
        {"name": "outer", "namespace": "infra", "port": 443},
        {"kind": "Service", "group": "", "name": "api"},
    ]);
    let backends = json!([
        {"name": "api", "port": 80}, {"name": "far", "namespace": "other"},
        {"name": "bucket", "group": "storage.example", "kind": "Bucket"},
    ]);
    let of = |rules: Value| {
        value(&HTTP_ROUTES, &object(&json!({"parentRefs": parents, "rules": rules})))
    };
    let native = of(json!([{"filters": cors, "backendRefs": backends}]));
    assert_eq!(services(&native), ["other/far", "shop/api"]);
    let gateways = native.gateways.iter().map(|parent| {
        let Key { namespace, name } = &parent.gateway;
        (format!("{namespace}/{name}"), parent.section.clone(), parent.port)
    });
    let want = [
        ("infra/outer".to_owned(), None, Some(443)),
        ("shop/edge".to_owned(), Some("web".to_owned()), None),
    ];
    assert_eq!(gateways.collect::<Vec<_>>(), want);
    assert!(native.in_mesh, "a Service is a parent, too");
    assert!(of(json!([{"filters": other, "backendRefs": backends}])).is_empty());
    assert!(of(json!([{"backendRefs": backends}])).is_empty());
    let one = json!([{"backendRefs": [{"name": "api", "filters": cors}, {"name": "web"}]}]);
    assert_eq!(services(&of(one)), ["shop/api"], "a backend may have its own");
    for odd in [json!(7), json!([{"filters": 7, "backendRefs": "api"}, null]), json!(null)] {
        assert!(of(odd).is_empty());
    }
}

#[test]
fn an_object_that_says_nothing_is_not_kept() {
    let key = |name: &str| Key { namespace: "shop".into(), name: name.into() };
    let native = NativeCors { services: [key("api")].into(), ..NativeCors::default() };
    let change = (VIRTUAL_SERVICES.change)(Delta::Apply(key("a"), NativeCors::default()));
    let gone = Change::VirtualService(Delta::Delete(key("a")));
    assert_eq!(change, gone, "where it said something, it does not any more");
    let all = [(key("a"), NativeCors::default()), (key("b"), native.clone())].into();
    let kept = Change::HttpRoute(Delta::Reset([(key("b"), native)].into()));
    assert_eq!((HTTP_ROUTES.change)(Delta::Reset(all)), kept);
}
