//! Situations: what users and the cluster do, step by step, as a YAML file says it.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::Value;

/// The actions of users and of the cluster, step by step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Situation {
    /// Its purpose.
    pub(super) why: String,
    /// The kind of the published objects.
    #[serde(default)]
    pub(super) kind: Kind,
    /// The words of findings are a part of the snapshot. Elsewhere a finding is its code.
    #[serde(default)]
    pub(super) wording: bool,
    /// Its steps; the operator comes to rest after each.
    pub(super) steps: Vec<Step>,
}

/// The kind of the published objects.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) enum Kind {
    #[default]
    WasmPlugin,
    TrafficExtension,
    EnvoyFilter,
    ConfigMap,
}

/// The events of one step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Step {
    /// Its description.
    #[serde(rename = "step")]
    pub(super) what: String,
    /// Objects that are applied. An array that is `{repeat: TEXT, times: N}` is `N` times the text, with the number for each `#`.
    #[serde(default)]
    pub(super) apply: Vec<Value>,
    /// Objects that are deleted: `Kind/namespace/name` or `Kind/name`.
    #[serde(default)]
    pub(super) delete: Vec<String>,
    /// The API server refuses published objects from now on, with these words; `""`: no longer.
    pub(super) refuse: Option<String>,
    /// The switch of the whole cluster.
    pub(super) enforcement: Option<bool>,
    /// This replica is the leader.
    pub(super) leading: Option<bool>,
    /// The operator restarts before the rest of the step.
    #[serde(default)]
    pub(super) restart: bool,
    /// The answers of proxies from now on, by their pods' names. A pod that is not named does not answer.
    #[serde(default)]
    pub(super) answers: BTreeMap<String, ProxyAnswer>,
}

/// A proxy's answer to a poll of its metrics.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum ProxyAnswer {
    /// It runs what is published for it.
    Current,
    /// It runs a different configuration.
    Behind,
    /// It refused a configuration and runs a different one.
    Refused,
    /// It has no filter.
    NoFilter,
    /// It does not answer.
    Silent,
}

// === impl Situation ===

impl Situation {
    /// Reads `NAME.yaml`.
    pub(super) fn read(name: &str) -> Self {
        let path = super::folder().join(name).with_extension("yaml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut situation: Self =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        situation.steps.iter_mut().flat_map(|step| &mut step.apply).for_each(repeat);
        situation
    }
}

/// Writes out what is repeated.
fn repeat(value: &mut Value) {
    if let (Some(text), Some(times)) = (value["repeat"].as_str(), value["times"].as_u64()) {
        *value = (0..times).map(|number| text.replace('#', &number.to_string())).collect();
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(repeat),
        Value::Object(fields) => fields.values_mut().for_each(repeat),
        _ => {}
    }
}
