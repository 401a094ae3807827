//! The chart's roles: the operator asks for nothing that it was not given, and was given nothing that it never asks for.

mod granted;
mod release;

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use corsward_test_harness::cluster::{APPLY, LocalCluster, Operator, TestNamespace};
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};
use xtask::ports;

use granted::Right;
use release::Release;

const POLICY: &str = "{selector: {matchLabels: {app: api}}, cors: {allowOrigins: ['https://a.example'], maxAge: 600}}";
const REFUSED: &str = "{cors: {allowOrigins: ['https://a.example/x']}}";

#[test]
fn publishing_plugins_with_the_webhook() {
    let cluster = LocalCluster::own().unwrap();
    let release = Release::install(
        &cluster,
        "corsward",
        &[
            "publish.istio.kind=WasmPlugin",
            "module.from=oci",
            "module.oci.url=oci://registry.example/filter@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
    );
    let namespace = cluster.test_namespace("roles-plugins").unwrap();
    leave(&namespace, "TrafficExtension");
    let (first, second) = (release.start("first"), release.start("second"));
    live(&namespace);
    // Its certificates are damaged, and its lease is lost.
    let secret = release.path("secrets", "webhook-certificate");
    cluster.api().merge(&secret, &json!({ "data": { "tls.key": "" } })).unwrap();
    cluster.api().delete(&release.lease()).unwrap();
    used_and_no_more(&release, vec![first, second]);
}

#[test]
fn serving_modules_to_proxies() {
    let cluster = LocalCluster::own().unwrap();
    let values = ["publish.istio.kind=TrafficExtension", "webhook.enabled=false"];
    let release = Release::install(&cluster, "corsward", &values);
    let module = cluster.server.directory().join("filter.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let address = SocketAddr::new(own_address(), ports::free());
    release.announce_modules(address);
    let namespace = cluster.test_namespace("roles-modules").unwrap();
    leave(&namespace, "WasmPlugin");
    let args = [format!("--module={}", module.display()), format!("--module-addr={address}")];
    let mut only = release.start_with("only", &args);
    only.wait_for_line("stored the module for all replicas").unwrap();
    only.stop().unwrap();
    release.damage_modules();
    let only = release.start_with("only", &args);
    live(&namespace);
    cluster.api().delete(&release.lease()).unwrap();
    used_and_no_more(&release, vec![only]);
}

/// An address of this machine that an endpoint may have: the loopback interface's may not. Nothing is sent.
pub(crate) fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

#[test]
fn publishing_config_maps_without_gateways_and_webhook() {
    let cluster = LocalCluster::own().unwrap();
    let release = Release::install(
        &cluster,
        "corsward",
        &["publish.to=configmap", "webhook.enabled=false", "gatewayApi.enabled=false"],
    );
    let (first, second) = (release.start("first"), release.start("second"));
    live(&cluster.test_namespace("roles-maps").unwrap());
    cluster.api().delete(&release.lease()).unwrap();
    used_and_no_more(&release, vec![first, second]);
}

#[test]
fn publishing_filters_with_a_certificate_of_the_users_own() {
    let cluster = LocalCluster::own().unwrap();
    let release = Release::install(
        &cluster,
        "corsward",
        &[
            "publish.istio.kind=EnvoyFilter",
            "module.from=oci",
            "module.oci.url=oci://registry.example/filter@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "webhook.certificate.existingSecret=own",
        ],
    );
    release.bring_certificate("own");
    let (first, second) = (release.start("first"), release.start("second"));
    live(&cluster.test_namespace("roles-filters").unwrap());
    cluster.api().delete(&release.lease()).unwrap();
    used_and_no_more(&release, vec![first, second]);
}

#[test]
fn publishing_whichever_kind_every_istiod_reads() {
    let cluster = LocalCluster::own().unwrap();
    let release = Release::install(
        &cluster,
        "corsward",
        &[
            "webhook.enabled=false",
            "module.from=oci",
            "module.oci.url=oci://registry.example/filter@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
    );
    let (namespace, istio) = (
        cluster.test_namespace("roles-auto").unwrap(),
        cluster.test_namespace("istio-system").unwrap(),
    );
    let account = "/api/v1/namespaces/{namespace}/serviceaccounts/default";
    istio.write(
        account,
        &json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } }),
    ).unwrap();
    let changes = |mut replica: Operator| {
        replica.wait_for_line("the kind of Istio's objects changes: the operator stops, and writes the new kind after its restart").unwrap();
        replica.wait_for_line("stopped").unwrap();
    };
    // Istio's definitions are there, and its istiod is not: who knows which version it will be?
    let first = release.start("first");
    let said = namespace.kubectl(&APPLY, &format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{name: api}}\nspec: {POLICY}\n"
    )).unwrap();
    assert!(said.success, "{said:?}");
    namespace.wait_for_in_force("api").unwrap();
    assert_eq!(objects(&namespace, "wasmplugins").len(), 1);
    assert!(objects(&namespace, "trafficextensions").is_empty());

    istiod(&istio, "istiod-new", "1.31.0");
    changes(first);
    let second = release.start("second");
    wait_for_change(&namespace, "wasmplugins", "trafficextensions");
    namespace.wait_for_in_force("api").unwrap();

    // As an upgrade is rolled back.
    istiod(&istio, "istiod-old", "1.29.4");
    changes(second);
    let third = release.start("third");
    wait_for_change(&namespace, "trafficextensions", "wasmplugins");
    namespace.wait_for_in_force("api").unwrap();

    let old = format!("/api/v1/namespaces/{}/pods/istiod-old?gracePeriodSeconds=0", istio.name);
    cluster.api().delete(&old).unwrap();
    changes(third);
    let fourth = release.start("fourth");
    wait_for_change(&namespace, "wasmplugins", "trafficextensions");
    live(&cluster.test_namespace("roles-either").unwrap());
    cluster.api().delete(&release.lease()).unwrap();
    used_and_no_more(&release, vec![fourth]);
}

/// A pod of istiod.
fn istiod(namespace: &TestNamespace<'_>, name: &str, version: &str) {
    let pod = json!({
        "metadata": { "name": name, "labels": { "app": "istiod", "app.kubernetes.io/version": version } },
        "spec": { "containers": [{ "name": "discovery", "image": format!("istio/pilot:{version}") }] },
    });
    let path = format!("/api/v1/namespaces/{}/pods", namespace.name);
    namespace.cluster.api().create(&path, &pod).unwrap();
}

/// An object in the state in which an operator with a different publish kind left it.
fn leave(namespace: &TestNamespace<'_>, kind: &str) {
    let labels = json!({
        "app.kubernetes.io/managed-by": "corsward-operator",
        "corsward.io/bundle": "corsward-left",
    });
    let plugin = json!({ "url": "oci://registry.example/filter" });
    let (plural, spec) = match kind {
        "TrafficExtension" => ("trafficextensions", json!({ "wasm": plugin })),
        _ => ("wasmplugins", plugin),
    };
    let left = json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": kind,
        "metadata": { "name": "corsward-left", "labels": labels },
        "spec": spec,
    });
    namespace.cluster.api().create(&collection(namespace, plural), &left).unwrap();
}

/// Is it there still?
fn is_left(namespace: &TestNamespace<'_>) -> bool {
    let mut there =
        ["trafficextensions", "wasmplugins"].iter().flat_map(|all| objects(namespace, all));
    there.any(|object| object["metadata"]["name"] == "corsward-left")
}

fn collection(namespace: &TestNamespace<'_>, plural: &str) -> String {
    format!("/apis/extensions.istio.io/v1alpha1/namespaces/{}/{plural}", namespace.name)
}

/// Istio's objects of a kind in a namespace.
fn objects(namespace: &TestNamespace<'_>, plural: &str) -> Vec<Value> {
    let list = namespace.cluster.api().get(&collection(namespace, plural)).unwrap().unwrap();
    list["items"].as_array().unwrap().clone()
}

/// Waits until objects of one kind have replaced those of the other, without a moment that had none.
#[track_caller]
fn wait_for_change(namespace: &TestNamespace<'_>, before: &str, after: &str) {
    eventually(&format!("{after} instead of {before}"), || {
        // Asked in this order: what is written goes before what was written.
        let gone = objects(namespace, before).is_empty();
        let there = objects(namespace, after).len();
        assert!(!gone || there > 0, "there is neither");
        gone && there == 1
    })
    .unwrap();
}

/// Everything that policies and their cluster state go through.
fn live(namespace: &TestNamespace<'_>) {
    let origins = json!({ "origins": ["https://a.example"] });
    let apply = |kind: &str, name: &str, spec: &str| {
        let manifest = format!(
            "apiVersion: corsward.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        );
        let said = namespace.kubectl(&APPLY, &manifest).unwrap();
        assert!(said.success, "{said:?}");
    };
    apply("OriginSet", "shared", &origins.to_string());
    let selector = format!("{{matchLabels: {{kubernetes.io/metadata.name: {}}}}}", namespace.name);
    let guardrail = format!(
        "{{namespaceSelector: {selector}, enforcement: Warn, guardrails: {{maxMaxAge: 600}}}}"
    );
    apply("ClusterCorsPolicy", &namespace.name, &guardrail);
    apply("CorsPolicy", "api", POLICY);
    apply("CorsPolicy", "refused", REFUSED);
    namespace.wait_for_in_force("api").unwrap();
    eventually("what is left to go", || !is_left(namespace)).unwrap();
    apply("CorsPolicy", "api", &POLICY.replace("a.example", "b.example"));
    namespace.wait_for_in_force("api").unwrap();
    namespace.delete_policy("api").unwrap();
}

/// Waits until every right was used, and looks whether anything else was asked for.
#[track_caller]
fn used_and_no_more(release: &Release<'_>, mut replicas: Vec<Operator>) {
    let granted = release.granted();
    let unused = || -> BTreeSet<Right> {
        let asked = release.asked();
        granted.iter().filter(|right| !asked.iter().any(|one| right.covers(one))).cloned().collect()
    };
    let all_used = eventually("every rule to be used", || unused().is_empty());
    let asked = release.asked();
    let refused: Vec<_> = asked.iter().filter(|one| !one.allowed || one.status == 403).collect();
    let mut logs = || replicas.iter_mut().map(Operator::log).collect::<String>();
    assert!(refused.is_empty(), "asked for and not given: {refused:#?}\n{}", logs());
    assert!(all_used.is_ok(), "given and never asked for: {:#?}", unused());
    assert!(granted.len() > 10, "{granted:#?}");
    for replica in replicas {
        replica.stop().unwrap();
    }
    let refused: Vec<_> = release.asked().into_iter().filter(|one| !one.allowed).collect();
    assert!(refused.is_empty(), "asked for at the end and not given: {refused:#?}");
}
