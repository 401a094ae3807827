//! Replicas: when one is ready, when it may lead, and how it ends.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};

use corsward_test_harness::cluster::{LocalCluster, OPERATOR_NAMESPACE, Operator};
use serde_json::json;
use xtask::http::Client;

use crate::roles::own_address;
use crate::specs::{SHOP, allow};

const LEADS: &str = "this replica started leading";

/// Something that a line says of where the operator serves.
fn said(operator: &mut Operator, line: &str, field: &str) -> String {
    operator.wait_for_line(line).unwrap()[field].as_str().unwrap().to_owned()
}

#[test]
fn whoever_cannot_read_everything_leaves_the_lease_to_those_who_can() {
    let cluster = LocalCluster::own().unwrap();
    // It may have the Lease, and nothing else.
    let poor = cluster.server.service_account(OPERATOR_NAMESPACE, "poor").unwrap();
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}");
    let rule = json!({
        "apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
        "verbs": ["get", "create", "update"],
    });
    let role = json!({ "metadata": { "name": "poor" }, "rules": [rule] });
    cluster.api().create(&format!("{rbac}/roles"), &role).unwrap();
    let binding = json!({
        "metadata": { "name": "poor" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "poor" },
        "subjects": [
            { "kind": "ServiceAccount", "name": "poor", "namespace": OPERATOR_NAMESPACE },
        ],
    });
    cluster.api().create(&format!("{rbac}/rolebindings"), &binding).unwrap();

    // With `Auto` it would wait for the kind of Istio's objects before it watches.
    let plan = cluster.operator("operator-0").kubeconfig(poor).also("--istio-kind=WasmPlugin");
    let mut blind = plan.start_unready().unwrap();
    blind.wait_for_line("cannot watch; tried again").unwrap();
    let operator = cluster.operator("operator-1").start().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    assert!(blind.said(LEADS).is_empty());
    assert_eq!(blind.get("/readyz"), None);
    operator.stop().unwrap();
    blind.stop().unwrap();
}

#[test]
fn a_replica_without_a_certificate_is_not_ready_and_publishes_all_the_same() {
    let cluster = LocalCluster::own().unwrap();
    // The chart gave it no Secret, for it was told of no webhook.
    let plan = cluster.operator("operator-0").also("--webhook-addr=127.0.0.1:0");
    let operator = plan.start_unready().unwrap();
    let ns = cluster.test_namespace("shop").unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    ns.wait_for_in_force("api").unwrap();
    assert_eq!(operator.get("/readyz"), None);
    operator.stop().unwrap();
}

#[test]
fn a_replica_that_stops_lets_another_lead_and_serves_on_until_nobody_comes_any_more() {
    let cluster = LocalCluster::own().unwrap();
    let module = cluster.server.directory().join("filter.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let start = |pod: &str| {
        // The chart's roles are for an image.
        let plan = cluster.operator(pod).kubeconfig(cluster.server.kubeconfig());
        let plan = plan.also(&format!("--module={}", module.display()));
        plan.also("--module-addr=127.0.0.1:0").also("--drain=600").start().unwrap()
    };
    let mut first = start("operator-0");
    first.wait_for_line(LEADS).unwrap();
    let mut second = start("operator-1");
    assert!(second.said(LEADS).is_empty());

    first.ask_to_stop().unwrap();
    second.wait_for_line(LEADS).unwrap();
    assert_eq!(first.get("/readyz"), None);
    let address = said(&mut first, "module address", "addr").parse().unwrap();
    let url = said(&mut first, "module address", "url");
    let path = url.split_once(".svc:80").unwrap().1;
    assert_eq!(Client::new(address).get(path).unwrap(), "\0asm\x01\0\0\0");
    assert!(first.get("/policies").is_some(), "what is asked is answered");

    // Whoever asks twice does not want to wait.
    first.stop().unwrap();
    second.kill();
}

/// An address that stops later may be closed only if those that stop before it are: so it is looked at first. A client that is silent
/// keeps each server waiting for a while.
#[test]
fn the_webhook_stops_before_the_modules_and_the_admin_address_stops_last() {
    let cluster = LocalCluster::own().unwrap();
    let module = cluster.server.directory().join("filter.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let plan = cluster.operator("operator-0").kubeconfig(cluster.server.kubeconfig());
    let plan = plan.also(&format!("--module={}", module.display()));
    // Other programs take ports of 127.0.0.1, and would stand in for those that are closed.
    let plan = plan.also("--module-addr=127.0.0.38:0").also("--webhook-addr=127.0.0.38:0");
    let plan = plan.also("--webhook-names=127.0.0.38").also("--admin=127.0.0.38:0");
    let mut operator = plan.start().unwrap();
    let lines = ["webhook address", "module address", "admin address"];
    let addresses = lines.map(|line| said(&mut operator, line, "addr").parse().unwrap());
    let connect = |address: &SocketAddr| TcpStream::connect(address);
    let _silent = addresses.each_ref().map(|address| connect(address).unwrap());

    operator.ask_to_stop().unwrap();
    let is_open = |address: &SocketAddr| connect(address).is_ok();
    loop {
        let last_first = addresses.iter().rev().map(is_open).collect::<Vec<_>>();
        assert!(last_first.is_sorted_by(|later, earlier| later >= earlier), "{last_first:?}");
        if last_first == [false; 3] {
            break;
        }
    }
    operator.stop().unwrap();
}

#[test]
fn policies_are_told_to_the_pod_itself_and_to_nobody_else() {
    let cluster = LocalCluster::own().unwrap();
    let mut operator = cluster.operator("operator-0").also("--admin=0.0.0.0:0").start().unwrap();
    let port = said(&mut operator, "admin address", "addr").parse::<SocketAddr>().unwrap().port();
    let outside = own_address();
    let ask = |ip: IpAddr, path: &str| Client::new(SocketAddr::new(ip, port)).get(path);
    assert!(ask([127, 0, 0, 1].into(), "/policies").is_ok());
    assert!(ask(outside, "/readyz").is_ok());
    let refused = ask(outside, "/policies").unwrap_err().to_string();
    assert!(refused.contains("403") && refused.contains("port-forward"), "{refused}");
    operator.stop().unwrap();
}
