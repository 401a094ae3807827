//! Kubeconfig: the files, the contexts and the proxies that the commands for clusters use. The API server is one that does not exist.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use corsward_test_harness::stub::{self, Reply};

/// The variables that name a proxy, or exceptions from it.
const VARIABLES: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// `corsward doctor` in a folder: its text, and its exit code.
fn doctor(folder: &Path, variables: &[(&str, &str)]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.arg("doctor").current_dir(folder).env("HOME", folder).env("KUBECONFIG", "kubeconfig");
    let said = command.envs(variables.iter().copied()).output().unwrap();
    let text = [said.stdout, said.stderr].concat();
    (String::from_utf8(text).unwrap(), said.status.code())
}

fn kubeconfig(server: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: test, cluster: {{server: '{server}'{more}}}}}]\n\
         contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n\
         users: [{{name: test, user: {{token: none}}}}]\n"
    )
}

/// A proxy that takes no connection further: its address, and the first bytes of each client, as text.
fn proxy() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, first) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 64];
            let len = stream.read(&mut bytes).unwrap_or_default();
            let first = bytes.get(..len).unwrap_or_default();
            // Before the answer, after which the command may end.
            let _ = sender.send(String::from_utf8_lossy(first).into_owned());
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (address, first)
}

#[test]
fn a_proxy_of_the_kubeconfig_or_of_the_environment_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (address, first) = proxy();
    let (http, socks) = (format!("http://{address}"), format!("socks5://{address}"));
    let server = "https://api.corsward.invalid:6443";
    let asked = |more: &str, variables: &[(&str, &str)]| {
        fs::write(folder.path().join("kubeconfig"), kubeconfig(server, more)).unwrap();
        let (text, code) = doctor(folder.path(), variables);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("does not answer"), "{text}");
        first.try_recv().ok()
    };
    let of_cluster = |url: &str| format!(", proxy-url: '{url}'");
    let connect = |asked: Option<String>| {
        asked.is_some_and(|it| it.starts_with("CONNECT api.corsward.invalid:6443 "))
    };
    assert!(connect(asked("", &[("HTTPS_PROXY", &http)])));
    assert!(connect(asked("", &[("https_proxy", &address.to_string())])));
    assert!(connect(asked(&of_cluster(&http), &[])));
    // The exceptions are about the API server, not about the proxy, and not for a cluster that names its own.
    assert!(connect(asked("", &[("HTTPS_PROXY", &http), ("NO_PROXY", "127.0.0.1,localhost")])));
    let all = [("HTTPS_PROXY", http.as_str()), ("NO_PROXY", ".corsward.invalid")];
    assert_eq!(asked("", &all), None);
    assert!(connect(asked(&of_cluster(&http), &all)));
    assert!(asked(&of_cluster(&socks), &[]).is_some_and(|it| it.starts_with('\u{5}')));
}

#[test]
fn a_server_on_this_machine_is_asked_without_the_proxy_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        answering("200 OK", "{\"major\": \"1\", \"minor\": \"20\", \"gitVersion\": \"v1.20\"}");
    let path = folder.path().join("kubeconfig");
    fs::write(path, kubeconfig(&format!("http://{server}"), "")).unwrap();
    let (address, first) = proxy();
    let url = format!("http://{address}");
    let (text, _) = doctor(folder.path(), &[("HTTPS_PROXY", &url), ("HTTP_PROXY", &url)]);
    assert!(text.contains("v1.20 at http://127.0.0.1"), "{text}");
    assert!(first.try_recv().is_err());
}

#[test]
fn a_file_that_is_absent_counts_for_nothing_and_one_with_a_fault_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        answering("200 OK", "{\"major\": \"1\", \"minor\": \"20\", \"gitVersion\": \"v1.20\"}");
    let path = folder.path().join("kubeconfig");
    fs::write(&path, kubeconfig(&format!("http://{server}"), "")).unwrap();
    let (text, code) = doctor(folder.path(), &[("KUBECONFIG", "/nonexistent:kubeconfig")]);
    assert!(code == Some(1) && text.contains("v1.20 at http://127.0.0.1"), "{text}");
    let (text, code) = doctor(folder.path(), &[("KUBECONFIG", "/nonexistent")]);
    assert!(code == Some(2) && text.contains("KUBECONFIG: none of its files is there"), "{text}");
    let (text, code) = doctor(folder.path(), &[("KUBECONFIG", "")]);
    assert!(code == Some(2) && text.contains("no cluster is configured"), "{text}");
    fs::write(&path, "clusters: 1\n").unwrap();
    let (text, code) = doctor(folder.path(), &[]);
    assert!(code == Some(2) && text.contains("KUBECONFIG: "), "{text}");
}

/// A server with that answer to all requests.
fn answering(status: &'static str, body: &'static str) -> SocketAddr {
    let reply = Reply { status, body: body.to_owned(), ..Reply::default() };
    stub::serve(Ipv4Addr::LOCALHOST, move |_| reply.clone()).unwrap()
}

#[test]
fn the_hint_about_an_api_server_is_that_of_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    for (status, body, hint) in [
        ("200 OK", "<html>", "compare the address with `kubectl cluster-info`"),
        ("401 Unauthorized", "no", "log in again"),
        ("403 Forbidden", "no", "log in again"),
        ("500 Internal Server Error", "no", "try it again later"),
    ] {
        let server = answering(status, body);
        let path = folder.path().join("kubeconfig");
        fs::write(path, kubeconfig(&format!("http://{server}"), "")).unwrap();
        let (text, code) = doctor(folder.path(), &[]);
        assert!(code == Some(1) && text.contains(hint), "{status}: {text}");
    }
}
