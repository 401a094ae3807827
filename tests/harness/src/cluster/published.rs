//! Published: an object of Istio's that holds a bundle, of the kind that the istiods of a cluster read.

use anyhow::{Context, Result};
use corsward_policy::wire;
use serde_json::{Value, json};

use crate::status::version;

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct Published(Value);

// === impl Published ===

impl Published {
    /// The kinds that the chart's default chooses between.
    pub const KINDS: [&str; 2] = ["wasmplugins", "trafficextensions"];

    pub(super) fn new(object: Value) -> Self {
        Self(object)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// As words of `kubectl`: its kind and its name.
    pub fn words(&self) -> Result<[&str; 2]> {
        Ok([self.0["kind"].as_str().context("an object has a kind")?, self.name()])
    }

    /// The version, which changes with each write.
    pub fn version(&self) -> String {
        version(&self.0)
    }

    /// The labels of the pods that it is for; `Null` for a whole namespace.
    pub fn selector(&self) -> &Value {
        &self.0["spec"]["selector"]["matchLabels"]
    }

    /// The selector as text: `app=api,tier=web`; empty for a whole namespace.
    pub fn labels(&self) -> String {
        let labels = self.selector().as_object().into_iter().flatten();
        let labels =
            labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("-")));
        labels.collect::<Vec<_>>().join(",")
    }

    /// All that it says.
    pub fn spec(&self) -> &Value {
        &self.0["spec"]
    }

    /// The part about the module and its configuration.
    pub fn plugin(&self) -> &Value {
        if self.is_nested() { &self.0["spec"]["wasm"] } else { &self.0["spec"] }
    }

    /// The digest of its bundle.
    pub fn digest(&self) -> &str {
        self.plugin()["pluginConfig"]["digest"].as_str().unwrap_or_default()
    }

    /// The compiled policies.
    pub fn compiled(&self) -> &str {
        self.plugin()["pluginConfig"]["compiled"].as_str().unwrap_or_default()
    }

    /// The names of the policies in it, in order; none where a proxy could not read them.
    pub fn policies(&self) -> Vec<String> {
        let compiled = wire::decode(self.compiled());
        let names = compiled.iter().flat_map(|all| all.policies().map(|id| id.name.clone()));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// The same object with a different value in a field of the part about the module.
    pub fn with(&self, field: &str, value: Value) -> Self {
        let mut other = self.clone();
        let spec = &mut other.0["spec"];
        let plugin = if self.is_nested() { &mut spec["wasm"] } else { spec };
        plugin[field] = value;
        other
    }

    /// A patch of fields of that part, and of fields beside it.
    pub fn patch(&self, plugin: &Value, mut around: Value) -> Result<Value> {
        if self.is_nested() {
            around["wasm"] = plugin.clone();
        } else {
            let fields = around.as_object_mut().context("fields have names")?;
            fields.extend(plugin.as_object().context("fields have names")?.clone());
        }
        Ok(json!({ "spec": around }))
    }

    /// An object that says the same and is none of the operator's, so that it repairs nothing.
    pub fn by_hand(&self, name: &str) -> String {
        let Self(object) = self;
        json!({
            "apiVersion": object["apiVersion"],
            "kind": object["kind"],
            "metadata": { "name": name },
            "spec": object["spec"],
        })
        .to_string()
    }

    fn is_nested(&self) -> bool {
        self.0["kind"] == "TrafficExtension"
    }
}
