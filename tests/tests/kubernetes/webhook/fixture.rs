//! An operator that serves the webhook, and an API server that asks it.

use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock};

use corsward_test_harness::cluster::{LocalCluster, OPERATOR_NAMESPACE, Operator, TestNamespace};
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};
use xtask::kubernetes::Api;

use super::client::Client;

/// The Service whose name the certificate has, the Secret, and the configuration.
pub(super) const NAME: &str = "corsward-webhook";
const CONFIGURATIONS: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// An operator that serves the webhook, and an API server that sends it every object labelled `reviewed: "yes"`.
pub(crate) struct WebhookFixture {
    pub(super) cluster: LocalCluster,
    operator: Mutex<Option<Operator>>,
    address: SocketAddr,
}

// === impl WebhookFixture ===

impl WebhookFixture {
    /// The one that ordinary scenarios share. It has a cluster of its own: large policies of other scenarios would keep its operator from
    /// judging in time.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<WebhookFixture> = OnceLock::new();
        SHARED.get_or_init(Self::own)
    }

    /// One whose certificates a story may damage.
    pub(super) fn own() -> Self {
        let fixture = Self::on(LocalCluster::own().unwrap(), &[]);
        fixture.wait_until_asked();
        fixture
    }

    /// An operator on this cluster, which leads there.
    pub(super) fn on(cluster: LocalCluster, args: &[&str]) -> Self {
        let configuration = format!("--webhook-configuration={NAME}");
        let mut operator = start(&cluster, "webhook-first", &[args, &[&configuration]].concat());
        let address = address(&mut operator);
        configure(cluster.api(), address);
        WebhookFixture { cluster, operator: Mutex::new(Some(operator)), address }
    }

    /// A further replica.
    pub(super) fn replica(&self, pod: &str) -> Operator {
        start(&self.cluster, pod, &[&format!("--webhook-configuration={NAME}")])
    }

    /// A client of a replica.
    pub(super) fn client_of(&self, operator: &mut Operator) -> Client {
        Client::new(address(operator), authorities(&self.cluster).unwrap().as_bytes())
    }

    /// The CA bundle that the API server trusts.
    pub(super) fn bundle(&self) -> Option<String> {
        let path = format!("{CONFIGURATIONS}/{NAME}");
        let configuration = self.cluster.api().get(&path).unwrap().unwrap();
        configuration["webhooks"][0]["clientConfig"]["caBundle"].as_str().map(str::to_owned)
    }

    /// Removes the CA bundle that the API server trusts, as a foreign writer.
    pub(super) fn forget_bundle(&self) {
        let patch = json!([{ "op": "remove", "path": "/webhooks/0/clientConfig/caBundle" }]);
        self.patch_configuration(&patch);
    }

    fn patch_configuration(&self, patch: &Value) {
        let path = format!("{CONFIGURATIONS}/{NAME}");
        let body = ("application/json-patch+json", patch);
        let answer = self.cluster.api().send("PATCH", &path, Some(body)).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// The first replica's address.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A field of the Secret, as text.
    pub(super) fn decoded(&self, field: &str) -> String {
        decoded(&self.cluster, field).unwrap()
    }

    /// The path of the Secret.
    pub(super) fn secret_path() -> String {
        secret()
    }

    /// The Secret as it is.
    pub(super) fn secret(&self) -> Value {
        self.cluster.api().get(&secret()).unwrap().unwrap()
    }

    /// Changes the Secret, as a foreign writer.
    pub(super) fn damage_secret(&self, patch: &Value) {
        self.cluster.api().merge(&secret(), patch).unwrap();
    }

    /// Waits for a line of the operator's log.
    pub(super) fn wait_for_line(&self, message: &str) -> Value {
        let mut operator = self.operator.lock().unwrap();
        operator.as_mut().unwrap().wait_for_line(message).unwrap()
    }

    /// Ends the operator.
    pub(super) fn stop(&mut self) {
        let operator = self.operator.lock().unwrap().take();
        operator.unwrap().stop().unwrap();
    }

    /// A client that trusts what the Secret says.
    pub(super) fn client(&self) -> Client {
        let authorities = eventually("the Secret", || authorities(&self.cluster)).unwrap();
        Client::new(self.address, authorities.as_bytes())
    }

    /// A new namespace, whose policies the webhook is asked about.
    #[track_caller]
    pub(super) fn test_namespace(&self, name: &str) -> TestNamespace<'_> {
        let namespace = self.cluster.test_namespace(name).unwrap();
        self.wait_until_asked_in(name);
        namespace
    }

    /// Waits until the API server asks.
    #[track_caller]
    pub(super) fn wait_until_asked(&self) {
        self.wait_until_asked_in("default");
    }

    /// Waits until the webhook refuses what is wrong, in a request that writes nothing. An API server learns of a configuration, and of
    /// each change of it, some time after it is written.
    #[track_caller]
    fn wait_until_asked_in(&self, namespace: &str) {
        let place = self.cluster.at(namespace);
        let path = format!("{}?dryRun=All", place.path("corspolicies", ""));
        let wrong = json!({
            "apiVersion": "corsward.io/v1alpha1",
            "kind": "CorsPolicy",
            "metadata": { "name": "asked", "labels": { "reviewed": "yes" } },
            "spec": { "cors": { "allowOrigins": ["https://a.example/x"] } },
        });
        eventually("the API server to ask the webhook", || {
            let answer = self.cluster.api().send("POST", &path, Some(("application/json", &wrong)));
            let answer = answer.ok()?;
            (answer.status == 422 && answer.message().contains("[CORS-E107]")).then_some(())
        })
        .unwrap();
    }

    /// Has the API server go on where the webhook does not answer, as the chart does.
    pub(super) fn ignore_failures(&self) {
        let patch =
            json!([{ "op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore" }]);
        self.patch_configuration(&patch);
    }
}

/// A manifest that the webhook is asked about.
pub(super) fn manifest(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: corsward.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, labels: {{reviewed: \"yes\"}}}}\nspec: {spec}\n"
    )
}

/// A review of a new policy, as an API server sends it.
pub(super) fn review(spec: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "some-uid",
            "kind": { "group": "corsward.io", "version": "v1alpha1", "kind": "CorsPolicy" },
            "resource": { "group": "corsward.io", "version": "v1alpha1", "resource": "corspolicies" },
            "name": "api",
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": { "username": "anna" },
            "object": {
                "apiVersion": "corsward.io/v1alpha1",
                "kind": "CorsPolicy",
                "metadata": { "name": "api", "namespace": "shop" },
                "spec": spec,
            },
        },
    })
}

fn secret() -> String {
    format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets/{NAME}")
}

fn start(cluster: &LocalCluster, pod: &str, args: &[&str]) -> Operator {
    // The roles are another test's.
    let mut plan = cluster.operator(pod).kubeconfig(cluster.server.kubeconfig());
    for arg in [
        "--webhook-addr=127.0.0.1:0",
        "--webhook-names=127.0.0.1",
        &format!("--webhook-service={NAME}"),
        &format!("--webhook-secret={NAME}"),
    ] {
        plan = plan.also(arg);
    }
    args.iter().fold(plan, |plan, arg| plan.also(arg)).start().unwrap()
}

fn address(operator: &mut Operator) -> SocketAddr {
    operator.wait_for_line("webhook address").unwrap()["addr"].as_str().unwrap().parse().unwrap()
}

fn authorities(cluster: &LocalCluster) -> Option<String> {
    decoded(cluster, "ca.crt")
}

fn decoded(cluster: &LocalCluster, field: &str) -> Option<String> {
    let template = format!("--template={{{{index .data {field:?} | base64decode}}}}");
    let namespace = format!("--namespace={OPERATOR_NAMESPACE}");
    let said = cluster.kubectl(&["get", "secret", NAME, &namespace, &template], "").unwrap();
    said.success.then_some(said.out)
}

/// The chart's configuration, with an address in place of a Service, because no pod runs in this cluster.
fn configure(api: &Api, address: SocketAddr) {
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": NAME },
        "webhooks": [{
            "name": "policies.corsward.io",
            "admissionReviewVersions": ["v1"],
            "clientConfig": { "url": format!("https://{address}/validate") },
            // A story that is about the webhook's word must not go on without it.
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "sideEffects": "None",
            // A busy machine is no reason to go on without an answer: the most that Kubernetes allows.
            "timeoutSeconds": 30,
            "objectSelector": { "matchLabels": { "reviewed": "yes" } },
            "rules": [{
                "apiGroups": ["corsward.io"],
                "apiVersions": ["v1alpha1"],
                "resources": ["corspolicies", "originsets", "clustercorspolicies"],
                "operations": ["CREATE", "UPDATE"],
                "scope": "*",
            }],
        }],
    });
    api.apply(&format!("{CONFIGURATIONS}/{NAME}"), &configuration).unwrap();
}

/// As the API server writes bytes.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            encoded.push(if at <= three.len() { letter.into() } else { '=' });
        }
    }
    encoded
}
