//! Checks and explanations of live policies, and of files that are laid over them.

use std::fs;

use corsward_test_harness::api_server::{ApiServer, create_namespace};
use corsward_test_harness::cluster::{LocalCluster, object};
use serde_json::{Value, json};

use super::{binding, corsward};

const GUARDRAIL: &str = "/apis/corsward.io/v1alpha1/clustercorspolicies/web";

fn guardrail(max_age: u32) -> Value {
    object(
        "ClusterCorsPolicy",
        "web",
        &json!({
            "namespaceSelector": { "matchLabels": { "team": "web" } },
            "guardrails": { "maxMaxAge": max_age },
        }),
    )
}

fn policy(host: &str, origin: &str) -> Value {
    json!({
        "hostnames": [format!("{host}.shop.example")],
        "cors": { "allowOrigins": [origin], "maxAge": 600 },
    })
}

/// A cluster with an accepted policy, a refused one, and a guardrail.
fn cluster() -> LocalCluster {
    let cluster = LocalCluster::own().unwrap();
    let shop = cluster.labelled_namespace("shop", &json!({ "team": "web" })).unwrap();
    cluster.labelled_namespace("other", &json!({})).unwrap();
    shop.policy("api", &policy("api", "https://app.example")).unwrap();
    shop.policy("web", &policy("web", "https://app.example/")).unwrap();
    cluster.at("other").policy("api", &policy("other", "https://app.example")).unwrap();
    cluster.api().apply(GUARDRAIL, &guardrail(600)).unwrap();
    cluster
}

fn write(folder: &std::path::Path, file: &str, object: &Value) {
    let mut object = object.clone();
    if object["kind"] == "CorsPolicy" {
        object["metadata"]["namespace"] = "shop".into();
    }
    fs::write(folder.join(file), serde_saphyr::to_string(&object).unwrap()).unwrap();
}

#[test]
fn files_are_laid_over_the_cluster_and_only_what_they_introduce_fails() {
    let cluster = cluster();
    let (admin, folder) = (cluster.server.kubeconfig(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let check = |args: &[&str]| corsward(&admin, folder, &[&["check", "--cluster"], args].concat());

    let live = check(&[]);
    insta::assert_snapshot!("check-live", live.out);
    assert_eq!(live.code, Some(1), "{live:?}");
    assert!(live.err.ends_with("3 policies of cluster test: 1 refusal, 6 hints\n"), "{}", live.err);

    // One fault is fixed, and another comes.
    write(folder, "web.yaml", &object("CorsPolicy", "web", &policy("web", "https://app.example")));
    write(folder, "new.yaml", &object("CorsPolicy", "new", &policy("new", "app.example")));
    let over = check(&["."]);
    insta::assert_snapshot!("check-over", over.out);
    assert_eq!(over.code, Some(1), "{over:?}");
    insta::assert_snapshot!("check-over-summary", over.err);
    let json: Vec<Value> = serde_json::from_str(&check(&["-o", "json", "."]).out).unwrap();
    let of = |change: &str| {
        let found = json.iter().filter(|it| it["change"] == change && it["severity"] == "refusal");
        found.map(|it| format!("{} {}", it["object"], it["code"])).collect::<Vec<_>>()
    };
    assert_eq!(of("introduced"), ["\"shop/new\" \"CORS-E103\""]);
    assert_eq!(of("fixed"), ["\"shop/web\" \"CORS-E106\""]);
    assert_eq!(of("unchanged"), [""; 0]);
    let sarif: Value = serde_json::from_str(&check(&["-o", "sarif", "."]).out).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let states: std::collections::BTreeSet<_> =
        results.iter().map(|it| it["baselineState"].as_str().unwrap()).collect();
    assert_eq!(states.into_iter().collect::<Vec<_>>(), ["absent", "new", "unchanged"]);

    // A fault of the cluster is no fault of the files.
    fs::remove_file(folder.join("new.yaml")).unwrap();
    fs::remove_file(folder.join("web.yaml")).unwrap();
    write(folder, "api.yaml", &object("CorsPolicy", "api", &policy("api", "https://b.example")));
    let over = check(&["."]);
    assert_eq!(over.code, Some(0), "{over:?}");
    assert!(over.out.contains("Unchanged in the cluster"), "{}", over.out);

    // A guardrail of a file bounds policies of the cluster, by the labels of their namespaces.
    write(folder, "guardrail.yaml", &guardrail(60));
    let over = check(&["-o", "json", "guardrail.yaml"]);
    let json: Vec<Value> = serde_json::from_str(&over.out).unwrap();
    let introduced =
        json.iter().filter(|it| it["change"] == "introduced" && it["severity"] == "refusal");
    let objects: Vec<_> = introduced.map(|it| it["object"].as_str().unwrap()).collect();
    assert_eq!((objects, over.code), (vec!["shop/api"], Some(1)), "{}", over.out);

    // A path without an object must not pass for a good one.
    fs::write(folder.join("other.yaml"), "kind: Other\n").unwrap();
    assert_eq!(check(&["other.yaml"]).code, Some(2));
}

#[test]
fn a_service_and_a_set_that_the_cluster_lacks_are_missing() {
    let cluster = cluster();
    let shop = cluster.at("shop");
    shop.write(
        "/api/v1/namespaces/{namespace}/services/api",
        &json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "api" }, "spec": {
            "selector": { "app": "api" }, "ports": [{ "name": "http", "port": 80 }],
        } }),
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = |service: &str, section: &str| {
        let mut spec = policy(service, "https://app.example");
        spec["targetRefs"] =
            json!([{ "group": "", "kind": "Service", "name": service, "sectionName": section }]);
        spec
    };
    let mut sets = policy("sets", "https://app.example");
    sets["cors"]["allowOriginsFrom"] = json!([{ "kind": "OriginSet", "name": "absent" }]);
    for (name, spec) in [
        ("port", target("api", "grpc")),
        ("service", target("absent", "http")),
        ("good", target("api", "http")),
        ("sets", sets),
    ] {
        write(folder.path(), &format!("{name}.yaml"), &object("CorsPolicy", name, &spec));
    }
    let admin = cluster.server.kubeconfig();
    let over = corsward(&admin, folder.path(), &["check", "--cluster", "-o", "json", "."]);
    let json: Vec<Value> = serde_json::from_str(&over.out).unwrap();
    let found = json.iter().filter(|it| it["change"] == "introduced" && it["severity"] != "hint");
    let mut found: Vec<_> =
        found.map(|it| format!("{}: {}", it["object"], it["message"])).collect();
    found.sort();
    insta::assert_snapshot!("check-missing", found.join("\n"));
}

#[test]
fn a_user_with_rights_in_one_namespace_sees_that_one() {
    let cluster = cluster();
    let folder = tempfile::tempdir().unwrap();
    let user = cluster.server.service_account("default", "bob").unwrap();
    let as_bob = |args: &[&str]| corsward(&user, folder.path(), args);
    let refused = as_bob(&["check", "--cluster"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("corspolicies.corsward.io is forbidden"), "{}", refused.err);

    cluster.at("default").policy("mine", &policy("mine", "https://app.example/")).unwrap();
    // The chart lets `view` see policies; an API server without controllers does not aggregate roles.
    let rules = json!({ "metadata": { "name": "reader" }, "rules": [
        { "apiGroups": ["corsward.io"], "resources": ["corspolicies", "originsets"], "verbs": ["list"] },
    ] });
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    cluster.api().create(&format!("{rbac}/clusterroles"), &rules).unwrap();
    let bindings = format!("{rbac}/namespaces/default/rolebindings");
    cluster.api().create(&bindings, &binding("reader", "bob")).unwrap();
    let said = corsward_test_harness::eventually::eventually("the role to count", || {
        let said = as_bob(&["check", "--cluster", "-o", "json"]);
        (said.code == Some(1)).then_some(said)
    })
    .unwrap();
    let json: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    assert!(json.iter().all(|it| it["object"] == "default/mine"), "{}", said.out);
    for note in [
        "note: corspolicies are those of namespace default alone",
        "note: clustercorspolicies are not seen",
        "note: services are not seen",
    ] {
        assert!(said.err.contains(note), "{note}: {}", said.err);
    }
}

#[test]
fn explain_answers_with_the_policies_of_the_cluster_and_with_files_over_them() {
    let cluster = cluster();
    let (admin, folder) = (cluster.server.kubeconfig(), tempfile::tempdir().unwrap());
    let explain = |args: &[&str]| {
        let request = ["--origin", "https://app.example", "--url", "https://api.shop.example/"];
        let args = [&["explain", "--cluster", "--namespace", "shop"], &request[..], args].concat();
        corsward(&admin, folder.path(), &args)
    };
    let live = explain(&[]);
    assert_eq!(live.code, Some(0), "{live:?}");
    assert!(live.out.contains("shop/api"), "{}", live.out);
    assert!(live.err.contains("some policies are refused"), "{}", live.err);
    write(
        folder.path(),
        "api.yaml",
        &object("CorsPolicy", "api", &policy("api", "https://other.example")),
    );
    let over = explain(&["api.yaml"]);
    assert_eq!(over.code, Some(1), "{over:?}");
}

#[test]
fn the_older_policy_decides_and_a_file_over_it_is_as_old() {
    let cluster = LocalCluster::own().unwrap();
    let shop = cluster.labelled_namespace("shop", &json!({})).unwrap();
    let spec = policy("api", "https://app.example");
    shop.policy("z", &spec).unwrap();
    let path =
        |name: &str| format!("/apis/corsward.io/v1alpha1/namespaces/shop/corspolicies/{name}");
    let created = |name: &str| {
        cluster.api().get(&path(name)).unwrap().unwrap()["metadata"]["creationTimestamp"].clone()
    };
    // The API server counts in seconds.
    corsward_test_harness::eventually::eventually("a younger policy", || {
        let _ = cluster.api().delete(&path("a"));
        shop.policy("a", &spec).unwrap();
        (created("a") != created("z")).then_some(())
    })
    .unwrap();
    let (admin, folder) = (cluster.server.kubeconfig(), tempfile::tempdir().unwrap());
    for name in ["a", "z"] {
        write(folder.path(), &format!("{name}.yaml"), &object("CorsPolicy", name, &spec));
    }
    for files in [&[][..], &["a.yaml"], &["z.yaml"], &["."]] {
        let request = ["--origin", "https://app.example", "--url", "https://api.shop.example/"];
        let args = [&["explain", "--cluster"], &request[..], files].concat();
        let said = corsward(&admin, folder.path(), &args);
        assert_eq!(said.code, Some(0), "{said:?}");
        for part in ["policy   `shop/z`: actual allowed", "`shop/a` alone", "or it is older"] {
            assert!(said.out.contains(part), "{part}: {}", said.out);
        }
    }
}

#[test]
fn the_last_good_text_of_a_refused_policy_answers() {
    let cluster = cluster();
    let path = "/apis/corsward.io/v1alpha1/namespaces/shop/corspolicies/web/status";
    let good = policy("web", "https://app.example");
    let status = json!({ "status": { "inForce": {
        "generation": 7, "spec": good, "digest": "0".repeat(64),
    } } });
    cluster.api().merge(path, &status).unwrap();
    let (admin, folder) = (cluster.server.kubeconfig(), tempfile::tempdir().unwrap());
    let request = ["--origin", "https://app.example", "--url", "https://web.shop.example/"];
    let args = [&["explain", "--cluster", "--namespace", "shop"], &request[..]].concat();
    let said = corsward(&admin, folder.path(), &args);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("shop/web"), "{}", said.out);
    let note = "warning: shop/web is refused: its last good text, of generation 7, answers";
    assert!(said.err.contains(note) && !said.err.contains("left out"), "{}", said.err);
    // It is refused all the same.
    let checked = corsward(&admin, folder.path(), &["check", "--cluster"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    // A guardrail forbids the last good text too.
    cluster.api().apply(GUARDRAIL, &guardrail(60)).unwrap();
    let said = corsward(&admin, folder.path(), &args);
    assert!(said.code == Some(2) && said.err.contains("refused and left out"), "{said:?}");
}

#[test]
fn a_cluster_that_cannot_be_asked_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let bare = ApiServer::start().unwrap();
    create_namespace(bare.api(), "shop").unwrap();
    let check = |args: &[&str]| {
        corsward(&bare.kubeconfig(), folder.path(), &[&["check", "--cluster"], args].concat())
    };
    for (args, part) in [
        (&[][..], "does not serve corsward.io/v1alpha1 corspolicies"),
        (&["--context", "prod"], "--context: the kubeconfig has no context `prod`: it has test"),
        (&["--kubeconfig", "absent"], "--kubeconfig: failed to read kubeconfig from"),
    ] {
        let said = check(args);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    let said = corsward(&bare.kubeconfig(), folder.path(), &["check", "--context", "test", "."]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("--cluster"), "{}", said.err);
}
