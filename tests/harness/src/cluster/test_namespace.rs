//! Test namespace: a namespace of a scenario's own.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Cluster, Published};
use crate::api_server::collection;
use crate::command::CommandOutput;
use crate::eventually::eventually;
use crate::status::{condition, is_judged, summary, version};
use crate::workload::Workload;

/// `kubectl apply` of its input.
pub const APPLY: [&str; 3] = ["apply", "-f", "-"];

/// A namespace.
#[derive(Clone, Debug)]
pub struct TestNamespace<'c> {
    /// Its cluster.
    pub cluster: &'c Cluster,
    /// Its name.
    pub name: String,
}

/// An object of one of our kinds.
pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "corsward.io/v1alpha1",
        "kind": kind,
        "metadata": { "name": name },
        "spec": spec,
    })
}

// === impl TestNamespace ===

impl TestNamespace<'_> {
    /// The name of a Service of it, valid in the whole cluster.
    pub fn host(&self, service: &str) -> String {
        format!("{service}.{}.svc.cluster.local", self.name)
    }

    /// `kubectl apply` of a manifest, here: what it prints.
    pub fn apply(&self, manifest: &str) -> Result<String> {
        self.cluster.read_with(&self.args(&APPLY), manifest)
    }

    /// `kubectl create` of a manifest, here: quicker where there is much of it and none is there yet.
    pub fn create(&self, manifest: &str) -> Result<String> {
        self.cluster.read_with(&self.args(&["create", "-f", "-"]), manifest)
    }

    /// `kubectl` with an input, here: what it prints, and whether it succeeds.
    pub fn kubectl(&self, args: &[&str], input: &str) -> Result<CommandOutput> {
        self.cluster.kubectl(&self.args(args), input)
    }

    /// `kubectl`, here: what it prints.
    pub fn read(&self, args: &[&str]) -> Result<String> {
        self.cluster.read(&self.args(args))
    }

    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["--namespace", self.name.as_str()], args].concat()
    }

    /// A program in a container, here: what it prints. `of`: `deploy/NAME` or a pod's name.
    pub fn exec(&self, of: &str, container: &str, words: &[&str]) -> Result<String> {
        self.read(&[&["exec", of, "-c", container, "--"], words].concat())
    }

    /// Writes a policy: new, or its whole spec.
    pub fn policy(&self, name: &str, spec: &Value) -> Result<Value> {
        let path = self.path("corspolicies", name);
        self.cluster.api().apply(&path, &object("CorsPolicy", name, spec))
    }

    /// Writes an `OriginSet`.
    pub fn origin_set(&self, name: &str, origins: &[&str]) -> Result<Value> {
        let (path, spec) = (self.path("originsets", name), json!({ "origins": origins }));
        self.cluster.api().apply(&path, &object("OriginSet", name, &spec))
    }

    /// Writes any object of a built-in or foreign kind.
    pub fn write(&self, path: &str, object: &Value) -> Result<Value> {
        self.cluster.api().apply(&path.replace("{namespace}", &self.name), object)
    }

    /// Deletes a policy.
    pub fn delete_policy(&self, name: &str) -> Result<()> {
        self.cluster.api().delete(&self.path("corspolicies", name)).map(drop)
    }

    /// The path of an object, or of all of a kind.
    pub fn path(&self, plural: &str, name: &str) -> String {
        format!("{}/{name}", collection(&self.name, plural)).trim_end_matches('/').to_owned()
    }

    /// An object, by the plural of its kind; `Null` where there is none.
    pub fn get(&self, plural: &str, name: &str) -> Result<Value> {
        Ok(self.cluster.api().get(&self.path(plural, name))?.unwrap_or_default())
    }

    /// All objects of a kind.
    fn list(&self, plural: &str) -> Result<Vec<Value>> {
        let list = self.get(plural, "")?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until the status of a policy is about its spec as it is, and `holds`.
    pub fn wait_for(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let found = eventually(&format!("{}/{name} to be {what}", self.name), || {
            let policy = self.get("corspolicies", name)?;
            ensure!(is_judged(&policy) && holds(&policy), "it is {}", summary(&policy));
            Ok(Some(policy))
        });
        found.with_context(|| {
            let policy = self.get("corspolicies", name).unwrap_or_default();
            format!("{policy:#}\n{}", self.state())
        })
    }

    /// Waits until a policy's conditions begin with these words: `["Accepted=True", "Programmed=False Overridden"]`.
    pub fn wait_for_conditions(&self, name: &str, wanted: &[&str]) -> Result<Value> {
        self.wait_for(name, &wanted.join(", "), |policy| {
            wanted.iter().all(|wanted| {
                let kind = wanted.split('=').next().unwrap_or_default();
                condition(policy, kind).starts_with(wanted)
            })
        })
    }

    /// Waits until a policy is in force as it is written.
    pub fn wait_for_in_force(&self, name: &str) -> Result<Value> {
        let policy = self.wait_for_conditions(name, &["Accepted=True", "Programmed=True"])?;
        let in_force = &policy["status"]["inForce"]["generation"];
        ensure!(
            *in_force == policy["metadata"]["generation"],
            "{in_force} is in force: {policy:#}"
        );
        Ok(policy)
    }

    /// The published objects of this namespace, by their names.
    pub fn published(&self) -> Result<BTreeMap<String, Published>> {
        let mut all = BTreeMap::new();
        for object in Published::KINDS.map(|plural| self.list(plural)) {
            let objects = object?.into_iter().map(Published::new);
            all.extend(objects.map(|one| (one.name().to_owned(), one)));
        }
        Ok(all)
    }

    /// The only published object of this namespace.
    pub fn only_published(&self) -> Result<Published> {
        let mut all = self.published()?;
        ensure!(all.len() == 1, "there are {} objects of Istio's: {all:?}", all.len());
        Ok(all.pop_first().context("one is there")?.1)
    }

    /// Waits until what is published in this namespace is for these selectors (`app=api`; nothing for all pods) and holds these
    /// policies.
    pub fn wait_for_published(
        &self,
        wanted: &[(&str, &[&str])],
    ) -> Result<BTreeMap<String, Published>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let wanted: BTreeMap<String, Vec<String>> =
            wanted.iter().map(|(labels, names)| ((*labels).to_owned(), owned(names))).collect();
        let found = eventually(&format!("{wanted:?} to be published"), || {
            let all = self.published()?;
            let seen: BTreeMap<_, _> =
                all.values().map(|one| (one.labels(), one.policies())).collect();
            ensure!(seen == wanted && all.len() == wanted.len(), "there is {seen:?}");
            Ok(Some(all))
        });
        found.with_context(|| self.state())
    }

    /// The state of the namespace, for the message about a failure.
    fn state(&self) -> String {
        format!("published: {:?}\n{}", self.published(), self.cluster.logs())
    }

    /// Tells apart every write to what this namespace holds of ours: the versions of its policies and of what is published.
    pub fn versions(&self) -> Result<BTreeMap<String, String>> {
        let mut versions = BTreeMap::new();
        for plural in ["corspolicies", "originsets"].into_iter().chain(Published::KINDS) {
            for object in self.list(plural)? {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                versions.insert(format!("{plural}/{name}"), version(&object));
            }
        }
        Ok(versions)
    }

    /// Deletes the namespace with all that is in it, as the controllers of a whole cluster do.
    pub fn vanish(&self) -> Result<()> {
        let api = self.cluster.api();
        let path = format!("/api/v1/namespaces/{}", self.name);
        api.delete(&path)?;
        for plural in ["corspolicies", "originsets", "wasmplugins"] {
            api.delete(&self.path(plural, ""))?;
        }
        let mut namespace = api.get(&path)?.context("the namespace is there")?;
        namespace["spec"]["finalizers"] = json!([]);
        api.replace(&format!("{path}/finalize"), &namespace).map(drop)
    }

    /// Runs a workload, and waits until all its pods are ready and, where it answers HTTP, its Service leads to one.
    pub fn run(&self, workload: &Workload) -> Result<()> {
        self.apply(&workload.objects().to_string())?;
        self.rolled_out(&format!("deployment/{}", workload.name))?;
        if workload.answers() { self.wait_for_answer(&workload.name) } else { Ok(()) }
    }

    /// Replaces all pods of a Deployment, and waits until its Services lead to the new ones and to no other: the old ones are gone
    /// before the new ones come, so that only new ones answer. A node still routes to a pod for a moment after its end, and loses
    /// those requests.
    pub fn restart(&self, deployment: &str) -> Result<()> {
        let object = self.get("deployments", deployment)?;
        let replicas = format!("--replicas={}", object["spec"]["replicas"]);
        let labels = object["spec"]["selector"]["matchLabels"].as_object();
        let labels = labels.context("a Deployment selects pods by labels")?;
        let of = |(name, value): (&String, &Value)| {
            format!("{name}={}", value.as_str().unwrap_or_default())
        };
        let selector = labels.iter().map(of).collect::<Vec<_>>().join(",");
        let workload = format!("deployment/{deployment}");
        self.read(&["scale", &workload, "--replicas=0"])?;
        self.wait_for_no_pods(&selector)?;
        self.read(&["scale", &workload, &replicas])?;
        self.rolled_out(&workload)?;
        let services = self.list("services")?;
        let leading = services.iter().filter(|one| one["spec"]["selector"] == json!(labels));
        for service in leading.filter_map(|one| one["metadata"]["name"].as_str()) {
            self.wait_for_answer(service)?;
        }
        Ok(())
    }

    /// Waits until no pod has these labels.
    pub fn wait_for_no_pods(&self, selector: &str) -> Result<()> {
        eventually(&format!("the end of the pods {selector}"), || {
            let left = self.read(&["get", "pods", "-l", selector, "-o", "name"])?;
            ensure!(left.is_empty(), "there is {left}");
            Ok(true)
        })
    }

    /// Waits until a Service answers at port 80: what a node routes follows readiness a moment later.
    pub fn wait_for_answer(&self, service: &str) -> Result<()> {
        let (socks_proxy, host) = (self.cluster.socks_proxy(), self.host(service));
        let answer = || socks_proxy.get(&host, "/", None).map(|_| true);
        eventually(&format!("an answer of {host}"), answer)
    }

    /// Waits until all pods of a Deployment are the newest and ready.
    pub fn rolled_out(&self, workload: &str) -> Result<()> {
        self.read(&["rollout", "status", workload, "--timeout=180s"]).map(drop)
    }
}
