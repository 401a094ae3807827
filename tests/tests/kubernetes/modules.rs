//! The filter's module, kept and served beside a real API server.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use corsward_operator::kubernetes;
use corsward_operator::modules::{self, ModuleOptions, Modules};
use corsward_test_harness::api_server::collection;
use corsward_test_harness::cluster::{LocalCluster, OPERATOR_NAMESPACE};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::status::message;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use xtask::http::Client;
use xtask::kubernetes::ApiServer;

use crate::roles::own_address;
use crate::specs::{SHOP, allow};

/// A replica's module server, of a release whose module ends with `release`.
struct Replica {
    runtime: Runtime,
    modules: Modules,
    leading: watch::Sender<bool>,
}

/// The Service of a scenario, and where its endpoints are.
struct Stage<'s> {
    server: &'s ApiServer,
    namespace: String,
    /// Endpoints of a Service are never at a loopback address.
    ip: IpAddr,
}

/// An API server that no operator of the other scenarios writes to.
fn cluster() -> &'static LocalCluster {
    static CLUSTER: OnceLock<LocalCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| LocalCluster::own().unwrap())
}

// === impl Stage ===

impl Stage<'_> {
    fn new(name: &str) -> Self {
        let namespace = cluster().test_namespace(name).unwrap().name;
        Self { server: &cluster().server, namespace, ip: own_address() }
    }

    /// The module of a release.
    fn file(&self, release: &str) -> PathBuf {
        let file = self.server.directory().join(format!("{}-{release}.wasm", self.namespace));
        std::fs::write(&file, [b"\0asm\x01\0\0\0", release.as_bytes()].concat()).unwrap();
        file
    }

    fn replica(&self, release: &str, leads: bool) -> Replica {
        let file = self.file(release);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let (leading, leads) = watch::channel(leads);
        let kubeconfig = self.server.kubeconfig();
        let modules = runtime.block_on(async {
            let client = kubernetes::client(Some(&kubeconfig)).await.unwrap();
            let options = self.options(file);
            modules::start(client, options, leads, Arc::default()).await.unwrap()
        });
        Replica { runtime, modules, leading }
    }

    fn options(&self, file: PathBuf) -> ModuleOptions {
        ModuleOptions {
            file,
            namespace: self.namespace.clone(),
            service: "corsward".into(),
            addr: SocketAddr::new(self.ip, 0),
            keep: Duration::from_secs(1),
        }
    }

    /// Says where an endpoint of the Service is, and in which conditions.
    fn endpoint(&self, name: &str, port: u16, conditions: &Value) {
        let path = format!(
            "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices/{name}",
            self.namespace
        );
        let family = if self.ip.is_ipv4() { "IPv4" } else { "IPv6" };
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "corsward"}},
            "addressType": family,
            "ports": [{"name": "http-modules", "port": port}],
            "endpoints": [{"addresses": [self.ip.to_string()], "conditions": conditions}],
        });
        self.server.api().apply(&path, &slice).unwrap();
    }

    /// The address of a server that answers as a replica without the module does, until the test ends.
    fn server_without_modules(&self) -> SocketAddr {
        let listener = TcpListener::bind((self.ip, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(
                    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                );
            }
        });
        addr
    }

    /// The modules that are kept.
    fn kept(&self) -> Vec<Value> {
        let path = format!(
            "/api/v1/namespaces/{}/configmaps?labelSelector=corsward.io/module",
            self.namespace
        );
        let list = self.server.api().get(&path).unwrap().unwrap();
        list["items"].as_array().unwrap().clone()
    }

    #[track_caller]
    fn wait_for_kept(&self, modules: &[&Replica]) -> Vec<Value> {
        let mut wanted: Vec<&str> = modules.iter().map(|r| &*r.modules.module.sha256).collect();
        wanted.sort_unstable();
        eventually(&format!("{wanted:?} to be kept"), || {
            let maps = self.kept();
            let digest = |map: &Value| map["metadata"]["annotations"]["corsward.io/sha256"].clone();
            let mut kept: Vec<Value> = maps.iter().map(digest).collect();
            kept.sort_by_key(ToString::to_string);
            (kept == wanted).then_some(maps)
        })
        .unwrap()
    }
}

// === impl Replica ===

impl Replica {
    fn stop(self) {
        self.runtime.block_on(self.modules.server.stop());
    }
}

#[test]
fn a_plugin_names_a_module_when_every_ready_server_has_it() {
    let cluster = LocalCluster::own().unwrap();
    let stage =
        Stage { server: &cluster.server, namespace: OPERATOR_NAMESPACE.into(), ip: own_address() };
    let start = |pod: &str| {
        // The chart's roles are for an image.
        let plan = cluster.operator(pod).kubeconfig(cluster.server.kubeconfig());
        let plan = plan.also(&format!("--module={}", stage.file(pod).display()));
        let plan = plan.also(&format!("--module-addr={}", SocketAddr::new(stage.ip, 0)));
        let mut operator = plan.also("--module-service=corsward").start().unwrap();
        let line = operator.wait_for_line("module address").unwrap();
        let address: SocketAddr = line["addr"].as_str().unwrap().parse().unwrap();
        (operator, address, line["url"].as_str().unwrap().to_owned())
    };
    let (mut newer, address, url) = start("newer");
    newer.wait_for_line("this replica started leading").unwrap();
    let ns = cluster.test_namespace("servers").unwrap();
    ns.policy("api", &allow("api", &[SHOP])).unwrap();
    let told = |part: &str| {
        let says = |policy: &Value| message(policy, "Programmed").contains(part);
        ns.wait_for("api", &format!("told `{part}`"), says).unwrap();
    };
    told("the Service `corsward-system/corsward` has no ready endpoint");

    let free = TcpListener::bind((stage.ip, 0)).unwrap();
    let unused = free.local_addr().unwrap();
    drop(free);
    stage.endpoint("older", unused.port(), &json!({"ready": true}));
    stage.endpoint("newer", address.port(), &json!({"ready": true}));
    told(&format!("waiting for 1 of 2 module servers ({unused}: it cannot be reached)"));
    assert!(ns.published().unwrap().is_empty());

    // Where the other replica is of another release, it has the module from the leader.
    let (_older, address, _) = start("older");
    stage.endpoint("older", address.port(), &json!({"ready": true}));
    ns.wait_for_in_force("api").unwrap();
    let plugin = ns.only_published().unwrap().plugin().clone();
    let path = format!("/filter-{}.wasm", plugin["sha256"].as_str().unwrap());
    assert_eq!((&plugin["url"], url.ends_with(&path)), (&json!(url), true));
    assert_eq!(Client::new(address).get(&path).unwrap(), "\0asm\x01\0\0\0newer");
}

#[test]
fn a_server_that_is_not_ready_is_not_waited_for() {
    let stage = Stage::new("unready");
    let replica = stage.replica("only", true);
    stage.endpoint("dead", 1, &json!({"ready": false}));
    stage.endpoint("alive", replica.modules.server.addr.port(), &json!({"ready": true}));
    eventually("the gate to open", || replica.modules.module_readiness.borrow().is_none()).unwrap();
    stage.endpoint("dead", 1, &json!({"ready": true}));
    eventually("the gate to close", || replica.modules.module_readiness.borrow().clone()).unwrap();
    replica.stop();
}

#[test]
fn a_server_that_stops_is_waited_for_while_it_answers_without_the_module() {
    let stage = Stage::new("stopping");
    let stops = json!({"ready": false, "serving": true, "terminating": true});
    let away = TcpListener::bind((stage.ip, 0)).unwrap();
    let gone = away.local_addr().unwrap();
    drop(away);
    stage.endpoint("gone", gone.port(), &stops);
    // It answers, and it knows one module for as long as it is told of no other.
    let lacking = stage.server_without_modules();
    stage.endpoint("older", lacking.port(), &stops);
    let newer = stage.replica("newer", true);
    stage.endpoint("newer", newer.modules.server.addr.port(), &json!({"ready": true}));
    let waits =
        format!("waiting for 1 of 3 module servers ({lacking}: it does not have the module yet)");
    eventually("the gate to be closed", || {
        newer.modules.module_readiness.borrow().as_ref() == Some(&waits)
    })
    .unwrap();
    // Its place is taken by a replica that has what is stored.
    let older = stage.replica("older", false);
    stage.endpoint("older", older.modules.server.addr.port(), &stops);
    eventually("the gate to open", || newer.modules.module_readiness.borrow().is_none()).unwrap();
    older.stop();
    newer.stop();
}

#[test]
fn modules_are_kept_while_a_plugin_names_them_and_collected_afterwards() {
    let stage = Stage::new("kept");
    let older = stage.replica("older", true);
    stage.endpoint("older", older.modules.server.addr.port(), &json!({"ready": true}));
    let plugin = json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "WasmPlugin",
        "metadata": {
            "name": "corsward",
            "labels": { "corsward.io/module": older.modules.module.sha256.get(..12) },
        },
        "spec": { "url": "http://corsward.kept.svc/filter.wasm", "sha256": older.modules.module.sha256 },
    });
    let plugins = collection("kept", "wasmplugins");
    stage.server.api().create(&plugins, &plugin).unwrap();
    let maps = stage.wait_for_kept(&[&older]);
    let short = older.modules.module.sha256.get(..12).unwrap();
    assert_eq!(maps[0]["metadata"]["name"], format!("corsward-module-{short}"));
    assert_eq!(maps[0]["immutable"], true);

    // Another release leads, and the plugin still names the older one's module.
    older.leading.send_replace(false);
    let newer = stage.replica("newer", true);
    stage.wait_for_kept(&[&older, &newer]);
    // Deleted by somebody, it is made again.
    let own = newer.modules.module.sha256.get(..12).unwrap();
    let path = format!("/api/v1/namespaces/kept/configmaps/corsward-module-{own}");
    stage.server.api().delete(&path).unwrap();
    stage.wait_for_kept(&[&older, &newer]);

    stage.server.api().delete(&format!("{plugins}/corsward")).unwrap();
    stage.wait_for_kept(&[&newer]);
    older.stop();
    newer.stop();
}
