//! Objects for tests.

use std::sync::{Arc, LazyLock};

use corsward_policy::finding::SourceReason;
use corsward_policy::{Finding, PolicyId};
use serde_json::{Value, json};

use crate::object::{Object, Text};

/// A spec that is accepted.
pub(crate) static GOOD: LazyLock<Value> =
    LazyLock::new(|| json!({"cors": {"allowOrigins": ["https://a.example"]}}));
/// A spec that is refused.
pub(crate) static REFUSED: LazyLock<Value> =
    LazyLock::new(|| json!({"cors": {"allowOrigins": ["https://a.example/"]}}));

pub(crate) fn id(name: &str) -> PolicyId {
    PolicyId { namespace: "shop".into(), name: name.into() }
}

pub(crate) fn object(name: &str, spec: &Value) -> Object {
    let text = Text::Spec { spec: Arc::new(spec.clone()), findings: Vec::new() };
    Object { id: id(name), place: Some("a.yaml".into()), generation: None, text, record: None }
}

pub(crate) fn unreadable(name: &str) -> Object {
    let finding = Finding::new("", SourceReason::NotYaml("half written".into()));
    Object { text: Text::Unreadable(vec![finding]), ..object(name, &Value::Null) }
}
