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
            "" => "is not set",
            // A kubelet leaves a name as it is that no earlier variable has.
            labels if labels.contains("$(") => "names a variable that the pod does not have",
            _ => return None,
        };
        Some(format!(
            "{VARIABLE} {matter}: policies with a selector are not in force in this Envoy; write the pod's labels, such as `app=api,tier=web`"
        ))
    }
}

impl Labels for OwnLabels {
    fn has(&self, key: &str, value: &str) -> bool {
        let labels = self.0.split(',').filter_map(|label| label.split_once('='));
        // Neither a key nor a value may have a comma, an equals sign or white space.
        labels.into_iter().any(|(known, own)| (known.trim(), own.trim()) == (key, value))
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
        assert!(problem("").starts_with("CORSWARD_LABELS is not set: "));
        assert!(
            problem("app=$(POD_LABEL_APP)").contains("names a variable that the pod does not have")
        );
        assert_eq!(problem("app=api"), "");
    }
}
