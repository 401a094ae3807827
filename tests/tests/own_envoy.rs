//! `examples/own-envoy` and `examples/own-envoy-native`: their bootstraps in a real Envoy, which client and application should not notice.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use corsward_test_harness::envoy_fixture;
use corsward_test_harness::eventually::eventually;
use serde_json::Value;
use xtask::envoy::{INERT, Shell};
use xtask::process::Process;
use xtask::{paths, ports, tools};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The example's Envoy before an application that accepts one connection after the other.
struct Pod {
    application: TcpListener,
    listener: SocketAddr,
    metrics: SocketAddr,
    _envoy: Process,
    folder: tempfile::TempDir,
}

// === impl Pod ===

impl Pod {
    fn start(shell: Shell) -> Self {
        let application = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for name in ["module", "policies", "run"] {
            fs::create_dir(place(name)).unwrap();
        }
        let (example, file) = match shell {
            Shell::Wasm => ("own-envoy", "corsward_filter.wasm"),
            Shell::Native => ("own-envoy-native", "libcorsward.so"),
        };
        let module = envoy_fixture::module_for(shell).unwrap();
        fs::copy(module, place("module").join(file)).unwrap();
        // What a ConfigMap holds that somebody has damaged.
        fs::write(place("policies/corsward.yaml"), "resources: nonsense").unwrap();
        let [listener, metrics] =
            [ports::free(), ports::free()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let port = application.local_addr().unwrap().port();
        let bootstrap = replaced(
            read(example, "bootstrap.yaml"),
            &[
                ("/etc/corsward-policies", &place("policies").display().to_string()),
                ("/etc/corsward/", &format!("{}/", place("module").display())),
                ("/run/envoy/", &format!("{}/", place("run").display())),
                ("port_value: 8000", &format!("port_value: {}", listener.port())),
                ("port_value: 15090", &format!("port_value: {}", metrics.port())),
            ],
        );
        fs::write(place("bootstrap.yaml"), bootstrap).unwrap();
        let of_pod = replaced(
            config_yaml(),
            &[
                ("$(POD_NAME)", "api-0"),
                ("$(POD_NAMESPACE)", "shop"),
                ("$(POD_LABEL_APP)", "api"),
                ("$(POD_IP)", "127.0.0.1"),
                ("port_value: 8080", &format!("port_value: {port}")),
            ],
        );
        let mut command = Command::new(tools::envoy(&envoy_fixture::envoy_version()).unwrap());
        command.arg("--config-path").arg(place("bootstrap.yaml"));
        command.args(["--disable-hot-restart", "--concurrency", "1", "--config-yaml", &of_pod]);
        command.stderr(fs::File::create(place("log")).unwrap());
        let mut envoy = Process::spawn("the example's Envoy", command).unwrap();
        let log = place("log");
        eventually("the example's Envoy", || {
            if let Some(status) = envoy.exited()? {
                anyhow::bail!("it ended ({status}): {}", fs::read_to_string(&log)?);
            }
            Ok(TcpStream::connect(listener).ok())
        })
        .unwrap();
        Self { application, listener, metrics, _envoy: envoy, folder }
    }

    /// The bytes at the application and at the client, for an application that answers with `answer`.
    fn exchange(&self, request: &[u8], answer: &'static [u8]) -> (String, String) {
        let application = self.serve(answer);
        let received = text(exchange(self.listener, request));
        (text(application.recv_timeout(TIMEOUT).unwrap()), received)
    }

    /// Answers the next connection after the first bytes that come.
    fn serve(&self, answer: &'static [u8]) -> Receiver<Vec<u8>> {
        let application = self.application.try_clone().unwrap();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let (mut stream, _) = application.accept().unwrap();
            let mut bytes = vec![0; 1 << 16];
            let length = stream.read(&mut bytes).unwrap();
            bytes.truncate(length);
            stream.write_all(answer).unwrap();
            sender.send(bytes).unwrap();
        });
        receiver
    }
}

#[test]
fn the_application_and_its_client_see_each_other_s_own_words() {
    for &shell in envoy_fixture::shells() {
        assert_own_words(&Pod::start(shell));
    }
}

fn assert_own_words(pod: &Pod) {
    let (request, answer) = pod.exchange(
        b"GET /a%2fb//c?d HTTP/1.1\r\nHost: api.test\r\nX-MiXed: One\r\nOrigin: https://shop.example\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nServer: app/1\r\nX-AnSwer: Two\r\nContent-Length: 2\r\n\r\nno",
    );
    assert!(request.starts_with("GET /a%2fb//c?d HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nX-MiXed: One\r\n"), "{request}");
    for added in ["x-request-id", "x-envoy-", "x-forwarded-for"] {
        assert!(!request.to_ascii_lowercase().contains(added), "{added}: {request}");
    }
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(answer.contains("\r\nServer: app/1\r\n"), "{answer}");
    assert!(answer.contains("\r\nX-AnSwer: Two\r\n"), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("access-control"), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("x-envoy"), "{answer}");
}

#[test]
fn old_clients_and_tls_pass() {
    let pod = Pod::start(Shell::Wasm);
    let (_, answer) = pod.exchange(
        b"GET / HTTP/1.0\r\nHost: api.test\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    assert!(answer.contains(" 200 OK\r\n") && answer.ends_with("ok"), "{answer}");

    let application = pod.serve(b"not TLS");
    let roots = rustls::RootCertStore::empty();
    let config =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = "api.test".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(config.into(), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let mut stream = TcpStream::connect(pod.listener).unwrap();
    stream.write_all(&hello).unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(application.recv_timeout(TIMEOUT).unwrap(), hello, "byte by byte");
    assert_eq!(&answer, b"not TLS");
}

#[test]
fn metrics_are_all_that_the_admin_interface_shows() {
    for &shell in envoy_fixture::shells() {
        assert_metrics_alone(&Pod::start(shell));
    }
}

fn assert_metrics_alone(pod: &Pod) {
    let get = |path: &str, method: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        text(exchange(pod.metrics, request.as_bytes()))
    };
    let page = get("/stats/prometheus", "GET");
    assert!(page.contains("\ncorsward_config_digest{} 0\n"), "{page}");
    for (path, method) in [
        ("/quitquitquit", "POST"),
        ("/config_dump", "GET"),
        ("/stats/prometheus/../../quitquitquit", "GET"),
        ("/stats/prometheus", "POST"),
    ] {
        assert!(get(path, method).starts_with("HTTP/1.1 404"), "{method} {path}");
    }
    let log = fs::read_to_string(pod.folder.path().join("log")).unwrap();
    let warnings: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("[warning]") && !line.contains("Filesystem config update"))
        // One file serves Envoy 1.38 too.
        .filter(|line| !line.contains("ABI version v0.1.0 is deprecated"))
        .collect();
    assert_eq!(warnings, Vec::<&str>::new());
}

#[test]
fn the_example_says_what_the_documentation_and_the_operator_say() {
    let bootstrap = read("own-envoy", "bootstrap.yaml");
    let inert = bootstrap.lines().find_map(|line| line.trim().strip_prefix("value: '"));
    assert_eq!(inert.unwrap().trim_end_matches('\''), INERT);
    let tags = fs::read_to_string(paths::root().join("docs/stats-tags.yaml")).unwrap();
    let rules = tags.split_once("stats_config:").unwrap().1;
    assert!(bootstrap.contains(rules), "the rules of docs/stats-tags.yaml");

    let document = fs::read_to_string(paths::root().join("docs/own-envoy.md")).unwrap();
    let mark =
        |word: &str| format!("<!-- {word} of examples/own-envoy/bootstrap.yaml: filter -->\n");
    let (_, quoted) = document.split_once(&mark("begin")).unwrap();
    let (quoted, _) = quoted.split_once(&mark("end")).unwrap();
    let indented =
        |text: &str| text.lines().map(|line| format!("      {line}\n")).collect::<String>();
    assert!(bootstrap.contains(&indented(quoted)), "the quotation:\n{quoted}");
}

#[test]
fn the_native_example_differs_in_the_filter_alone() {
    let filters =
        "/static_resources/listeners/0/filter_chains/1/filters/0/typed_config/http_filters/0";
    let [wasm, native] = ["own-envoy", "own-envoy-native"].map(|example| {
        let mut bootstrap: Value =
            serde_saphyr::from_str(&read(example, "bootstrap.yaml")).unwrap();
        let filter = bootstrap.pointer_mut(filters).unwrap().take();
        assert_eq!(filter["name"], "corsward");
        // Rules give metrics of a Wasm filter their labels, and a flag those of a native one their names.
        for metrics in ["stats_config", "layered_runtime"] {
            bootstrap.as_object_mut().unwrap().remove(metrics);
        }
        (bootstrap, filter["config_discovery"].clone())
    });
    assert_eq!(wasm.0, native.0);
    let (wasm, native) = (wasm.1, native.1);
    assert_eq!(wasm["config_source"], native["config_source"]);
    let (wasm, native) = (&wasm["default_config"], &native["default_config"]);
    assert_eq!(wasm["config"]["configuration"], native["filter_config"]);
}

fn read(example: &str, name: &str) -> String {
    fs::read_to_string(paths::root().join("examples").join(example).join(name)).unwrap()
}

/// The manifest's configuration for Envoy beside the bootstrap.
fn config_yaml() -> String {
    let manifest = read("own-envoy", "deployment.yaml");
    let deployment = manifest.split("\n---\n").next().unwrap();
    let deployment: Value = serde_saphyr::from_str(deployment).unwrap();
    let args = deployment["spec"]["template"]["spec"]["initContainers"][1]["args"].as_array();
    args.unwrap().last().unwrap().as_str().unwrap().to_owned()
}

fn replaced(mut text: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        assert!(text.contains(from), "the example does not say `{from}` any more");
        text = text.replace(from, to);
    }
    text
}

/// Sends bytes, and reads until the other side closes.
fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
