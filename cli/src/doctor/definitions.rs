//! Definitions: those of corsward's kinds, as the API server has them.

use serde_json::Value;

use super::check::Check;
use crate::live::{ApiClient, Failure};

const NAME: &str = "definition";
/// The version that the operator reads and that the API server stores.
const VERSION: &str = "v1alpha1";
const INSTALL: &str =
    "install the chart, or its definitions alone: `kubectl apply --server-side -f crds/`";
/// The definitions of this release, by the plural of their kind.
const OWN: [(&str, &str); 3] = [
    ("corspolicies", include_str!("../../../crds/corspolicies.yaml")),
    ("originsets", include_str!("../../../crds/originsets.yaml")),
    ("clustercorspolicies", include_str!("../../../crds/clustercorspolicies.yaml")),
];

/// Checks each definition.
pub(super) async fn check(client: &ApiClient) -> Vec<Check> {
    let mut checks = Vec::new();
    for (plural, own) in OWN {
        let name = format!("{plural}.corsward.io");
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        checks.push(match client.get(&path).await {
            Ok(definition) => of(&name, &definition, own),
            Err(Failure::NotFound(_)) => Check::fail(NAME, format!("{name} is not there"), INSTALL),
            Err(Failure::Forbidden(_)) => served(client, plural, &name).await,
            Err(why) => Check::unseen(NAME, &name, &why),
        });
    }
    checks
}

fn of(name: &str, definition: &Value, own: &str) -> Check {
    let list =
        |path: &str| definition.pointer(path).and_then(Value::as_array).into_iter().flatten();
    let is = |value: &Value, field: &str| value.get(field).and_then(Value::as_bool) == Some(true);
    let text = |value: &Value, field: &str| {
        value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let Some(version) = version_of(definition) else {
        return Check::fail(NAME, format!("{name} has no version {VERSION}"), INSTALL);
    };
    if !is(version, "served") {
        let hint = format!(
            "set `served: true` of {VERSION} in the definition, or install the chart again"
        );
        return Check::fail(NAME, format!("{name}: {VERSION} is not served"), hint);
    }
    let established = |condition: &&Value| text(condition, "type") == "Established";
    let condition = list("/status/conditions").find(established);
    if let Some(condition) = condition.filter(|it| text(it, "status") != "True") {
        let why = text(condition, "message");
        return Check::fail(
            NAME,
            format!("{name} is not established: {why}"),
            "`kubectl describe` of the definition has more",
        );
    }
    let stored: Vec<String> = list("/status/storedVersions")
        .filter_map(|version| version.as_str().map(str::to_owned))
        .collect();
    if stored.iter().any(|version| version != VERSION) {
        let message = format!(
            "{name}: {VERSION} is served, and objects may be stored as {}",
            stored.join(", ")
        );
        return Check::warn(
            NAME,
            message,
            format!("write each object once, then set `status.storedVersions` to [{VERSION}]"),
        );
    }
    let own: Value = serde_saphyr::from_str(own).unwrap_or_default();
    let schema = version_of(&own).and_then(|it| it.get("schema"));
    if !schema.zip(version.get("schema")).is_some_and(|(own, its)| is_same(own, its)) {
        let message = format!(
            "{name}: {VERSION} is served, and its schema is not that of release {}",
            env!("CARGO_PKG_VERSION")
        );
        return Check::warn(
            NAME,
            message,
            "use the `corsward` of the operator's release; if it is the same one, upgrade the chart with `crds.install=true`",
        );
    }
    Check::ok(NAME, format!("{name}: {VERSION} is served and stored"))
}

/// The version of a definition that the operator reads.
fn version_of(definition: &Value) -> Option<&Value> {
    let mut versions = definition.pointer("/spec/versions")?.as_array()?.iter();
    versions.find(|it| it.get("name").and_then(Value::as_str) == Some(VERSION))
}

/// Are the values the same? An API server writes 1.0 as 1.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one.as_f64().map(f64::to_bits) == other.as_f64().map(f64::to_bits)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_there = |(name, value)| other.get(name).is_some_and(|it| is_same(value, it));
            one.len() == other.len() && one.iter().all(is_there)
        }
        (one, other) => one == other,
    }
}

/// The check for a user who may not read definitions: discovery is for all.
async fn served(client: &ApiClient, plural: &str, name: &str) -> Check {
    match client.get(&format!("/apis/corsward.io/{VERSION}")).await {
        Ok(list) => {
            let resources = list.get("resources").and_then(Value::as_array);
            let is_named = |it: &Value| it.get("name").and_then(Value::as_str) == Some(plural);
            if resources.into_iter().flatten().any(is_named) {
                Check::ok(
                    NAME,
                    format!("{name}: {VERSION} is served; this user may not read the definition"),
                )
            } else {
                Check::fail(NAME, format!("{name} is not served"), INSTALL)
            }
        }
        Err(Failure::NotFound(_)) => Check::fail(NAME, format!("{name} is not served"), INSTALL),
        Err(why) => Check::unseen(NAME, name, &why),
    }
}
