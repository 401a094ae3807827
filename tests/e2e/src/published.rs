//! Published: Istio's objects that hold bundles, of the kind that this cluster's istiods read.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::cluster::test_namespace::TestNamespace;

/// The kinds that the chart's default chooses between.
pub(crate) const KINDS: [&str; 2] = ["wasmplugins", "trafficextensions"];

/// One object.
#[derive(Clone, Debug)]
pub(crate) struct Published(Value);

// === impl Published ===

impl Published {
    /// All of a namespace.
    pub(crate) fn all(namespace: &TestNamespace<'_>) -> Result<Vec<Self>> {
        let text = namespace.read(&["get", &KINDS.join(","), "-o", "json"])?;
        let list: Value = serde_json::from_str(&text)?;
        let items = list["items"].as_array().context("a list has items")?;
        Ok(items.iter().cloned().map(Self).collect())
    }

    /// The only one of a namespace.
    pub(crate) fn only(namespace: &TestNamespace<'_>) -> Result<Self> {
        let mut all = Self::all(namespace)?;
        ensure!(all.len() == 1, "there are {} objects of Istio's: {all:?}", all.len());
        all.pop().context("one is there")
    }

    /// As words of `kubectl`: its kind and its name.
    pub(crate) fn words(&self) -> Result<[&str; 2]> {
        let kind = self.0["kind"].as_str().context("an object has a kind")?;
        Ok([kind, self.0["metadata"]["name"].as_str().context("an object has a name")?])
    }

    /// The labels that it selects by; `Null` for a whole namespace.
    pub(crate) fn labels(&self) -> &Value {
        &self.0["spec"]["selector"]["matchLabels"]
    }

    /// All that it says.
    pub(crate) fn spec(&self) -> &Value {
        &self.0["spec"]
    }

    /// The part about the module and its configuration.
    pub(crate) fn plugin(&self) -> &Value {
        if self.is_nested() { &self.0["spec"]["wasm"] } else { &self.0["spec"] }
    }

    /// The same object with a different value in a field of that part.
    pub(crate) fn with(&self, field: &str, value: Value) -> Self {
        let mut other = self.clone();
        let spec = &mut other.0["spec"];
        let plugin = if self.is_nested() { &mut spec["wasm"] } else { spec };
        plugin[field] = value;
        other
    }

    /// A patch of fields of that part, and of fields beside it.
    pub(crate) fn patch(&self, plugin: &Value, mut around: Value) -> Result<Value> {
        if self.is_nested() {
            around["wasm"] = plugin.clone();
        } else {
            let fields = around.as_object_mut().context("fields have names")?;
            fields.extend(plugin.as_object().context("fields have names")?.clone());
        }
        Ok(json!({ "spec": around }))
    }

    /// An object that says the same and is none of the operator's, so that it repairs nothing.
    pub(crate) fn by_hand(&self, name: &str) -> String {
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
