//! Namespace: the labels and the mode of a `Namespace` among the files of `validate`.

use corsward_manifest::amend;
use corsward_manifest::yaml::{self, Reader};
use corsward_operator_core::cluster_state::{Labels, MODE_ANNOTATION, Namespace, NamespaceMode};
use corsward_policy::Finding;
use serde_json::Value;

/// Reads a `Namespace`, with what `kubectl` reads otherwise of its mode. `None`: it has no name.
pub(super) fn read(
    document: &Value,
    to_kubectl: &Value,
) -> Option<(String, Namespace, Vec<Finding>)> {
    let metadata = document.get("metadata")?;
    let name = metadata.get("name")?.as_str()?.to_owned();
    let labels = entries(metadata, "labels");
    let mode = NamespaceMode::of(entries(metadata, "annotations").remove(MODE_ANNOTATION));
    let field = format!("metadata.annotations.{MODE_ANNOTATION}");
    let written = metadata.get("annotations").and_then(|entries| entries.get(MODE_ANNOTATION));
    let findings = written.zip(amend::get(to_kubectl, &field)).map(|(written, other)| {
        let field = format!("Namespace/{name} {field}");
        yaml::misread(written, other, &field, Reader::Kubectl)
    });
    Some((name, Namespace { labels, mode }, findings.unwrap_or_default()))
}

/// Labels or annotations. A value that is no text is refused by an API server, and is read as its text here.
fn entries(metadata: &Value, part: &str) -> Labels {
    let entries = metadata.get(part).and_then(Value::as_object).into_iter().flatten();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    entries.map(|(name, value)| (name.clone(), text(value))).collect()
}
