//! The chart, installed: its roles, and an operator that runs with its arguments and its account.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use corsward_operator::certificates::Content;
use corsward_test_harness::cluster::{LocalCluster, OPERATOR_NAMESPACE, Operator};
use corsward_tests::suite;
use rustls::pki_types::UnixTime;
use serde_json::{Value, json};
use xtask::kubernetes::Asked;
use xtask::{command, tools};

use super::granted::Right;

/// The chart, installed.
pub(super) struct Release<'c> {
    cluster: &'c LocalCluster,
    name: String,
    kubeconfig: PathBuf,
}

// === impl Release ===

impl<'c> Release<'c> {
    /// Installs the chart with these values.
    pub(super) fn install(cluster: &'c LocalCluster, name: &str, values: &[&str]) -> Self {
        let mut template = Command::new(tools::helm().unwrap());
        template.args(["template", name]).arg(suite::folder().join("../charts/corsward"));
        template.args(["--namespace", OPERATOR_NAMESPACE, "--no-hooks"]);
        template.args(["--set", "crds.install=false", "--set", "publish.graceSeconds=1"]);
        for value in values {
            template.args(["--set", value]);
        }
        let file = cluster.server.directory().join(format!("{name}.yaml"));
        // What the harness installed for itself gives more.
        for kind in ["clusterrolebindings", "clusterroles"] {
            let path = format!("/apis/rbac.authorization.k8s.io/v1/{kind}/{name}");
            cluster.api().send("DELETE", &path, None).unwrap();
        }
        for kind in ["rolebindings", "roles"] {
            let path = format!(
                "/apis/rbac.authorization.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/{kind}/{name}"
            );
            cluster.api().send("DELETE", &path, None).unwrap();
        }
        fs::write(&file, command::read(&mut template).unwrap()).unwrap();
        cluster.server.apply(&file).unwrap();
        let kubeconfig = cluster.server.service_account(OPERATOR_NAMESPACE, name).unwrap();
        let release = Self { cluster, name: name.to_owned(), kubeconfig };
        release.ask_nobody();
        release
    }

    /// A replica, with the arguments of the chart's Deployment at addresses of this machine.
    pub(super) fn start(&self, pod: &str) -> Operator {
        self.start_with(pod, &[])
    }

    /// The same, with other arguments in the place of some.
    pub(super) fn start_with(&self, pod: &str, others: &[String]) -> Operator {
        let path =
            format!("/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments/{}", self.name);
        let deployment = self.cluster.api().get(&path).unwrap().unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let mut plan = self.cluster.operator(pod).kubeconfig(self.kubeconfig.clone());
        for arg in container["args"].as_array().unwrap().iter().skip(1) {
            let arg = arg.as_str().unwrap();
            let (flag, value) = arg.split_once('=').unwrap_or((arg, ""));
            let arg = if value.starts_with("0.0.0.0:") {
                format!("{flag}=127.0.0.1:0")
            } else {
                arg.to_owned()
            };
            if !others.iter().any(|other| other.starts_with(&format!("{flag}="))) {
                plan = plan.also(&arg);
            }
        }
        others.iter().fold(plan, |plan, arg| plan.also(arg)).start().unwrap()
    }

    /// Nothing runs behind Services here: the API server is told at once, where it would wait.
    fn ask_nobody(&self) {
        let path = format!(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{}-webhook",
            self.name
        );
        if self.cluster.api().get(&path).unwrap().is_some() {
            let patch = json!([
                { "op": "remove", "path": "/webhooks/0/clientConfig/service" },
                { "op": "add", "path": "/webhooks/0/clientConfig/url", "value": "https://127.0.0.1:1/" },
            ]);
            let body = ("application/json-patch+json", &patch);
            let answer = self.cluster.api().send("PATCH", &path, Some(body)).unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }

    /// Writes the endpoints of the module Service, which has no controller here.
    pub(super) fn announce_modules(&self, address: SocketAddr) {
        let slices =
            format!("/apis/discovery.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/endpointslices");
        let service = format!("{}-modules", self.name);
        let slice = json!({
            "metadata": { "name": service, "labels": { "kubernetes.io/service-name": service } },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": [address.ip()], "conditions": { "ready": true } }],
            "ports": [{ "name": "http-modules", "port": address.port(), "protocol": "TCP" }],
        });
        self.cluster.api().create(&slices, &slice).unwrap();
    }

    /// Replaces the operator's copy of its module by a different one.
    pub(super) fn damage_modules(&self) {
        let maps = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/configmaps");
        let list = self.cluster.api().get(&maps).unwrap().unwrap();
        let is_module = |map: &&Value| {
            map["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("corsward-module-"))
        };
        let module = list["items"].as_array().unwrap().iter().find(is_module).unwrap();
        let name = module["metadata"]["name"].as_str().unwrap();
        self.cluster.api().delete(&format!("{maps}/{name}")).unwrap();
        let damaged = json!({
            "metadata": { "name": name, "labels": module["metadata"]["labels"] },
            "immutable": true,
            "data": { "filter.wasm": "no module" },
        });
        self.cluster.api().create(&maps, &damaged).unwrap();
    }

    /// A Secret with a certificate of the user's own.
    pub(super) fn bring_certificate(&self, secret: &str) {
        let names = [format!("{}-webhook.{OPERATOR_NAMESPACE}.svc", self.name)];
        let made = Content::new(&names, UnixTime::now()).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let secret = json!({
            "metadata": { "name": secret },
            "type": "kubernetes.io/tls",
            "stringData": {
                "tls.crt": text(made.certificate),
                "tls.key": text(made.key),
                "ca.crt": text(made.authorities),
            },
        });
        let secrets = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets");
        self.cluster.api().create(&secrets, &secret).unwrap();
    }

    /// The path of an object of the core API that belongs to the release.
    pub(super) fn path(&self, resource: &str, suffix: &str) -> String {
        format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/{resource}/{}-{suffix}", self.name)
    }

    /// The path of the lease.
    pub(super) fn lease(&self) -> String {
        let name = &self.name;
        format!("/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/{name}")
    }

    /// The rights of the chart's roles.
    pub(super) fn granted(&self) -> Vec<Right> {
        let base = "/apis/rbac.authorization.k8s.io/v1";
        let name = &self.name;
        let paths = [
            format!("{base}/clusterroles/{name}"),
            format!("{base}/namespaces/{OPERATOR_NAMESPACE}/roles/{name}"),
        ];
        let role = |path: &String| -> Value { self.cluster.api().get(path).unwrap().unwrap() };
        paths.iter().flat_map(|path| Right::of(&role(path))).collect()
    }

    /// The operator's requests so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{}", self.name);
        self.cluster.server.asked_by(&user).unwrap()
    }
}
