//! Test namespace: a namespace of a scenario's own.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::workload::Workload;
use corsward_test_harness::eventually::eventually;

/// A namespace.
#[derive(Debug)]
pub(crate) struct TestNamespace<'c> {
    cluster: &'c Cluster,
    /// Its name.
    pub(crate) name: String,
}

// === impl TestNamespace ===

impl<'c> TestNamespace<'c> {
    pub(crate) fn new(cluster: &'c Cluster, name: String) -> Self {
        Self { cluster, name }
    }

    /// The name of a Service of it, valid in the whole cluster.
    pub(crate) fn host(&self, service: &str) -> String {
        format!("{service}.{}.svc.cluster.local", self.name)
    }

    /// `kubectl apply` of YAML or JSON, here.
    pub(crate) fn apply(&self, text: &str) -> Result<()> {
        self.cluster.kubectl_with(&["-n", &self.name, "apply", "-f", "-"], text).map(drop)
    }

    /// `kubectl create` of YAML or JSON, here: quicker where there is much of it and none is there yet.
    pub(crate) fn create(&self, text: &str) -> Result<()> {
        self.cluster.kubectl_with(&["-n", &self.name, "create", "-f", "-"], text).map(drop)
    }

    /// `kubectl`, here: what it prints.
    pub(crate) fn read(&self, args: &[&str]) -> Result<String> {
        self.cluster.read(&[&["-n", self.name.as_str()], args].concat())
    }

    /// An object, here; `Null` where there is none.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Result<Value> {
        let text = self.read(&["get", kind, name, "--ignore-not-found", "-o", "json"])?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("kubectl printed {text}"))
    }

    /// A program in a container, here: what it prints. `of`: `deploy/NAME` or a pod's name.
    pub(crate) fn exec(&self, of: &str, container: &str, words: &[&str]) -> Result<String> {
        self.read(&[&["exec", of, "-c", container, "--"], words].concat())
    }

    /// Runs a workload, and waits until all its pods are ready and, where it answers HTTP, its Service leads to one.
    pub(crate) fn run(&self, workload: &Workload) -> Result<()> {
        self.apply(&workload.objects().to_string())?;
        self.rolled_out(&format!("deployment/{}", workload.name))?;
        if workload.answers() { self.await_answer(&workload.name) } else { Ok(()) }
    }

    /// Replaces all pods of a Deployment, and waits until its Services lead to the new ones and to no other: the old ones are gone
    /// before the new ones come, so that only new ones answer. A node still routes to a pod for a moment after its end, and loses
    /// those requests.
    pub(crate) fn restart(&self, deployment: &str) -> Result<()> {
        let object = self.get("deployment", deployment)?;
        let replicas = format!("--replicas={}", object["spec"]["replicas"]);
        let labels = object["spec"]["selector"]["matchLabels"].as_object();
        let labels = labels.context("a Deployment selects pods by labels")?;
        let of = |(name, value): (&String, &Value)| {
            format!("{name}={}", value.as_str().unwrap_or_default())
        };
        let selector = labels.iter().map(of).collect::<Vec<_>>().join(",");
        let workload = format!("deployment/{deployment}");
        self.read(&["scale", &workload, "--replicas=0"])?;
        eventually(&format!("the end of the pods of {deployment}"), || {
            let left = self.read(&["get", "pods", "-l", &selector, "-o", "name"])?;
            ensure!(left.is_empty(), "there is {left}");
            Ok(Some(()))
        })?;
        self.read(&["scale", &workload, &replicas])?;
        self.rolled_out(&workload)?;
        let services = self.read(&["get", "services", "-o", "json"])?;
        let services: Value = serde_json::from_str(&services)?;
        let services = services["items"].as_array().into_iter().flatten();
        let leading = services.filter(|one| one["spec"]["selector"] == json!(labels));
        for service in leading.filter_map(|one| one["metadata"]["name"].as_str()) {
            self.await_answer(service)?;
        }
        Ok(())
    }

    /// Waits until a Service answers at port 80: what a node routes follows readiness a moment later.
    pub(crate) fn await_answer(&self, service: &str) -> Result<()> {
        let (socks_proxy, host) = (self.cluster.socks_proxy(), self.host(service));
        eventually(&format!("an answer of {host}"), || {
            socks_proxy.get(&host, "/", None).map(Some)
        })?;
        Ok(())
    }

    /// Waits until all pods of a Deployment are the newest and ready.
    pub(crate) fn rolled_out(&self, workload: &str) -> Result<()> {
        self.read(&["rollout", "status", workload, "--timeout=180s"]).map(drop)
    }

    /// Applies a policy of that spec.
    pub(crate) fn policy(&self, name: &str, spec: &Value) -> Result<()> {
        let object = json!({
            "apiVersion": "corsward.io/v1alpha1",
            "kind": "CorsPolicy",
            "metadata": { "name": name },
            "spec": spec,
        });
        self.apply(&object.to_string())
    }

    /// A condition of a policy's status, about what is written now: its status and its reason; `None` where nothing is said of it yet.
    pub(crate) fn condition(&self, policy: &str, kind: &str) -> Result<Option<(String, String)>> {
        let object = self.get("corspolicy", policy)?;
        let generation = &object["metadata"]["generation"];
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let mut conditions = conditions
            .filter(|one| one["type"] == kind && one["observedGeneration"] == *generation);
        let word = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        Ok(conditions.next().map(|one| (word(one, "status"), word(one, "reason"))))
    }

    /// Waits until a policy's condition has that status and that reason.
    pub(crate) fn await_condition(
        &self,
        policy: &str,
        kind: &str,
        status: &str,
        reason: &str,
    ) -> Result<()> {
        let what = format!("{kind}={status} {reason} of {}/{policy}", self.name);
        eventually(&what, || {
            let said = self.condition(policy, kind)?;
            ensure!(said == Some((status.to_owned(), reason.to_owned())), "it is {said:?}");
            Ok(Some(()))
        })
    }
}
