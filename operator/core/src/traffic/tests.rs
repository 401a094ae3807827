//! Tests of what is said about requests.

use std::sync::Arc;

use super::*;
use crate::cluster_state::{
    Change, Delta, Gateway, GatewayClass, Inbound, Key, NativeCors, ParentGateway, PodProxy,
};
use crate::targets::{GATEWAY_NAME, TargetProxies};

fn key(name: &str) -> Key {
    Key { namespace: "shop".into(), name: name.into() }
}

fn labels(text: &str) -> Labels {
    let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A namespace with sidecars, a pod that has one, and a Service that leads to it.
fn shop() -> ClusterState {
    let mut shop = ClusterState::default();
    namespace(&mut shop, "istio-injection=enabled");
    shop.on(Change::Pod(Delta::Apply(key("api-1"), pod("api"))));
    service(&mut shop, "api", "app=api", &[("http", 80, 8080)]);
    shop
}

fn namespace(shop: &mut ClusterState, text: &str) {
    let namespace = Namespace { labels: labels(text), ..Namespace::default() };
    shop.on(Change::Namespace(Delta::Apply("shop".into(), namespace)));
}

fn pod(app: &str) -> Pod {
    let (labels, workload) = (labels(&format!("app={app}")), format!("deployment/{app}"));
    Pod { labels, workload, proxy: PodProxy::Sidecar, ..Pod::default() }
}

fn put(shop: &mut ClusterState, name: &str, pod: Pod) {
    shop.on(Change::Pod(Delta::Apply(key(name), pod)));
}

fn service(shop: &mut ClusterState, name: &str, selector: &str, ports: &[(&str, u16, u16)]) {
    let ports = ports.iter().map(|(name, port, target)| ServicePort {
        name: Some((*name).to_owned()),
        port: *port,
        target: TargetPort::Number(*target),
        app_protocol: None,
    });
    let service = Service { selector: labels(selector), ports: ports.collect() };
    shop.on(Change::Service(Delta::Apply(key(name), service)));
}

fn place(text: &str, ports: &[u16]) -> ProxySet {
    let ports = (!ports.is_empty()).then(|| ports.iter().copied().collect());
    ProxySet { proxies: TargetProxies::Workloads(Arc::new(labels(text))), ports }
}

fn placement(places: &[ProxySet]) -> Placement {
    Placement { places: places.to_vec(), ..Placement::default() }
}

fn said(shop: &ClusterState, places: &[ProxySet]) -> Vec<String> {
    let found = Traffic::of("shop", shop, true).findings("spec", &placement(places), false);
    found.iter().map(|found| format!("{} {}", found.code(), found.message())).collect()
}

fn codes(shop: &ClusterState, places: &[ProxySet]) -> Vec<String> {
    said(shop, places).iter().map(|said| said.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn nothing_is_said_where_requests_meet_the_filter() {
    let shop = shop();
    for places in [[place("app=api", &[])], [place("", &[])], [place("app=api", &[8080])]] {
        assert_eq!(said(&shop, &places), Vec::<String>::new());
    }
    assert_eq!(said(&ClusterState::default(), &[place("", &[])]), Vec::<String>::new());
}

#[test]
fn a_pod_without_a_sidecar_is_told_why_it_has_none() {
    let bare = || Pod { proxy: PodProxy::None, ..pod("web") };
    let labelled = |label: &str| {
        let mut pod = bare();
        pod.labels.extend(labels(label));
        pod
    };
    for (of_namespace, pod, want) in [
        ("", bare(), "CORS-W523"),
        ("istio-injection=disabled", bare(), "CORS-W523"),
        ("istio-injection=disabled istio.io/rev=stable", bare(), "CORS-W523"),
        ("istio-injection=disabled", labelled("sidecar.istio.io/inject=true"), "CORS-W523"),
        ("istio-injection=enabled", Pod { injection: Injection::OptedOut, ..bare() }, "CORS-W524"),
        ("istio-injection=enabled", bare(), "CORS-W525"),
        ("istio.io/rev=stable", bare(), "CORS-W525"),
        ("", labelled("sidecar.istio.io/inject=true"), "CORS-W525"),
        ("", labelled("istio.io/rev=stable"), "CORS-W525"),
        (
            "istio-injection=enabled",
            Pod { injection: Injection::HostNetwork, ..bare() },
            "CORS-W526",
        ),
        ("istio-injection=enabled", Pod { ambient: true, ..bare() }, "CORS-W527"),
        ("istio.io/dataplane-mode=ambient", bare(), "CORS-W527"),
    ] {
        let mut shop = shop();
        namespace(&mut shop, of_namespace);
        put(&mut shop, "web-1", pod.clone());
        assert_eq!(codes(&shop, &[place("", &[])]), [want], "{of_namespace:?} {pod:?}");
        assert_eq!(codes(&shop, &[place("app=api", &[])]), Vec::<String>::new(), "another's pods");
        put(&mut shop, "web-1", Pod { terminating: true, ..pod.clone() });
        assert_eq!(codes(&shop, &[place("", &[])]), Vec::<String>::new(), "it goes");
        put(&mut shop, "web-1", Pod { proxy: PodProxy::Sidecar, ..pod });
        assert_eq!(codes(&shop, &[place("", &[])]), Vec::<String>::new(), "it is healed");
    }
}

#[test]
fn workloads_are_named_and_not_pods_and_never_too_many() {
    let mut shop = shop();
    let bare = |app: &str, hash: &str| {
        let mut pod = Pod { proxy: PodProxy::None, ..pod(app) };
        pod.labels.insert("pod-template-hash".into(), hash.into());
        pod
    };
    put(&mut shop, "web-1", bare("web", "1"));
    let first = said(&shop, &[place("", &[])]);
    assert!(first[0].contains("`deployment/web`"), "{first:?}");
    assert!(first[0].contains("kubectl --namespace shop rollout restart deployment/web"));
    put(&mut shop, "web-2", bare("web", "1"));
    put(&mut shop, "web-3", bare("web", "2"));
    shop.on(Change::Pod(Delta::Delete(key("web-1"))));
    assert_eq!(said(&shop, &[place("", &[])]), first, "a rolling deployment changes no word");
    for app in ["a", "b", "c", "d"] {
        put(&mut shop, app, bare(app, "1"));
    }
    let many = said(&shop, &[place("", &[])]);
    assert!(many[0].contains("`deployment/a`, `deployment/b`, `deployment/c` and 2 more"));
    assert_eq!(many.len(), 1);
}

#[test]
fn a_port_of_an_unknown_protocol_is_named_with_its_service() {
    let mut shop = shop();
    service(&mut shop, "old", "app=api", &[("web", 8000, 8080), ("http-admin", 9000, 9000)]);
    service(&mut shop, "other", "app=web", &[("web", 8000, 8080)]);
    let all = said(&shop, &[place("app=api", &[])]);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].starts_with("CORS-W528") && all[0].contains("of `old:8000` is"), "{all:?}");
    assert_eq!(codes(&shop, &[place("app=api", &[9000])]), Vec::<String>::new(), "not its port");
    service(&mut shop, "api", "app=api", &[("web", 80, 8080)]);
    service(&mut shop, "old", "app=api", &[("http-web", 8000, 8080)]);
    service(&mut shop, "api", "app=api", &[("http", 80, 8080)]);
    assert_eq!(codes(&shop, &[place("app=api", &[])]), Vec::<String>::new(), "it is healed");
}

#[test]
fn a_port_that_carries_no_http_is_a_warning_where_there_is_no_other() {
    let mut shop = shop();
    let ports = [("http", 80, 8080), ("https", 443, 8443), ("redis", 6379, 6379)];
    service(&mut shop, "api", "app=api", &ports);
    let said = |ports: &[u16]| said(&shop, &[place("app=api", ports)]);
    let beside = said(&[]);
    assert_eq!(beside.len(), 1, "{beside:?}");
    assert!(beside[0].starts_with("CORS-I523") && beside[0].contains("`api:443 (https)`"));
    assert_eq!(said(&[8080]), Vec::<String>::new());
    let alone = said(&[6379]);
    assert!(alone[0].starts_with("CORS-W529") && alone[0].contains("`api:6379 (redis)`"));
    let both = [place("app=api", &[8443]), place("app=api", &[])];
    assert_eq!(codes(&shop, &both), ["CORS-W529"], "whoever names it is warned, and once");
}

#[test]
fn ports_count_while_no_pod_runs() {
    let mut shop = shop();
    shop.on(Change::Pod(Delta::Delete(key("api-1"))));
    service(&mut shop, "api", "app=api", &[("web", 80, 8080)]);
    assert_eq!(codes(&shop, &[place("app=api", &[])]), ["CORS-W528"]);
    assert_eq!(codes(&shop, &[place("app=api tier=web", &[])]), ["CORS-W528"]);
    assert_eq!(codes(&shop, &[place("tier=web", &[])]), Vec::<String>::new());
}

#[test]
fn a_port_that_a_pod_keeps_from_its_sidecar_is_said() {
    for (inbound, ports, is_said) in [
        (Inbound::Except([8080].into()), [].as_slice(), true),
        (Inbound::Except([8080].into()), &[8080], true),
        (Inbound::Except([9090].into()), &[], false),
        (Inbound::Only([9090].into()), &[], true),
        (Inbound::Only([8080].into()), &[], false),
        (Inbound::Only([].into()), &[], true),
    ] {
        let mut shop = shop();
        put(&mut shop, "api-1", Pod { inbound: inbound.clone(), ..pod("api") });
        let places = [place("app=api", ports)];
        let said = said(&shop, &places);
        assert_eq!(!said.is_empty(), is_said, "{inbound:?}");
        assert!(said.iter().all(|said| said.starts_with("CORS-W530")), "{said:?}");
        assert!(said.iter().all(|said| said.contains("`deployment/api:8080`")), "{said:?}");
    }
}

#[test]
fn what_says_something_about_cors_by_itself_is_named_with_who_has_the_last_word() {
    let mut shop = shop();
    let api = [place("app=api", &[])];
    let to =
        |service: &str| NativeCors { services: [key(service)].into(), ..NativeCors::default() };
    let change = Change::VirtualService(Delta::Apply(key("vs"), to("api")));
    shop.on(change);
    let found = said(&shop, &api);
    assert!(found[0].starts_with("CORS-W532") && found[0].contains("`shop/vs`"), "{found:?}");
    assert!(found[0].contains("has the last word"), "{found:?}");
    shop.on(Change::VirtualService(Delta::Apply(key("vs"), to("web"))));
    assert_eq!(codes(&shop, &api), Vec::<String>::new(), "it leads elsewhere");
    shop.on(Change::HttpRoute(Delta::Apply(key("route"), to("api"))));
    assert_eq!(codes(&shop, &api), ["CORS-W533"]);
    assert_eq!(codes(&shop, &[place("app=api", &[9])]), Vec::<String>::new(), "another port");
    let plain = Traffic::of("shop", &shop, false).findings("spec", &placement(&api), false);
    assert_eq!(plain.len(), 1, "without a mesh, too");
    shop.on(Change::HttpRoute(Delta::Delete(key("route"))));
    assert_eq!(codes(&shop, &api), Vec::<String>::new(), "it is healed");
}

#[test]
fn a_route_at_a_gateway_counts_for_the_listeners_that_it_is_attached_to() {
    let mut shop = shop();
    let listeners = [("web".to_owned(), 80), ("secure".to_owned(), 443)].into();
    let gateway = Gateway { class: "istio".into(), listeners };
    shop.on(Change::Gateway(Delta::Apply(key("edge"), gateway)));
    let attach = |shop: &mut ClusterState, section: Option<&str>, port| {
        let section = section.map(str::to_owned);
        let parent = ParentGateway { gateway: key("edge"), section, port };
        let route = NativeCors { gateways: [parent].into(), ..NativeCors::default() };
        shop.on(Change::HttpRoute(Delta::Apply(key("route"), route)));
    };
    let at = |port: Option<u16>| {
        let ports = port.map(|port| [port].into());
        [ProxySet { proxies: TargetProxies::Gateway("edge".into()), ports }]
    };
    for (section, port, of_policy, is_said) in [
        (None, None, None, true),
        (None, None, Some(80), true),
        (Some("web"), None, None, true),
        (Some("web"), None, Some(80), true),
        (Some("web"), None, Some(443), false),
        (None, Some(443), Some(80), false),
        (None, Some(443), Some(443), true),
    ] {
        attach(&mut shop, section, port);
        let codes = codes(&shop, &at(of_policy));
        let want: &[&str] = if is_said { &["CORS-W534"] } else { &[] };
        assert_eq!(codes, want, "{section:?} {port:?} {of_policy:?}");
    }
    attach(&mut shop, None, None);
    let other = [ProxySet { proxies: TargetProxies::Gateway("inner".into()), ports: None }];
    assert_eq!(codes(&shop, &other), Vec::<String>::new());
    let message = |keeps| {
        let found = Traffic::of("shop", &shop, true).findings("spec", &placement(&at(None)), keeps);
        found[0].message()
    };
    assert!(message(false).contains("has the last word") && message(true).contains("`Keep`"));
}

#[test]
fn a_route_whose_gateway_claims_no_cors_is_told_to_be_without_effect() {
    let mut shop = shop();
    let put_gateway = |shop: &mut ClusterState, name: &str, class: &str| {
        let gateway = Gateway { class: class.into(), ..Gateway::default() };
        shop.on(Change::Gateway(Delta::Apply(key(name), gateway)));
    };
    put_gateway(&mut shop, "edge", "nginx");
    put_gateway(&mut shop, "inner", "istio");
    let class = |supports_cors| {
        let controller = "company.example/controller".to_owned();
        let class = GatewayClass { controller, supports_cors };
        Change::GatewayClass(Delta::Apply("nginx".into(), class))
    };
    let attach = |shop: &mut ClusterState, gateways: &[&str], in_mesh| {
        let parent = |name: &&str| ParentGateway { gateway: key(name), section: None, port: None };
        let gateways = gateways.iter().map(parent).collect();
        let services = [key("api")].into();
        let route = NativeCors { services, gateways, in_mesh };
        shop.on(Change::HttpRoute(Delta::Apply(key("route"), route)));
    };
    let api = [place("app=api", &[])];
    let edge = [ProxySet { proxies: TargetProxies::Gateway("edge".into()), ports: None }];
    for (why, supports, gateways, in_mesh, before, within) in [
        (
            "other features are listed",
            Some(false),
            &["edge"][..],
            false,
            &["CORS-W540"][..],
            "CORS-W540",
        ),
        ("it is listed", Some(true), &["edge"], false, &["CORS-W533"], "CORS-W534"),
        ("nothing is listed", None, &["edge"], false, &["CORS-W533"], "CORS-W534"),
        (
            "one of two",
            Some(false),
            &["edge", "inner"],
            false,
            &["CORS-W533", "CORS-W540"],
            "CORS-W540",
        ),
        (
            "a mesh beside it",
            Some(false),
            &["edge"],
            true,
            &["CORS-W533", "CORS-W540"],
            "CORS-W540",
        ),
    ] {
        shop.on(class(supports));
        attach(&mut shop, gateways, in_mesh);
        assert_eq!(codes(&shop, &api), before, "{why}, before the pods");
        assert_eq!(codes(&shop, &edge), [within], "{why}, at the Gateway");
    }
    shop.on(class(Some(false)));
    let found = said(&shop, &api).pop().unwrap();
    assert!(found.contains("`shop/route`") && found.contains("Gateway `shop/edge`"), "{found}");
    shop.gateway_classes = None;
    assert_eq!(codes(&shop, &api), ["CORS-W533"], "classes cannot be seen");
}

#[test]
fn the_pods_of_a_gateway_are_no_workloads() {
    let mut shop = shop();
    let mut gateway = Pod { proxy: PodProxy::None, ..pod("edge") };
    gateway.labels.insert(GATEWAY_NAME.into(), "edge".into());
    put(&mut shop, "edge-1", gateway);
    assert_eq!(codes(&shop, &[place("", &[])]), Vec::<String>::new());
}
