//! The filter's module, kept and served beside a real API server.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use corsward_operator::kubernetes;
use corsward_operator::metrics::publishing::Publishing;
use corsward_operator::modules::{self, ModuleOptions, Modules};
use corsward_operator_core::publish::istio::IstioKind;
use corsward_operator_core::publish::output::Output;
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use xtask::http::Client;
use xtask::kubernetes::ApiServer;

use crate::publishing::{Publisher, bundle, cluster, workloads};

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

// === impl Stage ===

impl Stage<'_> {
    fn new(name: &str) -> Self {
        let namespace = cluster().test_namespace(name).unwrap().name;
        // Nothing is sent: the system only says which address it would send from.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("198.51.100.1:1").unwrap();
        let ip = socket.local_addr().unwrap().ip();
        Self { server: &cluster().server, namespace, ip }
    }

    fn replica(&self, release: &str, leads: bool) -> Replica {
        let file = self.server.directory().join(format!("{}-{release}.wasm", self.namespace));
        std::fs::write(&file, [b"\0asm\x01\0\0\0", release.as_bytes()].concat()).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let (leading, leads) = watch::channel(leads);
        let kubeconfig = self.server.kubeconfig();
        let modules = runtime.block_on(async {
            let client = kubernetes::client(Some(&kubeconfig)).await.unwrap();
            let (options, plugins) = (self.options(file), IstioKind::resources());
            let metrics = Publishing::default();
            modules::start(client, options, &plugins, leads, metrics).await.unwrap()
        });
        Replica { runtime, modules, leading }
    }

    fn options(&self, file: PathBuf) -> ModuleOptions {
        ModuleOptions {
            file,
            namespace: self.namespace.clone(),
            service: "corsward".into(),
            port: 80,
            addr: SocketAddr::new(self.ip, 0),
            base_url: None,
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
    fn output(&self) -> Output {
        let module = self.modules.module.clone();
        Output::Istio { kind: IstioKind::WasmPlugin, module }
    }

    /// Its answer to a request for a different replica's module.
    fn serves(&self, other: &Self) -> Option<String> {
        let path = format!("/filter-{}.wasm", other.modules.module.sha256);
        Client::new(self.modules.addr).get(&path).ok()
    }

    fn stop(self) {
        self.runtime.block_on(self.modules.stop());
    }
}

#[test]
fn a_plugin_names_a_module_when_every_ready_server_has_it() {
    let stage = Stage::new("servers");
    let newer = stage.replica("newer", true);
    let module_readiness = newer.modules.module_readiness.clone();
    let mut publisher =
        Publisher::module_not_ready(stage.server, &newer.output(), module_readiness).introduced();
    let ours = bundle(&workloads(&stage.namespace, &[]), "1");
    publisher.want(&[&ours], &[]);
    publisher.wait_for_error(&ours.key, "the Service `servers/corsward` has no ready endpoint");

    let free = TcpListener::bind((stage.ip, 0)).unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    stage.endpoint("older", nobody.port(), &json!({"ready": true}));
    stage.endpoint("newer", newer.modules.addr.port(), &json!({"ready": true}));
    let waits = format!("waiting for 1 of 2 module servers ({nobody}: it cannot be reached)");
    publisher.wait_for_error(&ours.key, &waits);
    let path = "/apis/extensions.istio.io/v1alpha1/namespaces/servers/wasmplugins/corsward";
    assert_eq!(stage.server.api().get(path).unwrap(), None);

    // Where the other replica is of another release, it has the module from the leader.
    let older = stage.replica("older", false);
    stage.endpoint("older", older.modules.addr.port(), &json!({"ready": true}));
    publisher.wait_for_published(&ours);
    let plugin = stage.server.api().get(path).unwrap().unwrap();
    let sha256 = &newer.modules.module.sha256;
    assert_eq!(plugin["spec"]["sha256"], sha256.as_str());
    let url = format!("http://corsward.servers.svc:80/filter-{sha256}.wasm");
    assert_eq!(plugin["spec"]["url"], url);
    assert_eq!(older.serves(&newer).as_deref(), Some("\0asm\x01\0\0\0newer"));
    publisher.kill();
    older.stop();
    newer.stop();
}

#[test]
fn a_server_that_is_not_ready_is_not_waited_for() {
    let stage = Stage::new("unready");
    let replica = stage.replica("only", true);
    stage.endpoint("dead", 1, &json!({"ready": false}));
    stage.endpoint("alive", replica.modules.addr.port(), &json!({"ready": true}));
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
    stage.endpoint("newer", newer.modules.addr.port(), &json!({"ready": true}));
    let waits =
        format!("waiting for 1 of 3 module servers ({lacking}: it does not have the module yet)");
    eventually("the gate to be closed", || {
        newer.modules.module_readiness.borrow().as_ref() == Some(&waits)
    })
    .unwrap();
    // Its place is taken by a replica that has what is stored.
    let older = stage.replica("older", false);
    stage.endpoint("older", older.modules.addr.port(), &stops);
    eventually("the gate to open", || newer.modules.module_readiness.borrow().is_none()).unwrap();
    older.stop();
    newer.stop();
}

#[test]
fn modules_are_kept_while_a_plugin_names_them_and_collected_afterwards() {
    let stage = Stage::new("kept");
    let older = stage.replica("older", true);
    stage.endpoint("older", older.modules.addr.port(), &json!({"ready": true}));
    let module_readiness = older.modules.module_readiness.clone();
    let mut publisher =
        Publisher::module_not_ready(stage.server, &older.output(), module_readiness).introduced();
    let ours = bundle(&workloads(&stage.namespace, &[]), "1");
    publisher.want(&[&ours], &[]);
    publisher.wait_for_published(&ours);
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

    publisher.want(&[], &[&ours]);
    stage.wait_for_kept(&[&newer]);
    publisher.kill();
    older.stop();
    newer.stop();
}
