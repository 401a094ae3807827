//! Hostile texts: a name with a line break or an escape of a terminal stays a part of its line, in every command.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use corsward_test_harness::stub::{self, Reply};
use serde_json::json;

/// A text that would begin a workflow command, in YAML's double quotes.
const EVIL: &str = r"x\e[31m\e]0;t\a\r\n::error file=a::pwned\n##[error]pwned\u202e";
/// The same text.
const RAW: &str = "x\u{1b}[31m\u{1b}]0;t\u{7}\r\n::error file=a::pwned\n##[error]pwned\u{202e}";

/// Runs a command in a folder, and checks that its text has no character of a terminal and no line of another's.
fn run(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let output = command.args(args).current_dir(folder).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(text.contains("pwned"), "the text is not in the output of {args:?}: {text}");
    let is_foreign = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(is_foreign), "{args:?}: {text:?}");
    for line in text.lines() {
        let begins = ["::error file=a", "##["].iter().any(|it| line.trim_start().starts_with(it));
        assert!(!begins, "{args:?}: {text}");
    }
    text
}

fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: \"{name}\"}}\nspec:\n{spec}"
    )
}

#[test]
fn names_and_values_of_files_stay_in_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let cors = "  cors: {allowOrigins: ['https://app.example'], maxAge: 600}\n";
    let spec = format!(
        "  hostnames: [\"h{EVIL}\"]\n  \"foo{EVIL}\": 1\n  cors: {{allowOrigins: [\"https://a.b{EVIL}\"]}}\n"
    );
    write("evil.yaml", &policy(EVIL, &spec));
    let file = format!("{}.yaml", RAW.replace('/', ""));
    write(&file, &policy("named", "  cors: 1\n"));
    for args in [
        &["check", "evil.yaml"][..],
        &["check", "--fix", "evil.yaml"],
        &["check", "-o", "github", "evil.yaml"],
        &["check", &file],
        &["check", "-o", "github", &file],
        &["check", &format!("--pwned{RAW}")],
        &["check", "-o", RAW],
        &["render", "evil.yaml"],
        &["diff", "evil.yaml", "evil.yaml"],
        &[
            "explain",
            &format!("missing {RAW}"),
            "--origin",
            "https://a.example",
            "--url",
            "https://b.example",
        ],
        &["test", &format!("missing {RAW}")],
    ] {
        run(folder, args);
    }
    write("old.yaml", &policy("api", cors));
    let result = format!(
        "- {{name: \"{EVIL}\", origin: https://app.example, url: https://api.example/, result: refused}}"
    );
    write(
        "corsward-test.yaml",
        &format!(
            "apiVersion: cli.corsward.io/v1alpha1\nkind: Test\nmetadata: {{name: \"{EVIL}\"}}\npolicies: [old.yaml]\nresults:\n{result}\n"
        ),
    );
    run(folder, &["test", "corsward-test.yaml"]);
    write("unknown.yaml", &format!("apiVersion: \"{EVIL}\"\n"));
    run(folder, &["test", "unknown.yaml"]);
}

#[test]
fn answers_of_servers_stay_in_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let escape = "HTTP/1.1 302 Found\r\naccess-control-allow-origin: x\u{1b}[31mpwned\r\nlocation: /\u{1b}]0;pwned\u{7}\r\n\r\n";
    fs::write(folder.join("answer.txt"), escape).unwrap();
    let page = ["--origin", "https://app.example", "--url", "https://api.example/"];
    run(folder, &[&["explain", "--response", "answer.txt"], &page[..]].concat());
    let object = json!({
        "metadata": { "namespace": RAW, "name": RAW },
        "spec": { "hostnames": [RAW], "cors": { "allowOrigins": [RAW] }, RAW: 1 },
    });
    let server = stub::serve(Ipv4Addr::LOCALHOST, move |request| {
        let path = request.target().split('?').next().unwrap_or_default();
        let body = match path {
            "/version" => json!({ "major": "1", "minor": "34", "gitVersion": RAW }),
            _ => json!({ "items": [object.clone()], "message": RAW }),
        };
        Reply { status: "200 OK", body: body.to_string(), ..Reply::default() }
    });
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": RAW,
        "clusters": [{ "name": "test", "cluster": { "server": format!("http://{}", server.unwrap()) } }],
        "contexts": [{ "name": RAW, "context": { "cluster": "test", "user": "test" } }],
        "users": [{ "name": "test", "user": { "token": "none" } }],
    });
    fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let live = |args: &[&str]| run(folder, &[args, &["--kubeconfig", "kubeconfig"]].concat());
    live(&["check", "--cluster"]);
    live(&["doctor"]);
    live(&["collect"]);
    live(&[&["explain", "--cluster"], &page[..]].concat());
    live(&["doctor", "--context", RAW]);
}
