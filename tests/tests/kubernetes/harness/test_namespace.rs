//! A namespace of a scenario.

use std::collections::BTreeMap;

use corsward_policy::wire::{self, Envelope};
use corsward_test_harness::eventually::eventually;
use serde_json::{Value, json};

use super::cluster::Said;
use super::{Cluster, condition, is_judged, version};

const GROUP: &str = "/apis/corsward.io/v1alpha1";
const PLUGINS: &str = "/apis/extensions.istio.io/v1alpha1";

/// A namespace of a scenario.
pub(crate) struct TestNamespace<'c> {
    pub(crate) cluster: &'c Cluster,
    pub(crate) name: String,
}

/// The content of one published object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// The labels of the pods that it is for.
    pub(crate) selector: Value,
    pub(crate) digest: String,
    /// The names of the policies in it.
    pub(crate) policies: Vec<String>,
    /// The compiled policies.
    pub(crate) compiled: String,
    /// The version, which changes with each write.
    pub(crate) version: String,
}

// === impl TestNamespace ===

impl<'c> TestNamespace<'c> {
    pub(super) fn new(cluster: &'c Cluster, name: &str) -> Self {
        let namespace = json!({ "metadata": { "name": name } });
        cluster.api().create("/api/v1/namespaces", &namespace).unwrap();
        Self { cluster, name: name.into() }
    }

    /// `kubectl apply` of a manifest in this namespace, by a user.
    pub(crate) fn apply(&self, manifest: &str) -> Said {
        self.cluster.kubectl(&["apply", "--namespace", &self.name, "-f", "-"], manifest)
    }

    /// `kubectl` in this namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Said {
        let args: Vec<_> = ["--namespace", &self.name].iter().chain(args).copied().collect();
        self.cluster.kubectl(&args, "")
    }

    /// Writes a policy: new, or its whole spec.
    #[track_caller]
    pub(crate) fn policy(&self, name: &str, spec: &Value) -> Value {
        self.object("CorsPolicy", "corspolicies", name, spec)
    }

    /// Writes an `OriginSet`.
    #[track_caller]
    pub(crate) fn origin_set(&self, name: &str, origins: &[&str]) -> Value {
        self.object("OriginSet", "originsets", name, &json!({ "origins": origins }))
    }

    #[track_caller]
    fn object(&self, kind: &str, plural: &str, name: &str, spec: &Value) -> Value {
        let object = json!({
            "apiVersion": "corsward.io/v1alpha1",
            "kind": kind,
            "metadata": { "name": name, "namespace": self.name },
            "spec": spec,
        });
        self.cluster.api().apply(&self.path(plural, name), &object).unwrap()
    }

    /// Writes any object of a built-in or foreign kind.
    #[track_caller]
    pub(crate) fn write(&self, path: &str, object: &Value) -> Value {
        let path = path.replace("{namespace}", &self.name);
        self.cluster.api().apply(&path, object).unwrap()
    }

    pub(crate) fn delete_policy(&self, name: &str) {
        self.cluster.api().delete(&self.path("corspolicies", name)).unwrap();
    }

    /// The path of an object of ours, or of all of a kind.
    pub(crate) fn path(&self, plural: &str, name: &str) -> String {
        let path = format!("{GROUP}/namespaces/{}/{plural}/{name}", self.name);
        path.trim_end_matches('/').to_owned()
    }

    /// A policy as it is now.
    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> Value {
        self.cluster.api().get(&self.path("corspolicies", name)).unwrap().unwrap()
    }

    /// Waits until the status of a policy is about its spec as it is, and `holds`.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let found = eventually(&format!("{what:?}"), || {
            let policy = self.cluster.api().get(&self.path("corspolicies", name)).ok()??;
            (is_judged(&policy) && holds(&policy)).then_some(policy)
        });
        found.unwrap_or_else(|_| {
            panic!("{name} was never {what}:\n{:#}\n{}", self.get(name), self.state())
        })
    }

    /// Waits until a policy's conditions begin with these words: `["Accepted=True", "Programmed=False Overridden"]`.
    #[track_caller]
    pub(crate) fn wait_for_conditions(&self, name: &str, wanted: &[&str]) -> Value {
        self.wait_for(name, &wanted.join(", "), |policy| {
            wanted.iter().all(|wanted| {
                let kind = wanted.split('=').next().unwrap_or_default();
                condition(policy, kind).starts_with(wanted)
            })
        })
    }

    /// Waits until a policy is in force as it is written.
    #[track_caller]
    pub(crate) fn wait_for_in_force(&self, name: &str) -> Value {
        let policy = self.wait_for_conditions(name, &["Accepted=True", "Programmed=True"]);
        assert_eq!(policy["status"]["inForce"]["generation"], policy["metadata"]["generation"]);
        policy
    }

    /// The published objects of this namespace, by their names. The API server has no istiod, so that `Auto` means `WasmPlugin`: the
    /// test `publishing_whichever_kind_every_istiod_reads` shows both kinds.
    pub(crate) fn published(&self) -> BTreeMap<String, Published> {
        let path = format!("{PLUGINS}/namespaces/{}/wasmplugins", self.name);
        let list = self.cluster.api().get(&path).unwrap().unwrap();
        let plugins = list["items"].as_array().unwrap().iter();
        plugins.map(|p| (p["metadata"]["name"].as_str().unwrap().into(), published(p))).collect()
    }

    /// Waits until what is published in this namespace is for these selectors (`app=api`; nothing for all pods) and holds these
    /// policies.
    #[track_caller]
    pub(crate) fn wait_for_published(
        &self,
        wanted: &[(&str, &[&str])],
    ) -> BTreeMap<String, Published> {
        let wanted: BTreeMap<String, Vec<String>> = wanted
            .iter()
            .map(|(labels, names)| {
                ((*labels).to_owned(), names.iter().map(|name| (*name).to_owned()).collect())
            })
            .collect();
        let found = eventually(&format!("{wanted:?}"), || {
            let all = self.published();
            let seen: BTreeMap<String, Vec<String>> = all
                .values()
                .map(|one| {
                    let mut policies = one.policies.clone();
                    policies.sort();
                    (shown(&one.selector), policies)
                })
                .collect();
            (seen == wanted && all.len() == wanted.len()).then_some(all)
        });
        found.unwrap_or_else(|_| panic!("never published {wanted:?} but\n{}", self.state()))
    }

    /// The state of the namespace, for the message about a failure.
    fn state(&self) -> String {
        format!("published: {:#?}\n{}", self.published(), self.cluster.logs())
    }

    /// Tells apart every write to what this namespace holds of ours: the versions of its policies and of what is published.
    pub(crate) fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        for plural in ["corspolicies", "originsets"] {
            let list = self.cluster.api().get(&self.path(plural, "")).unwrap().unwrap();
            for object in list["items"].as_array().unwrap() {
                let name = object["metadata"]["name"].as_str().unwrap();
                versions.insert(format!("{plural}/{name}"), version(object));
            }
        }
        for (name, published) in self.published() {
            versions.insert(format!("wasmplugins/{name}"), published.version);
        }
        versions
    }

    /// Deletes the namespace with all that is in it, as the controllers of a whole cluster do.
    pub(crate) fn vanish(&self) {
        let api = self.cluster.api();
        let path = format!("/api/v1/namespaces/{}", self.name);
        api.delete(&path).unwrap();
        for plural in ["corspolicies", "originsets"] {
            api.delete(&self.path(plural, "")).unwrap();
        }
        api.delete(&format!("{PLUGINS}/namespaces/{}/wasmplugins", self.name)).unwrap();
        let mut namespace = api.get(&path).unwrap().unwrap();
        namespace["spec"]["finalizers"] = json!([]);
        api.replace(&format!("{path}/finalize"), &namespace).unwrap();
    }
}

/// The content of one plugin.
fn published(plugin: &Value) -> Published {
    let spec = &plugin["spec"];
    let envelope = Envelope::decode(spec["pluginConfig"].to_string().as_bytes()).unwrap();
    let compiled = wire::decode(&envelope.compiled).unwrap();
    Published {
        selector: spec["selector"]["matchLabels"].clone(),
        digest: envelope.digest,
        policies: compiled.policies().map(|id| id.name.clone()).collect(),
        compiled: envelope.compiled,
        version: version(plugin),
    }
}

fn shown(selector: &Value) -> String {
    let labels = selector.as_object().into_iter().flatten();
    let labels = labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
    labels.collect::<Vec<_>>().join(",")
}
