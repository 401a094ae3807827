//! Collect: the archive for support, which has neither Secrets nor origins of users.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;

use corsward_test_harness::cluster::{LocalCluster, OPERATOR_NAMESPACE};
use serde_json::{Value, json};

use super::{binding, corsward};
use crate::roles::own_address;
use crate::specs::{SHOP, allow};

/// A text that no archive may have.
const SECRET: &str = "s3cret-of-the-cluster";
/// The origin of a user's page.
const USERS: &str = "https://user-4711.example";

#[test]
fn an_archive_has_what_support_needs_and_no_secret_and_no_users_origin() {
    let cluster = LocalCluster::own().unwrap();
    let shop = cluster.labelled_namespace("shop", &json!({})).unwrap();
    shop.policy("api", &allow("api", &[SHOP])).unwrap();
    for namespace in ["shop", OPERATOR_NAMESPACE] {
        let secret = json!({ "metadata": { "name": "key" }, "stringData": { "key": SECRET } });
        cluster.api().create(&format!("/api/v1/namespaces/{namespace}/secrets"), &secret).unwrap();
    }
    let address = metrics();
    let env =
        format!("extraEnv[0].name=KEY,extraEnv[0].value={SECRET},extraArgs[0]=--admin={address}");
    cluster.upgrade(&env).unwrap();
    pod(&cluster, OPERATOR_NAMESPACE, "corsward-0", address);
    let operator = cluster.operator("operator-0").start().unwrap();
    shop.wait_for_in_force("api").unwrap();
    operator.stop().unwrap();

    let (folder, user) = (tempfile::tempdir().unwrap(), "collector");
    let kubeconfig = cluster.server.service_account("default", user).unwrap();
    let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    cluster.api().create(bindings, &binding("cluster-admin", user)).unwrap();
    let collect = || corsward(&kubeconfig, folder.path(), &["collect", "-o", "case.tar.gz"]);
    let said = corsward_test_harness::eventually::eventually("the rights of the user", || {
        let said = collect();
        (said.code == Some(0)).then_some(said)
    })
    .unwrap();
    assert!(said.err.contains("reading policies"), "{}", said.err);
    // It is not written over.
    assert_eq!(collect().code, Some(2));

    let files = unpacked(folder.path());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    insta::assert_snapshot!(
        "collect-files",
        names.join("\n").replace(&cluster.server.url(), "URL")
    );
    for (name, text) in &files {
        for left_out in [SECRET, USERS, "managedFields"] {
            assert!(!text.contains(left_out), "{name} has {left_out}: {text}");
        }
    }
    let metrics = &files["operator/corsward-system/corsward-0.metrics"];
    assert_eq!(metrics, "corsward_test{origin=\"[origin]\"} 1\n");
    assert!(files["operator/corsward-system/deployment.yaml"].contains("[left out]"));
    assert!(files["corsward.io/corspolicies.yaml"].contains("inForce"), "{files:#?}");
    let index = &files["index.txt"];
    for part in ["Secrets: they are not read", "published/", "corsward-0.log"] {
        assert!(index.contains(part), "{part}: {index}");
    }
    let doctor: Vec<Value> = serde_json::from_str(&files["doctor.json"]).unwrap();
    assert!(doctor.iter().any(|check| check["check"] == "rights"), "{doctor:?}");

    let asked = cluster.server.asked_by(&format!("system:serviceaccount:default:{user}")).unwrap();
    assert!(asked.iter().any(|asked| asked.resource == "corspolicies"), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.resource != "secrets"), "{asked:?}");
    // What is in the archive is what `check` reads.
    let folder = folder.path().join("corsward-support");
    let checked = corsward(&kubeconfig, &folder, &["check", "corsward.io"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// The files of the archive, by their names below its folder.
fn unpacked(folder: &Path) -> BTreeMap<String, String> {
    let tar = Command::new("tar").args(["-xzf", "case.tar.gz"]).current_dir(folder).status();
    assert!(tar.unwrap().success());
    let (root, mut files) = (folder.join("corsward-support"), BTreeMap::new());
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// A pod of the operator, whose address is of this machine: an API server asks no loopback address for metrics.
fn pod(cluster: &LocalCluster, namespace: &str, name: &str, address: SocketAddr) {
    let path = format!("/api/v1/namespaces/{namespace}");
    let deployment = "/apis/apps/v1/namespaces/corsward-system/deployments/corsward";
    let deployment = cluster.api().get(deployment).unwrap().unwrap();
    let account = json!({ "metadata": { "name": "default" } });
    cluster.api().create(&format!("{path}/serviceaccounts"), &account).unwrap();
    let pod = json!({
        "metadata": { "name": name, "labels": deployment["spec"]["selector"]["matchLabels"] },
        "spec": { "containers": [{ "name": "operator", "image": "corsward-operator" }] },
    });
    cluster.api().create(&format!("{path}/pods"), &pod).unwrap();
    let ip = address.ip().to_string();
    let status = json!({ "status": { "phase": "Running", "podIP": ip, "podIPs": [{ "ip": ip }] } });
    cluster.api().merge(&format!("{path}/pods/{name}/status"), &status).unwrap();
}

/// A server of metrics with the origin of a user, which no real operator has.
fn metrics() -> SocketAddr {
    let listener = TcpListener::bind((own_address(), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let _ = lines.take_while(|line| !line.is_empty()).count();
            let body = format!("corsward_test{{origin=\"{USERS}\"}} 1\n");
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/plain";
            let _ = write!(&stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}
