//! API servers that answer otherwise than Kubernetes does: each answer has a bound, and an error names the server, the path and the reason.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use corsward_test_harness::stub::{self, Reply};
use corsward_test_harness::support_archive::unpacked;
use serde_json::{Value, json};

/// The text of standard output and of standard error, and the exit code.
fn corsward(server: SocketAddr, folder: &Path, args: &[&str]) -> (String, Option<i32>) {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{ "name": "test", "cluster": { "server": format!("http://{server}") } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
        "users": [{ "name": "test", "user": { "token": "none" } }],
    });
    fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let command = command.args(args).args(["--kubeconfig", "kubeconfig"]).current_dir(folder);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

/// A server that answers by the path and the query.
fn serve(answer: impl Fn(&str, &str) -> Value + Send + 'static) -> SocketAddr {
    let answer = move |request: &stub::Request| {
        let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
        let body = answer(path, query);
        let status = if body.is_null() { "404 Not Found" } else { "200 OK" };
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        Reply { status, body, ..Reply::default() }
    };
    stub::serve(Ipv4Addr::LOCALHOST, answer).unwrap()
}

/// A server that writes a head, and then what `body` writes.
fn streaming(body: impl Fn(&mut std::net::TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let body = body.clone();
            thread::spawn(move || {
                let lines = BufReader::new(connection.try_clone().unwrap()).lines();
                let _ = lines.map_while(Result::ok).find(String::is_empty);
                let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
                body(&mut connection);
            });
        }
    });
    address
}

#[test]
fn an_answer_that_is_no_list_is_no_empty_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let objects = "the answer is no list of objects";
    for (body, reason) in [
        ("null", "the answer is no object of JSON"),
        ("[]", "the answer is no object of JSON"),
        ("<html>log in</html>", "the answer is no JSON: "),
        (r#"{"items": 5, "metadata": []}"#, objects),
        (r#"{"items": [null, 5, "x"]}"#, objects),
        (r#"{"kind": "Status", "status": "Success"}"#, objects),
        (r#"{"items": [], "metadata": {"continue": "abc"}}"#, "the list repeats its page `abc`"),
    ] {
        let server = serve(move |_, _| Value::from(body));
        let (text, code) = corsward(server, folder.path(), &["check", "--cluster"]);
        let path = "/apis/corsward.io/v1alpha1/corspolicies";
        assert_eq!(code, Some(2), "{body}: {text}");
        assert!(
            text.contains(&format!("ask http://{server}, of context test: {path}: {reason}")),
            "{body}: {text}"
        );
        // The version is the first question of the others.
        let (text, code) = corsward(server, folder.path(), &["doctor"]);
        assert!(code == Some(1) && text.contains("/version: the answer "), "{body}: {text}");
        let (text, code) = corsward(server, folder.path(), &["collect"]);
        assert!(code == Some(2) && text.contains("/version: the answer "), "{body}: {text}");
    }
}

#[test]
fn a_redirect_and_an_error_of_another_server_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (status, headers, body, reason) in [
        (
            "302 Found",
            "location: /login\r\n",
            "",
            "the answer is a redirect (302 Found) to `/login`",
        ),
        ("502 Bad Gateway", "", "<html>\u{1b}[31m", "<html>\\u{1b}[31m (502)"),
    ] {
        let reply = Reply { status, headers: headers.to_owned(), body: body.to_owned() };
        let server = stub::serve(Ipv4Addr::LOCALHOST, move |_| reply.clone()).unwrap();
        let (text, code) = corsward(server, folder.path(), &["check", "--cluster"]);
        assert!(code == Some(2) && text.contains(reason), "{text}");
    }
}

#[test]
fn an_answer_without_an_end_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let check = ["check", "--cluster", "--request-timeout", "1"];
    for silent in [
        streaming(|connection| drop(connection.write_all(b"{").map(|()| thread::park()))),
        stub::serve(Ipv4Addr::LOCALHOST, |_| {
            loop {
                thread::park();
            }
        })
        .unwrap(),
    ] {
        let (text, code) = corsward(silent, folder.path(), &check);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("corspolicies: there is no whole answer within 1 s"), "{text}");
    }
    let endless = streaming(|connection| {
        let spaces = [b' '; 0x4000];
        while connection.write_all(&spaces).is_ok() {}
    });
    let (text, code) = corsward(endless, folder.path(), &["doctor"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("/version: the answer is longer than 67108864 bytes"), "{text}");
}

/// A cluster with one policy in a namespace, and one operator.
fn cluster(
    namespace: &'static str,
    enforcement: &'static str,
) -> impl Fn(&str, &str) -> Value + Send + 'static {
    move |path, _| {
        let policy = json!({
            "metadata": { "namespace": namespace, "name": "api" },
            "spec": { "cors": { "allowOrigins": ["https://app.example"], "maxAge": 600 } },
        });
        let deployment = json!({
            "metadata": { "namespace": "cors", "name": "corsward" },
            "spec": {
                "selector": { "matchLabels": { "app": "corsward" } },
                "template": { "spec": { "containers": [{ "args": ["--enforcement=switch"] }] } },
            },
        });
        match path {
            "/version" => json!({ "major": "1", "minor": "34", "gitVersion": "v1.34.2" }),
            "/apis/corsward.io/v1alpha1/corspolicies" => json!({ "items": [policy] }),
            "/apis/apps/v1/deployments" => json!({ "items": [deployment] }),
            "/api/v1/namespaces/cors/configmaps/switch" if enforcement.is_empty() => Value::Null,
            "/api/v1/namespaces/cors/configmaps/switch" => {
                json!({ "data": { "enforcement": enforcement } })
            }
            _ => json!({ "items": [] }),
        }
    }
}

#[test]
fn the_switch_of_the_operator_counts_for_the_answer_of_its_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let page = ["--origin", "https://app.example", "--url", "https://api.example/"];
    let unseen = "note: the switch `enforcement` of the operator is not seen, and counts as On: ";
    for (enforcement, code, said) in [
        ("On", 0, "the page reads the response"),
        ("Off", 1, "the operator's switch `enforcement: Off` keeps it from answering"),
        ("Of", 0, &format!("{unseen}it says `Of`")),
        ("", 0, unseen),
    ] {
        let server = serve(cluster("shop", enforcement));
        let args = [&["explain", "--cluster"], &page[..]].concat();
        let (text, exit) = corsward(server, folder.path(), &args);
        assert!(exit == Some(code) && text.contains(said), "{enforcement}: {text}");
        assert_eq!(text.contains(unseen), !["On", "Off"].contains(&enforcement), "{text}");
    }
}

#[test]
fn an_archive_asks_for_each_list_once_and_its_names_stay_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (seen, answer) = (Arc::clone(&asked), cluster("../shop", "On"));
    let server = serve(move |path, query| {
        seen.lock().unwrap().push(format!("{path}?{query}"));
        answer(path, query)
    });
    let (text, code) = corsward(server, folder.path(), &["collect", "-o", "case.tar.gz"]);
    assert_eq!(code, Some(0), "{text}");
    let asked = asked.lock().unwrap();
    for list in ["corsward.io/v1alpha1/corspolicies", "apps/v1/deployments"] {
        let times = asked.iter().filter(|it| it.contains(list)).count();
        assert_eq!(times, 1, "{list}: {asked:#?}");
    }
    let files = unpacked(folder.path(), "case.tar.gz").unwrap();
    assert!(files.contains_key("namespaces/_/shop/namespace.yaml"), "{:#?}", files.keys());
}
