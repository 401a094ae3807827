//! The order of a stop in a cluster: readiness, the Lease, then the server of the webhook, that of the module, and the admin server.

use std::convert::Infallible;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use corsward_test_harness::cluster::Operator;
use corsward_test_harness::eventually::{PATIENCE, eventually};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::harness::command;

/// The module without content, and its path.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const MODULE_PATH: &str =
    "/filter-93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476.wasm";

/// An API server without objects, but for one Lease. The write that gives the Lease back is told, and waits.
#[derive(Clone)]
struct FakeApiServer {
    lease: Arc<Mutex<Option<Value>>>,
    releases: Sender<()>,
    go_on: Arc<Semaphore>,
}

// === impl FakeApiServer ===

impl FakeApiServer {
    /// Starts one; says its address, and when the Lease is being given back.
    fn start(runtime: &Runtime) -> (Self, SocketAddr, Receiver<()>) {
        let (releases, told) = channel();
        let (lease, go_on) = (Arc::default(), Arc::new(Semaphore::new(0)));
        let api = Self { lease, releases, go_on };
        let router = Router::new().fallback(Self::answer).with_state(api.clone());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await });
        (api, addr, told)
    }

    async fn answer(State(api): State<Self>, method: Method, uri: Uri, body: Bytes) -> Response {
        let is_lease = uri.path().contains("/leases");
        if method == Method::GET && is_lease {
            let missing =
                json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404});
            let lease = api.lease.lock().unwrap().clone();
            return lease.map_or((StatusCode::NOT_FOUND, Json(missing)).into_response(), |lease| {
                Json(lease).into_response()
            });
        }
        if method == Method::GET {
            if uri.query().is_some_and(|query| query.contains("watch=true")) {
                let silence = futures::stream::pending::<Result<Bytes, Infallible>>();
                return Body::from_stream(silence).into_response();
            }
            let metadata = json!({"resourceVersion": "1"});
            let list =
                json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": []});
            return Json(list).into_response();
        }
        let mut object: Value = serde_json::from_slice(&body).unwrap_or_default();
        if is_lease {
            if object["spec"]["holderIdentity"] == "" {
                api.releases.send(()).unwrap();
                api.go_on.acquire().await.unwrap().forget();
            }
            object["metadata"]["resourceVersion"] = json!("1");
            *api.lease.lock().unwrap() = Some(object.clone());
        }
        Json(object).into_response()
    }
}

/// Asks a module server for the head of the module, on a connection that goes on.
fn ask_for_module(stream: &mut TcpStream) {
    let request = format!("HEAD {MODULE_PATH} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head));
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn wait_for_refusal(what: &str, addr: SocketAddr) {
    eventually(what, || TcpStream::connect(addr).is_err()).unwrap();
}

#[test]
fn readiness_ends_before_the_lease_and_servers_serve_until_it_is_given_back_one_after_the_other() {
    let runtime = Runtime::new().unwrap();
    let (api, addr, released) = FakeApiServer::start(&runtime);
    let dir = tempfile::tempdir().unwrap();
    let (module, kubeconfig) = (dir.path().join("filter.wasm"), dir.path().join("kubeconfig"));
    fs::write(&module, MODULE).unwrap();
    let config = json!({
        "clusters": [{"name": "a", "cluster": {"server": format!("http://{addr}")}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "users": [{"name": "a", "user": {}}],
        "current-context": "a",
    });
    fs::write(&kubeconfig, config.to_string()).unwrap();
    let any = "127.0.0.1:0";
    let mut run = command();
    run.args(["run", "--log-format", "json", "--source", "kube", "--publish", "istio"])
        .args(["--istio-kind", "WasmPlugin", "--drain", "0"])
        .args(["--admin", any, "--module-addr", any, "--webhook-addr", any])
        .arg("--module")
        .arg(module)
        .arg("--kubeconfig")
        .arg(kubeconfig);
    let mut operator = Operator::spawn("operator", run, None).unwrap().ready().unwrap();
    let mut address = |message| {
        let line = operator.wait_for_line(message).unwrap();
        line["addr"].as_str().unwrap().parse::<SocketAddr>().unwrap()
    };
    let (admin, webhook) = (address("admin address"), address("webhook address"));
    let modules = address("module address");
    eventually("the Lease to be taken", || api.lease.lock().unwrap().is_some()).unwrap();

    // Each keeps its server from ending: a handshake that has yet to begin, and half a request.
    let silent = connect(webhook);
    let mut last = connect(webhook);
    last.write_all(b"no handshake\r\n").unwrap();
    // Connections are accepted in their order: the server has the silent one, too.
    let _ = last.read_to_end(&mut Vec::new());
    let mut fetching = connect(modules);
    fetching.write_all(format!("GET {MODULE_PATH} HTTP/1.1\r\nhost: a\r\n").as_bytes()).unwrap();
    ask_for_module(&mut connect(modules));

    operator.ask_to_stop().unwrap();
    released.recv_timeout(PATIENCE).unwrap();
    assert_eq!(operator.status("/readyz").unwrap(), 503, "not ready before the Lease is free");
    assert_eq!(operator.status("/healthz").unwrap(), 200);
    drop(connect(webhook));
    ask_for_module(&mut connect(modules));

    api.go_on.add_permits(1);
    wait_for_refusal("the webhook's server to stop", webhook);
    ask_for_module(&mut connect(modules));
    assert_eq!(operator.status("/readyz").unwrap(), 503);

    drop(silent);
    wait_for_refusal("the module's server to stop", modules);
    assert_eq!(operator.status("/readyz").unwrap(), 503);

    // What has begun is answered.
    fetching.write_all(b"\r\n").unwrap();
    let mut answer = Vec::new();
    fetching.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(MODULE), "{answer:?}");
    let lines = operator.into_lines();
    assert_eq!(lines.last().unwrap()["message"], "stopped");
    assert!(TcpStream::connect(admin).is_err(), "it has ended");
}
