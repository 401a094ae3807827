//! Rights, one by one.

use serde_json::Value;
use xtask::kubernetes::Asked;

/// One verb on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    verb: String,
    group: String,
    resource: String,
    /// Of these objects; empty: of all.
    names: Vec<String>,
    /// In this namespace; `None`: in all.
    namespace: Option<String>,
}

// === impl Right ===

impl Right {
    /// The rights of a role, or of a cluster role.
    pub(super) fn of(role: &Value) -> Vec<Self> {
        let words = |value: &Value| -> Vec<String> {
            let words = value.as_array().into_iter().flatten();
            words.map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        let namespace = role["metadata"]["namespace"].as_str();
        let mut rights = Vec::new();
        for rule in role["rules"].as_array().unwrap() {
            for group in words(&rule["apiGroups"]) {
                for resource in words(&rule["resources"]) {
                    for verb in words(&rule["verbs"]) {
                        assert!(verb != "*" && resource != "*" && group != "*", "{rule}");
                        rights.push(Self {
                            verb,
                            group: group.clone(),
                            resource: resource.clone(),
                            names: words(&rule["resourceNames"]),
                            namespace: namespace.map(str::to_owned),
                        });
                    }
                }
            }
        }
        rights
    }

    /// Did that request need this right?
    pub(super) fn covers(&self, asked: &Asked) -> bool {
        // Applying what is not there yet creates it, and needs both.
        let created = self.verb == "create" && asked.verb == "patch" && asked.status == 201;
        let named = || asked.name.as_ref().is_some_and(|name| self.names.contains(name));
        (asked.verb == self.verb || created)
            && asked.group == self.group
            && asked.resource == self.resource
            && (self.names.is_empty() || named())
            && (self.namespace.is_none() || asked.namespace == self.namespace)
    }
}
