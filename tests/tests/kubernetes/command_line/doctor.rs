//! Doctor: a bare API server, an installation, its faults one by one, and users who may not look.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use corsward_test_harness::api_server::ApiServer;
use corsward_test_harness::cluster::{LocalCluster, OPERATOR_NAMESPACE};
use corsward_test_harness::eventually::eventually;
use corsward_test_harness::stub::{self, Reply};
use serde_json::{Value, json};

use super::corsward;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/corsward-system/deployments/corsward";
const CLASSES: &str = "/apis/gateway.networking.k8s.io/v1/gatewayclasses";
const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/corsward";
const WEBHOOK: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/corsward-webhook";

/// The checks, each as `NAME: STATUS MESSAGE`, and the exit code.
fn doctor(kubeconfig: &Path) -> (Vec<String>, Option<i32>) {
    let said = corsward(kubeconfig, Path::new("."), &["doctor", "-o", "json"]);
    let checks: Vec<Value> = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    let word = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let line = |check: &Value| {
        assert_eq!(check["status"] == "ok", check["hint"].is_null(), "{check}");
        format!("{}: {} {}", word(check, "check"), word(check, "status"), word(check, "message"))
    };
    (checks.iter().map(line).collect(), said.code)
}

/// The line of a check.
fn line(kubeconfig: &Path, name: &str) -> String {
    let (lines, _) = doctor(kubeconfig);
    let found = lines.iter().find(|line| line.starts_with(&format!("{name}: ")));
    found.unwrap_or_else(|| panic!("{name}: {lines:#?}")).clone()
}

#[test]
fn a_bare_api_server_lacks_everything_and_each_line_has_a_hint() {
    let server = ApiServer::start().unwrap();
    let said = corsward(&server.kubeconfig(), Path::new("."), &["doctor"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let version = server.api().get("/version").unwrap().unwrap();
    let text = said.out.replace(&server.url(), "URL");
    let text = text.replace(version["gitVersion"].as_str().unwrap(), "VERSION");
    insta::assert_snapshot!("doctor-bare", text);
    assert_eq!(said.err, "8 checks: 5 failed, 1 with a warning\n");
}

#[test]
fn an_api_server_that_does_not_answer_is_one_line() {
    let mut server = ApiServer::start().unwrap();
    server.kill();
    let (lines, code) = doctor(&server.kubeconfig());
    assert_eq!((lines.len(), code), (1, Some(1)), "{lines:?}");
    assert!(lines[0].starts_with("api-server: fail "), "{lines:?}");
}

#[test]
fn the_faults_of_an_installation_are_found_one_by_one() {
    let cluster = LocalCluster::own().unwrap();
    let (api, admin) = (cluster.api(), cluster.server.kubeconfig());
    let registry = Registry::start();
    cluster.upgrade(&registry.module("there")).unwrap();
    assert!(line(&admin, "replicas").starts_with("replicas: fail 0 of 2 are ready"));
    // Nothing runs pods here: this is the word of the controller that does.
    let status = json!({ "status": { "replicas": 2, "readyReplicas": 2 } });
    api.merge(&format!("{DEPLOYMENT}/status"), &status).unwrap();
    let class = |name: &str, controller: &str| json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": { "name": name }, "spec": { "controllerName": controller } });
    assert!(line(&admin, "gateway-api").contains("warn served, and no GatewayClass is there"));
    api.create(CLASSES, &class("nginx", "nginx.example/controller")).unwrap();
    assert!(line(&admin, "gateway-api").contains("warn no class runs the filter"));
    api.create(CLASSES, &class("istio", "istio.io/gateway-controller")).unwrap();
    istiod(&cluster, "1.27.9");
    assert!(
        line(&admin, "istio-version")
            .contains("warn the istiod istio-system/istiod is of version 1.27")
    );
    api.delete("/api/v1/namespaces/istio-system/pods/istiod?gracePeriodSeconds=0").unwrap();
    istiod(&cluster, "1.31.2");

    let (lines, code) = doctor(&admin);
    assert_eq!(code, Some(0), "{lines:#?}");
    let known = |line: &String| {
        line.replace(&cluster.server.url(), "URL")
            .replace(&registry.address.to_string(), "REGISTRY")
    };
    // The first line has the version of the API server.
    insta::assert_snapshot!(
        "doctor-installed",
        lines.iter().skip(1).map(known).collect::<Vec<_>>().join("\n")
    );

    for (name, said) in [
        ("token", "module: ok "),
        ("absent", "module: fail the registry has no "),
        ("private", "module: warn the registry asks for credentials"),
        ("broken", "module: warn the registry of "),
    ] {
        cluster.upgrade(&registry.module(name)).unwrap();
        let line = line(&admin, "module");
        assert!(line.starts_with(said), "{name}: {line}");
    }
    cluster.upgrade(&format!("enforcement=Off,{}", registry.module("there"))).unwrap();
    assert!(line(&admin, "enforcement").starts_with("enforcement: warn Off"));
    let definition =
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/originsets.corsward.io";
    let description = json!([{ "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/description", "value": "Older." }]);
    let answer = api.send("PATCH", definition, Some(("application/json-patch+json", &description)));
    assert_eq!(answer.unwrap().status, 200);
    let (lines, _) = doctor(&admin);
    assert!(
        lines.iter().any(|line| line.contains(
            "originsets.corsward.io: v1alpha1 is served, and its schema is not that of release"
        )),
        "{lines:#?}"
    );
}

#[test]
fn the_rights_are_those_of_the_charts_roles_and_a_missing_one_is_named() {
    let cluster = LocalCluster::own().unwrap();
    let admin = cluster.server.kubeconfig();
    for values in [
        "webhook.enabled=true",
        "publish.to=configmap,webhook.enabled=false",
        "publish.istio.kind=WasmPlugin",
        "publish.istio.kind=TrafficExtension,gatewayApi.enabled=false",
        "publish.istio.kind=EnvoyFilter",
        "module.from=served,module.oci.url=,webhook.certificate.existingSecret=own,webhook.enabled=true",
    ] {
        cluster.upgrade(values).unwrap();
        let rights = granted(&cluster).len();
        let want = format!("has all {rights} that it needs");
        // The authorizer learns of a role some time after it is written.
        eventually(&format!("{values}: {want}"), || {
            line(&admin, "rights").contains(&want).then_some(())
        })
        .unwrap();
    }
    let mut role = cluster.api().get(ROLE).unwrap().unwrap();
    role["rules"].as_array_mut().unwrap().remove(1);
    cluster.api().replace(ROLE, &role).unwrap();
    let want = "rights: fail service account corsward-system/corsward may not patch clustercorspolicies.corsward.io/status, patch corspolicies.corsward.io/status, patch originsets.corsward.io/status";
    eventually(want, || (line(&admin, "rights") == want).then_some(())).unwrap();
}

#[test]
fn the_webhook_is_asked_and_changes_nothing() {
    let cluster = LocalCluster::own().unwrap();
    let (api, admin) = (cluster.api(), cluster.server.kubeconfig());
    assert!(line(&admin, "webhook").starts_with("webhook: ok not installed"));
    cluster.upgrade("webhook.enabled=true").unwrap();
    assert!(
        line(&admin, "webhook")
            .contains("fail ValidatingWebhookConfiguration corsward-webhook has no caBundle")
    );
    let plan = cluster.operator("operator-0").kubeconfig(admin.clone());
    let plan = plan.also("--webhook-addr=127.0.0.1:0").also("--webhook-names=127.0.0.1");
    let mut operator = plan.start().unwrap();
    let address = operator.wait_for_line("webhook address").unwrap();
    let url = format!("https://{}/validate", address["addr"].as_str().unwrap());
    // Nothing routes to Services here.
    let patch = json!([
        { "op": "remove", "path": "/webhooks/0/clientConfig/service" },
        { "op": "add", "path": "/webhooks/0/clientConfig/url", "value": url },
    ]);
    let body = ("application/json-patch+json", &patch);
    assert_eq!(api.send("PATCH", WEBHOOK, Some(body)).unwrap().status, 200);
    eventually("the webhook's word", || {
        line(&admin, "webhook").starts_with("webhook: ok the API server reaches it").then_some(())
    })
    .unwrap();
    operator.stop().unwrap();
    assert!(line(&admin, "webhook").starts_with("webhook: fail its Service has no ready endpoint"));
    for (field, value, said) in [
        ("failurePolicy", json!("Fail"), "webhook: fail the API server does not reach it: "),
        (
            "namespaceSelector",
            json!({ "matchExpressions": [{
                "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [OPERATOR_NAMESPACE],
            }] }),
            "webhook: warn not for namespace corsward-system (`webhook.namespaceSelector`): not tried",
        ),
    ] {
        let path = format!("/webhooks/0/{field}");
        let patch = json!([{ "op": "add", "path": path, "value": value }]);
        let body = ("application/json-patch+json", &patch);
        assert_eq!(api.send("PATCH", WEBHOOK, Some(body)).unwrap().status, 200);
        // The API server learns of its own configuration some time after it is written.
        eventually(said, || line(&admin, "webhook").starts_with(said).then_some(())).unwrap();
    }
    let policies = api.get("/apis/corsward.io/v1alpha1/corspolicies").unwrap().unwrap();
    assert_eq!(policies["items"], json!([]));
}

#[test]
fn a_user_without_rights_gets_warnings_that_name_them() {
    let cluster = LocalCluster::own().unwrap();
    let user = cluster.server.service_account("default", "bob").unwrap();
    let (lines, code) = doctor(&user);
    assert_eq!(code, Some(0), "{lines:#?}");
    insta::assert_snapshot!(
        "doctor-restricted",
        lines.iter().skip(1).map(String::as_str).collect::<Vec<_>>().join("\n")
    );
}

/// A pod of istiod, which is what a version is read from.
fn istiod(cluster: &LocalCluster, version: &str) {
    cluster.labelled_namespace("istio-system", &json!({})).unwrap();
    let accounts = "/api/v1/namespaces/istio-system/serviceaccounts/default";
    let account =
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    cluster.api().apply(accounts, &account).unwrap();
    let pod = json!({
        "metadata": { "name": "istiod", "labels": { "app": "istiod" } },
        "spec": { "containers": [{ "name": "discovery", "image": format!("pilot:{version}") }] },
    });
    cluster.api().create("/api/v1/namespaces/istio-system/pods", &pod).unwrap();
}

/// The rights that the chart's roles give.
fn granted(cluster: &LocalCluster) -> BTreeSet<String> {
    let role = ROLE.replace("/clusterroles", &format!("/namespaces/{OPERATOR_NAMESPACE}/roles"));
    let mut rights = BTreeSet::new();
    for path in [ROLE, &role] {
        let role = cluster.api().get(path).unwrap().unwrap();
        for rule in role["rules"].as_array().unwrap() {
            let words = |field: &str| rule[field].as_array().cloned().unwrap_or_default();
            let names = match words("resourceNames") {
                names if names.is_empty() => vec![Value::Null],
                names => names,
            };
            for (group, resource) in words("apiGroups")
                .iter()
                .flat_map(|group| words("resources").into_iter().map(move |it| (group.clone(), it)))
            {
                for verb in words("verbs") {
                    for name in &names {
                        rights.insert(format!("{path} {verb} {resource} {group} {name}"));
                    }
                }
            }
        }
    }
    rights
}

/// A registry of images, for clients without credentials.
struct Registry {
    address: SocketAddr,
}

impl Registry {
    fn start() -> Self {
        let address = stub::serve(Ipv4Addr::LOCALHOST, |request| {
            let has_token = request
                .head
                .lines()
                .any(|line| line.eq_ignore_ascii_case("authorization: Bearer for-all"));
            let challenge = format!(
                "www-authenticate: Bearer realm=\"http://{}/token\",service=\"r\",scope=\"repository:token:pull\"\r\n",
                request.server
            );
            let is = |part: &str| request.head.starts_with(part);
            let (status, headers, body) = match () {
                () if is("GET /token?service=r&scope=repository") => {
                    ("200 OK", String::new(), "{\"token\":\"for-all\"}")
                }
                () if is("HEAD /v2/there/manifests/sha256:") => ("200 OK", String::new(), ""),
                () if is("HEAD /v2/token/manifests/sha256:") && has_token => {
                    ("200 OK", String::new(), "")
                }
                () if is("HEAD /v2/token/") || is("HEAD /v2/private/") => {
                    ("401 Unauthorized", challenge, "")
                }
                () if is("HEAD /v2/broken/") => ("500 Internal Server Error", String::new(), ""),
                () => ("404 Not Found", String::new(), ""),
            };
            Reply { status, headers, body: body.to_owned() }
        });
        Self { address: address.unwrap() }
    }

    /// The chart's value for an image of it.
    fn module(&self, name: &str) -> String {
        format!("module.oci.url=oci://{}/{name}@sha256:{}", self.address, "0".repeat(64))
    }
}
