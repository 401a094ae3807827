//! Proxies that say what they run: real Envoys, at the addresses that pods of a real API server have.

use std::net::{IpAddr, Ipv4Addr};

use corsward_test_harness::cluster::{LocalCluster, TestNamespace};
use corsward_test_harness::envoy_fixture;
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::status::{condition, message};
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::envoy::{Bootstrap, Envoy, Listener, Plugin, Slot, route};
use xtask::{ports, tools};

use crate::specs::{SHOP, allow};

/// The port of a sidecar's metrics.
const METRICS: u16 = 15_090;

/// An Envoy where a pod is, with metrics as Istio's sidecars serve them.
struct Sidecar {
    envoy: Envoy,
    slot: Slot,
    plugin: Plugin,
    _directory: TempDir,
}

// === impl Sidecar ===

impl Sidecar {
    /// With the filter configured so, or without any.
    fn start(ip: IpAddr, configuration: Option<&str>) -> Self {
        let directory = TempDir::new().unwrap();
        let plugin = Plugin::new(&envoy_fixture::module().unwrap());
        let slot = Slot::new(directory.path(), plugin.clone());
        let admin = (Ipv4Addr::LOCALHOST, ports::free()).into();
        let metrics = Listener::new("metrics").at((ip, METRICS).into());
        let metrics = metrics.routes([route("/stats/prometheus", "admin")]);
        let mut bootstrap =
            Bootstrap::new().admin(admin).listener(metrics).upstream("admin", admin);
        if let Some(configuration) = configuration {
            slot.publish(&plugin.clone().configured(configuration), "1").unwrap();
            let main = Listener::new("main").routes([route("/", "admin")]);
            bootstrap = bootstrap.listener(main.http_filter(slot.http_filter()));
        }
        let binary = tools::envoy(&envoy_fixture::envoy_version()).unwrap();
        let envoy = Envoy::start(&binary, &bootstrap, directory.path()).unwrap();
        Self { envoy, slot, plugin, _directory: directory }
    }

    fn configure(&self, configuration: &str) {
        self.slot.publish(&self.plugin.clone().configured(configuration), "2").unwrap();
    }
}

/// An address of this machine that no other process asks for.
fn address(last: u8) -> IpAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    [127, high | 1, low, last].into()
}

/// A pod that nothing runs, and that says it runs at that address.
fn pod(ns: &TestNamespace<'_>, name: &str, ip: IpAddr, containers: &[&str]) {
    let containers: Vec<Value> =
        containers.iter().map(|name| json!({"name": name, "image": "none"})).collect();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "api"}},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "containers": containers,
        },
    });
    let pods = format!("/api/v1/namespaces/{}/pods", ns.name);
    ns.cluster.api().create(&pods, &pod).unwrap();
    let status = json!({"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}});
    ns.cluster.api().merge(&format!("{pods}/{name}/status"), &status).unwrap();
}

/// The only plugin of a namespace.
fn plugin(ns: &TestNamespace<'_>) -> Value {
    let path = format!("/apis/extensions.istio.io/v1alpha1/namespaces/{}/wasmplugins", ns.name);
    let list = ns.cluster.api().get(&path).unwrap().unwrap();
    list["items"][0].clone()
}

#[test]
fn a_policy_is_programmed_where_the_proxies_say_that_they_run_it() {
    let ns = LocalCluster::operated().test_namespace("proxies").unwrap();
    let accounts = "/api/v1/namespaces/proxies/serviceaccounts";
    ns.cluster.api().create(accounts, &json!({"metadata": {"name": "default"}})).unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    let policy = ns.wait_for_in_force("api").unwrap();
    assert_eq!(policy["status"]["summary"]["proxies"], "0/0", "nobody is selected yet");
    let configuration = plugin(&ns)["spec"]["pluginConfig"].to_string();

    let current = Sidecar::start(address(1), Some(&configuration));
    let behind = Sidecar::start(address(2), Some(xtask::envoy::INERT));
    let without_filter = Sidecar::start(address(3), None);
    for (name, last) in [("current", 1), ("behind", 2), ("without-filter", 3), ("away", 4)] {
        pod(&ns, name, address(last), &["app", "istio-proxy"]);
    }
    pod(&ns, "without-sidecar", address(5), &["app"]);

    let policy = ns
        .wait_for("api", "1/5", |policy| {
            policy["status"]["summary"]["proxies"] == "1/5"
                && message(policy, "Programmed").contains("without-filter")
        })
        .unwrap();
    assert_eq!(policy["status"]["proxies"], json!({"matched": 5, "current": 1, "rejected": 0}));
    assert_eq!(condition(&policy, "Programmed"), "Programmed=True PartiallyProgrammed");
    let message = message(&policy, "Programmed");
    for said in [
        "behind (its proxy runs a different configuration)",
        "without-filter (its proxy runs no filter)",
        "without-sidecar (no sidecar)",
        "not at 3",
    ] {
        assert!(message.contains(said), "{said:?} in: {message}");
    }
    assert!(!message.contains("away"), "nothing is known of it: {message}");

    // Istio's agents look again where the object is written again.
    eventually("the plugin to be touched", || {
        plugin(&ns)["metadata"]["annotations"].get("istio.io.corsward.io/refreshed-at").cloned()
    })
    .unwrap();
    without_filter.envoy.stop().unwrap();
    let fetched = Sidecar::start(address(3), Some(&configuration));
    behind.configure(&configuration);
    for gone in ["away", "without-sidecar"] {
        let path = format!("/api/v1/namespaces/proxies/pods/{gone}");
        ns.cluster.api().delete(&path).unwrap();
    }
    let policy = ns
        .wait_for("api", "3/3", |policy| policy["status"]["summary"]["proxies"] == "3/3")
        .unwrap();
    assert_eq!(condition(&policy, "Programmed"), "Programmed=True Programmed");

    // Another origin: what was said of the former version says nothing of this one.
    ns.policy("api", &allow("api", &["https://new.example"])).unwrap();
    let policy = ns.wait_for_conditions("api", &["Programmed=False NotProgrammed"]).unwrap();
    assert_eq!(policy["status"]["summary"]["proxies"], "0/3");
    let configuration = plugin(&ns)["spec"]["pluginConfig"].to_string();
    for sidecar in [&current, &behind, &fetched] {
        sidecar.configure(&configuration);
    }
    let policy = ns.wait_for_conditions("api", &["Programmed=True Programmed"]).unwrap();
    assert_eq!(policy["status"]["summary"]["proxies"], "3/3");
}
