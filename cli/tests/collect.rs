//! The parts of an archive, from an API server that answers from a table. A real one is in `tests/tests/kubernetes/command_line`.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use corsward_test_harness::stub::{self, Reply};
use corsward_test_harness::support_archive::unpacked;
use serde_json::{Value, json};

/// The answers by path; a path that is not among them is not found, and `null` is forbidden.
type Answers = BTreeMap<&'static str, Value>;

fn server(answers: Answers) -> String {
    let server = stub::serve(Ipv4Addr::LOCALHOST, move |request| {
        let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
        let (status, body) = match answers.get(path) {
            Some(Value::Null) => ("403 Forbidden", "the user may not".to_owned()),
            // A log names its question.
            Some(Value::String(text)) => ("200 OK", format!("{text} {query}\n")),
            Some(answer) => ("200 OK", answer.to_string()),
            None => ("404 Not Found", "absent".to_owned()),
        };
        Reply { status, body, ..Reply::default() }
    });
    format!("http://{}", server.unwrap())
}

/// The files of the archive, by their names below its folder.
fn collected(folder: &Path, answers: Answers) -> BTreeMap<String, String> {
    let server = server(answers);
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{ "name": "test", "cluster": { "server": server } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test", "namespace": "shop" } }],
        "users": [{ "name": "test", "user": { "token": "none" } }],
    });
    fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    command.args(["collect", "-o", "case.tar.gz", "--kubeconfig", "kubeconfig"]);
    let said = command.current_dir(folder).output().unwrap();
    assert!(folder.join("case.tar.gz").exists(), "{}", String::from_utf8_lossy(&said.stderr));
    unpacked(folder, "case.tar.gz").unwrap()
}

fn deployment(name: &str) -> Value {
    json!({
        "metadata": { "namespace": "corsward-system", "name": name },
        "spec": { "selector": { "matchLabels": { "app": name } } },
    })
}

#[test]
fn two_operators_of_a_namespace_are_both_there_with_the_log_before_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let pod = json!({
        "metadata": { "name": "corsward-0" },
        "status": { "containerStatuses": [{ "name": "operator", "restartCount": 2 }] },
    });
    let istiod = json!({ "spec": { "containers": [
        { "name": "sidecar", "image": "other" }, { "name": "discovery", "image": "pilot:1.30.0" },
    ] } });
    let files = collected(
        folder.path(),
        BTreeMap::from([
            ("/version", json!({ "major": "1", "minor": "34", "gitVersion": "v1.34.2" })),
            (
                "/apis/apps/v1/deployments",
                json!({ "items": [deployment("blue"), deployment("green")] }),
            ),
            ("/api/v1/namespaces/corsward-system/pods", json!({ "items": [pod] })),
            ("/api/v1/namespaces/corsward-system/pods/corsward-0/log", json!("asked by")),
            ("/api/v1/pods", json!({ "items": [istiod] })),
        ]),
    );
    let operator = |file: &str| &files[&format!("operator/corsward-system/{file}")];
    assert!(operator("blue/deployment.yaml").contains("name: blue"), "{files:#?}");
    assert!(operator("green/deployment.yaml").contains("name: green"), "{files:#?}");
    let log = operator("blue/corsward-0.log");
    assert!(log.contains("limitBytes=8388608") && !log.contains("previous"), "{log}");
    let previous = operator("blue/corsward-0.previous.log");
    assert!(previous.contains("previous=true"), "{previous}");
    let versions: Value = serde_json::from_str(&files["versions.json"]).unwrap();
    assert_eq!(versions["istiodImages"], json!(["pilot:1.30.0"]));
}

#[test]
fn a_user_of_one_namespace_gets_its_policies_and_a_line_about_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let policy = json!({ "metadata": { "namespace": "shop", "name": "api" }, "spec": {} });
    let files = collected(
        folder.path(),
        BTreeMap::from([
            ("/version", json!({ "major": "1", "minor": "34", "gitVersion": "v1.34.2" })),
            ("/apis/corsward.io/v1alpha1/corspolicies", Value::Null),
            (
                "/apis/corsward.io/v1alpha1/namespaces/shop/corspolicies",
                json!({ "items": [policy] }),
            ),
            ("/apis/corsward.io/v1alpha1/originsets", Value::Null),
            ("/api/v1/pods", Value::Null),
        ]),
    );
    assert!(files["corsward.io/corspolicies.yaml"].contains("name: api"), "{files:#?}");
    let index = &files["index.txt"];
    for line in [
        "corsward.io/corspolicies.yaml: those of other namespaces than shop: ",
        "corsward.io/originsets.yaml: ",
        "versions.json, istiodImages: ",
    ] {
        assert!(index.contains(line), "{line}: {index}");
    }
}
