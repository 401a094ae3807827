//! Masks: what stands for texts that may say something about users.

use anyhow::Context as _;
use regex_lite::Regex;
use serde_json::Value;

use crate::live::LAST_APPLIED;

/// The text in the place of a value.
const LEFT_OUT: &str = "[left out]";

/// Masks the origins of a text.
pub(super) struct OriginMask(Regex);

/// Removes what the API server and `kubectl` keep for themselves.
pub(super) fn tidy(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove(LAST_APPLIED);
        }
    }
}

/// Masks an object of the operator itself: its annotations, and the values of its environment.
pub(super) fn own(object: &mut Value) {
    tidy(object);
    for path in ["/metadata", "/spec/template/metadata"] {
        if let Some(metadata) = object.pointer_mut(path).and_then(Value::as_object_mut) {
            metadata.remove("annotations");
        }
    }
    for spec in ["/spec", "/spec/template/spec"] {
        for containers in ["containers", "initContainers", "ephemeralContainers"] {
            let containers = object.pointer_mut(&format!("{spec}/{containers}"));
            let containers = containers.and_then(Value::as_array_mut).into_iter().flatten();
            let environments = containers.filter_map(|it| it.get_mut("env")?.as_array_mut());
            for value in environments.flatten().filter_map(|it| it.get_mut("value")) {
                *value = LEFT_OUT.into();
            }
        }
    }
}

// === impl OriginMask ===

impl OriginMask {
    pub(super) fn new() -> anyhow::Result<Self> {
        // A scheme, and all up to the path, or to the end of the word. In JSON within JSON a quote has a backslash.
        let origin = Regex::new(
            r#"[A-Za-z][A-Za-z0-9+.\-]*://(\[[0-9A-Fa-f:.]*\](:[0-9]+)?|[^\s/\\"'`,;|()\[\]{}<>]*)"#,
        );
        Ok(Self(origin.context("the pattern of origins")?))
    }

    /// The text, with `[origin]` for each origin.
    pub(super) fn mask(&self, text: &str) -> String {
        self.0.replace_all(text, "[origin]").into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn origins_are_masked_wherever_they_stand() {
        let mask = OriginMask::new().unwrap();
        for (text, masked) in [
            ("no origin", "no origin"),
            ("https://app.example refused", "[origin] refused"),
            (r#"{"origin":"https://app.example:8443/x"}"#, r#"{"origin":"[origin]/x"}"#),
            (r#"\"https://app.example\""#, r#"\"[origin]\""#),
            ("a{o=\"app://x\",p=\"http://[::1]:80\"} 1", "a{o=\"[origin]\",p=\"[origin]\"} 1"),
            ("https://a.example,https://b.example", "[origin],[origin]"),
        ] {
            assert_eq!(mask.mask(text), masked, "{text}");
        }
    }

    #[test]
    fn values_of_environments_are_masked_and_references_stay() {
        let env = json!([{"name": "A", "value": "s3cret"}, {"name": "B", "valueFrom": {}}]);
        let mut object = json!({
            "metadata": {"annotations": {"a": "b"}},
            "spec": {"template": {"spec": {"containers": [{"env": env}]}}},
        });
        own(&mut object);
        let masked = json!([{"name": "A", "value": "[left out]"}, {"name": "B", "valueFrom": {}}]);
        assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["env"], masked);
        assert_eq!(object["metadata"], json!({}));
    }
}
