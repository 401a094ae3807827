//! The contents of an install, the changes of an upgrade, and the leftovers of an uninstall.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use corsward_test_harness::cluster::OPERATOR_NAMESPACE;
use corsward_test_harness::command::{CommandOutput, run};
use corsward_test_harness::eventually::{PATIENCE, eventually};
use serde_json::{Value, json};
use xtask::kubernetes::ApiServer;
use xtask::process::Process;
use xtask::{build, tools};

use super::{chart, server};

const PLUGINS: &str = "/apis/extensions.istio.io/v1alpha1/namespaces/shop/wasmplugins";
const POLICIES: &str = "/apis/corsward.io/v1alpha1/namespaces/shop/corspolicies";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

#[test]
fn an_upgrade_brings_the_definitions_up_to_date_and_keeps_what_they_define() {
    let server = server();
    // The chart of a release before: its definition knows a column less.
    let older = tempfile::tempdir().unwrap();
    copy(&chart(), older.path());
    let definition = older.path().join("files/crds/corspolicies.yaml");
    let text = fs::read_to_string(&definition).unwrap();
    assert!(text.contains("name: Targets\n"), "the column to take out");
    fs::write(&definition, text.replacen("name: Targets\n", "name: Purposes\n", 1)).unwrap();

    let installed = helm(&server, &["install", "corsward"], Some(older.path()));
    assert!(installed.success, "{installed:?}");
    let columns = || {
        let path = format!("{DEFINITIONS}/corspolicies.corsward.io");
        let definition = server.api().get(&path).unwrap().unwrap();
        definition["spec"]["versions"][0]["additionalPrinterColumns"].to_string()
    };
    assert!(columns().contains("Purposes"));
    policy(&server);

    let upgraded = helm(&server, &["upgrade", "corsward"], Some(&chart()));
    assert!(upgraded.success, "{upgraded:?}");
    assert!(columns().contains("Targets") && !columns().contains("Purposes"));
    assert!(server.api().get(&format!("{POLICIES}/api")).unwrap().is_some());
}

#[test]
fn uninstalling_removes_what_the_operator_made_and_keeps_definitions_and_policies() {
    // First: Helm does not wait for a compiler.
    let operator = build::operator().unwrap();
    let server = server();
    server.apply(&tools::istio_crds().unwrap()).unwrap();
    let installed = helm(&server, &["install", "corsward"], Some(&chart()));
    assert!(installed.success, "{installed:?}");
    for next in ["rollout status deployment/corsward", "kubectl get corspolicies -A"] {
        assert!(installed.out.contains(next), "no next command: {}", installed.out);
    }
    policy(&server);
    made_by_the_operator(&server);
    nothing_is_deleted_while_an_operator_runs(&server, &operator);

    let uninstall = command(&server, &["uninstall", "corsward", "--timeout=120s"]);
    let mut uninstall = Process::spawn("helm uninstall", uninstall).unwrap();
    let cleaned = run_the_hook(&server, &operator);
    assert!(cleaned.success, "{cleaned:?}");
    for line in [
        "stopped: Deployment corsward",
        "WasmPlugin deleted: 1",
        "ConfigMap deleted: 1",
        "Lease deleted: corsward",
    ] {
        assert!(cleaned.out.contains(line), "{cleaned:?}");
    }
    let ended = uninstall.wait(PATIENCE).unwrap();
    assert!(ended.success(), "helm uninstall: {ended}");

    let api = server.api();
    let there = |path: &str| api.get(path).unwrap().is_some();
    for (path, stays) in [
        (format!("{PLUGINS}/corsward"), false),
        (format!("{PLUGINS}/of-the-team"), true),
        (core("shop", "configmaps/corsward"), true),
        (core("shop", "configmaps/of-the-team"), true),
        (core(OPERATOR_NAMESPACE, "configmaps/corsward-filter"), false),
        (core(OPERATOR_NAMESPACE, "secrets/corsward-webhook-certificate"), false),
        (format!("/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/corsward"), false),
        (format!("/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments/corsward"), false),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/corsward".into(), false),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/corsward-cleanup".into(), false),
        ("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/corsward-webhook".into(), false),
        (format!("{DEFINITIONS}/corspolicies.corsward.io"), true),
        (format!("{DEFINITIONS}/clustercorspolicies.corsward.io"), true),
        (format!("{DEFINITIONS}/originsets.corsward.io"), true),
        (format!("{POLICIES}/api"), true),
    ] {
        assert_eq!(there(&path), stays, "{path}");
    }

    // Whoever does not say otherwise has it everywhere.
    let mut everywhere = Command::new(&operator);
    everywhere.arg("cleanup").env("KUBECONFIG", server.kubeconfig());
    let everywhere = run(everywhere.env("POD_NAMESPACE", OPERATOR_NAMESPACE), "").unwrap();
    assert_eq!((everywhere.success, &*everywhere.out), (true, "ConfigMap deleted: 1\n"));
    assert!(
        !there(&core("shop", "configmaps/corsward"))
            && there(&core("shop", "configmaps/of-the-team"))
    );

    // The same chart again: what stayed is taken over.
    let again = helm(&server, &["install", "corsward"], Some(&chart()));
    assert!(again.success, "{again:?}");
}

#[test]
fn an_uninstall_that_cannot_clean_up_leaves_no_rights_behind() {
    let server = server();
    let installed = helm(&server, &["install", "corsward"], Some(&chart()));
    assert!(installed.success, "{installed:?}");
    // Nobody runs the Job, as where its image cannot be pulled.
    let failed = helm(&server, &["uninstall", "corsward", "--timeout=1s"], None);
    assert!(!failed.success && failed.err.contains("corsward-cleanup"), "{failed:?}");
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    for path in [
        format!("{rbac}/clusterroles/corsward-cleanup"),
        format!("{rbac}/clusterrolebindings/corsward-cleanup"),
        format!("{rbac}/namespaces/{OPERATOR_NAMESPACE}/roles/corsward-cleanup"),
        core(OPERATOR_NAMESPACE, "serviceaccounts/corsward-cleanup"),
    ] {
        assert_eq!(server.api().get(&path).unwrap(), None, "{path}");
    }
    let deployment = format!("/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments/corsward");
    assert!(server.api().get(&deployment).unwrap().is_some());
}

/// One that runs would make it again.
fn nothing_is_deleted_while_an_operator_runs(server: &ApiServer, operator: &Path) {
    let deployment = format!("/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments/corsward");
    let deployment = server.api().get(&deployment).unwrap().unwrap();
    let mut pod = deployment["spec"]["template"].clone();
    pod["metadata"]["name"] = json!("corsward-0");
    let pods = core(OPERATOR_NAMESPACE, "pods");
    server.api().create(&pods, &pod).unwrap();
    let mut cleanup = Command::new(operator);
    cleanup.args(["cleanup", "--deployment=corsward", "--seconds=1"]);
    cleanup.env("KUBECONFIG", server.kubeconfig()).env("POD_NAMESPACE", OPERATOR_NAMESPACE);
    let refused = run(&mut cleanup, "").unwrap();
    assert!(!refused.success && refused.err.contains("still runs after 1 s"), "{refused:?}");
    assert!(server.api().get(&format!("{PLUGINS}/corsward")).unwrap().is_some());
    server.api().delete(&format!("{pods}/corsward-0")).unwrap();
}

/// Does what the hook's Job would, in a cluster that runs no pods: with the Job's own arguments and account.
fn run_the_hook(server: &ApiServer, operator: &Path) -> CommandOutput {
    let jobs = format!("/apis/batch/v1/namespaces/{OPERATOR_NAMESPACE}/jobs/corsward-cleanup");
    let job = eventually("the hook's Job", || server.api().get(&jobs).unwrap()).unwrap();
    let pod = &job["spec"]["template"]["spec"];
    let account = pod["serviceAccountName"].as_str().unwrap();
    let mut cleanup = Command::new(operator);
    cleanup.args(pod["containers"][0]["args"].as_array().unwrap().iter().filter_map(Value::as_str));
    cleanup.env("KUBECONFIG", server.service_account(OPERATOR_NAMESPACE, account).unwrap());
    let cleaned = run(cleanup.env("POD_NAMESPACE", OPERATOR_NAMESPACE), "").unwrap();
    every_right_was_used(server, account);

    let mut job = server.api().get(&jobs).unwrap().unwrap();
    let now = job["metadata"]["creationTimestamp"].clone();
    let is = |kind: &str| json!({ "type": kind, "status": "True", "lastTransitionTime": now });
    job["status"] = json!({
        "startTime": now,
        "completionTime": now,
        "succeeded": 1,
        "uncountedTerminatedPods": {},
        "conditions": [is("SuccessCriteriaMet"), is("Complete")],
    });
    server.api().replace(&format!("{jobs}/status"), &job).unwrap();
    cleaned
}

/// The account asked for everything that its roles give it, and for nothing else.
fn every_right_was_used(server: &ApiServer, account: &str) {
    let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{account}");
    let asked = server.asked_by(&user).unwrap();
    let refused: Vec<_> = asked.iter().filter(|asked| !asked.allowed).collect();
    assert!(refused.is_empty(), "not given: {refused:?}");
    let used: BTreeSet<_> =
        asked.iter().map(|asked| (asked.resource.clone(), asked.verb.clone())).collect();
    let role = "/apis/rbac.authorization.k8s.io/v1";
    for path in [
        format!("{role}/clusterroles/corsward-cleanup"),
        format!("{role}/namespaces/{OPERATOR_NAMESPACE}/roles/corsward-cleanup"),
    ] {
        let role = server.api().get(&path).unwrap().unwrap();
        for rule in role["rules"].as_array().unwrap() {
            for resource in super::words("resources")(rule) {
                // Nothing of these kinds was there to delete.
                if ["trafficextensions", "envoyfilters"].contains(&resource.as_str()) {
                    continue;
                }
                for verb in super::words("verbs")(rule) {
                    let pair = (resource.clone(), verb);
                    assert!(used.contains(&pair), "given and not used: {pair:?} of {used:?}");
                }
            }
        }
    }
}

/// Objects as the operator makes them, beside some that it did not.
fn made_by_the_operator(server: &ApiServer) {
    let api = server.api();
    let ours = json!({ "app.kubernetes.io/managed-by": "corsward-operator" });
    let create = |collection: &str, name: &str, labels: &Value, more: &Value| {
        let mut object = more.clone();
        object["metadata"] = json!({ "name": name, "labels": labels });
        api.create(collection, &object).unwrap();
    };
    let none = json!({});
    let plugin = json!({ "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "spec": { "url": "oci://a/b" } });
    create(PLUGINS, "corsward", &ours, &plugin);
    create(PLUGINS, "of-the-team", &none, &plugin);
    create(&core("shop", "configmaps"), "corsward", &ours, &none);
    create(&core("shop", "configmaps"), "of-the-team", &none, &none);
    create(&core(OPERATOR_NAMESPACE, "configmaps"), "corsward-filter", &ours, &none);
    create(&core(OPERATOR_NAMESPACE, "secrets"), "corsward-webhook-certificate", &ours, &none);
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases");
    create(&leases, "corsward", &none, &none);
}

/// A policy in the namespace `shop`, as soon as its definition is served.
fn policy(server: &ApiServer) {
    let namespace = json!({ "metadata": { "name": "shop" } });
    server.api().create("/api/v1/namespaces", &namespace).unwrap();
    let policy = json!({
        "apiVersion": "corsward.io/v1alpha1",
        "kind": "CorsPolicy",
        "metadata": { "name": "api" },
        "spec": { "cors": { "allowOrigins": ["https://a.example"] } },
    });
    eventually("the definition to be served", || server.api().create(POLICIES, &policy).ok())
        .unwrap();
}

fn core(namespace: &str, rest: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/{rest}")
}

/// Helm against a cluster, to its end.
fn helm(server: &ApiServer, args: &[&str], chart: Option<&Path>) -> CommandOutput {
    let mut helm = command(server, args);
    helm.args(chart);
    run(&mut helm, "").unwrap()
}

fn command(server: &ApiServer, args: &[&str]) -> Command {
    let mut helm = Command::new(tools::helm().unwrap());
    helm.args(args).args(["--namespace", OPERATOR_NAMESPACE]);
    helm.env("KUBECONFIG", server.kubeconfig()).stdin(Stdio::null());
    helm
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let ns = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &ns);
        } else {
            fs::copy(entry.path(), ns).unwrap();
        }
    }
}
