//! Collect: the archive for support, which has neither Secrets nor origins of users.

use std::net::SocketAddr;

use corsward_test_harness::cluster::{LocalCluster, OPERATOR_NAMESPACE};
use corsward_test_harness::stub::{self, Reply};
use corsward_test_harness::support_archive::unpacked;
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

    let files = unpacked(folder.path(), "case.tar.gz").unwrap();
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
    stub::serve(own_address(), |_| Reply {
        status: "200 OK",
        headers: "content-type: text/plain\r\n".to_owned(),
        body: format!("corsward_test{{origin=\"{USERS}\"}} 1\n"),
    })
    .unwrap()
}
