//! Own labels: those of the Envoy's pod. Envoy offers its node's metadata to no module, so the pod's environment has them.

use std::env;

use corsward_filter_engine::Labels;

/// The environment variable: `app=api,tier=web`, as `kubectl get pods --selector` reads it.
const VARIABLE: &str = "CORSWARD_LABELS";

/// The labels of this Envoy.
#[derive(Debug)]
pub(crate) struct OwnLabels(String);

// === impl OwnLabels ===

impl OwnLabels {
    /// Reads the environment: no labels if it has none, or if they are no text.
    #[expect(clippy::disallowed_methods, reason = "only the environment has them")]
    pub(crate) fn get() -> Self {
        Self(env::var(VARIABLE).unwrap_or_default())
    }

    /// The reason why policies with a selector may not be in force, for the log.
    pub(crate) fn problem(&self) -> Option<String> {
        let matter = match &*self.0 {
            "" => "is not set, or is no text".to_owned(),
            // A kubelet leaves a name as it is that no earlier variable has.
            labels if labels.contains("$(") => {
                "names a variable that the pod does not have".to_owned()
            }
            // A field of the pod that is not there is empty.
            _ => {
                let (key, _) = self.pairs().find(|(_, value)| value.is_empty())?;
                format!("has no value for `{key}`, a label that the pod may not have")
            }
        };
        Some(format!(
            "{VARIABLE} {matter}: policies with a selector may not be in force in this Envoy; write the pod's labels, such as `app=api,tier=web`"
        ))
    }

    /// The keys with their values. Neither may have a comma, an equals sign or white space.
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.0.split(',').filter_map(|label| label.split_once('='));
        labels.map(|(key, value)| (key.trim(), value.trim()))
    }
}

impl Labels for OwnLabels {
    fn has(&self, key: &str, value: &str) -> bool {
        self.pairs().any(|pair| pair == (key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_found_by_its_key_and_value() {
        let labels = OwnLabels("app.kubernetes.io/name=api, tier=,odd,=x".into());
        for (why, key, value, want) in [
            ("the first", "app.kubernetes.io/name", "api", true),
            ("another value", "app.kubernetes.io/name", "ap", false),
            ("an empty value", "tier", "", true),
            ("another than an empty value", "tier", "x", false),
            ("no label", "other", "", false),
            ("a word that is no label", "odd", "", false),
            ("a part of a key", "app", "api", false),
        ] {
            assert_eq!(labels.has(key, value), want, "{why}");
        }
        assert!(!OwnLabels(String::new()).has("app", ""));
    }

    #[test]
    fn absent_labels_are_a_problem() {
        let problem = |labels: &str| OwnLabels(labels.into()).problem().unwrap_or_default();
        assert!(problem("").starts_with("CORSWARD_LABELS is not set, or is no text: "));
        assert!(
            problem("app=$(POD_LABEL_APP)").contains("names a variable that the pod does not have")
        );
        assert!(problem("app=api, tier=").contains("has no value for `tier`, a label that"));
        assert_eq!(problem("app=api"), "");
    }
}
