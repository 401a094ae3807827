//! The pieces of `render --as bootstrap`, in a real Envoy.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use xtask::envoy::{Bootstrap, Envoy, Listener};
use xtask::{tools, wait, wasm};

const TIMEOUT: Duration = Duration::from_secs(30);

/// What `render` prints for a policy that allows that origin.
fn rendered(folder: &Path, origin: &str, args: &[&str]) -> String {
    let policy = format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: api}}\n\
         spec: {{cors: {{allowOrigins: ['{origin}'], allowMethods: [PUT]}}}}\n"
    );
    fs::write(folder.join("policy.yaml"), policy).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let module = wasm::build().unwrap();
    command.arg("render").args(args).arg("--module").arg(module).arg("policy.yaml");
    let output = command.current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An Envoy whose bootstrap has those pieces.
fn start(folder: &Path, pieces: &str) -> Envoy {
    let pieces: Value = serde_saphyr::from_str(pieces).unwrap();
    let mut listener = Listener::new("main");
    for filter in pieces.get("http_filters").and_then(Value::as_array).unwrap() {
        listener = listener.http_filter(filter.clone());
    }
    let answer = json!({ "match": { "prefix": "/" }, "direct_response": { "status": 200 } });
    let bootstrap = Bootstrap::new().listener(listener.routes([answer]));
    let whole: Value = serde_saphyr::from_str(&bootstrap.render()).unwrap();
    let labels = |of: &Value| of.get("stats_config").cloned().unwrap();
    assert_eq!(labels(&pieces), labels(&whole), "the runner has the same labels");
    Envoy::start(&tools::envoy(tools::ENVOY_VERSION).unwrap(), &bootstrap, folder).unwrap()
}

/// The origin that the answer to a preflight from `origin` allows.
fn allowed(address: SocketAddr, origin: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "OPTIONS / HTTP/1.1\r\nhost: api.example\r\norigin: {origin}\r\naccess-control-request-method: PUT\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix("access-control-allow-origin: "));
    line.map(str::to_owned)
}

#[test]
fn an_envoy_with_the_filter_in_its_bootstrap_runs_the_policies() {
    let folder = tempfile::tempdir().unwrap();
    let pieces = rendered(folder.path(), "https://one.example", &["--as", "bootstrap"]);
    let envoy = start(folder.path(), &pieces);
    let address = envoy.address("main").unwrap();
    assert_eq!(allowed(address, "https://one.example").unwrap(), "https://one.example");
    assert_eq!(allowed(address, "https://two.example"), None);
    envoy.stop().unwrap();
}

#[test]
fn an_envoy_that_watches_a_file_runs_the_policies_until_the_file_has_others() {
    let folder = tempfile::tempdir().unwrap();
    let watched = folder.path().join("watched");
    fs::create_dir(&watched).unwrap();
    let file = watched.join("corsward.yaml");
    // Envoy asks for a file that is there; a damaged one changes nothing.
    fs::write(&file, "resources: nonsense").unwrap();
    let watch = ["--as", "bootstrap", "--watch", file.to_str().unwrap()];
    let envoy = start(folder.path(), &rendered(folder.path(), "https://one.example", &watch));
    let address = envoy.address("main").unwrap();
    assert_eq!(allowed(address, "https://one.example").unwrap(), "https://one.example");

    let others = rendered(folder.path(), "https://two.example", &["--as", "ecds"]);
    fs::write(folder.path().join("next.yaml"), others).unwrap();
    fs::rename(folder.path().join("next.yaml"), &file).unwrap();
    wait::until("the policies of the file", TIMEOUT, || {
        Ok(allowed(address, "https://two.example"))
    })
    .unwrap();
    assert_eq!(allowed(address, "https://one.example"), None);
    envoy.stop().unwrap();
}

#[test]
fn a_file_to_watch_is_for_a_bootstrap() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.args(["render", "--as", "ecds", "--watch", "a.yaml", "policy.yaml"]);
    let output = command.current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "error: --watch is for `--as bootstrap`: leave it out\n");
    assert_eq!(output.status.code(), Some(2));
}
