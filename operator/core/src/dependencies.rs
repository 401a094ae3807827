//! Dependencies: what the origin sets and the guardrails of a cluster come to. A refused text leaves what was accepted before in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_api::v1alpha1::{Revision, Revisions};
use corsward_policy::{Finding, Knowledge};
use serde_json::Value;

use crate::cluster_state::{Key, RawObject};
use crate::guardrails::Guardrail;
use crate::origin_sets;
use crate::validation::Sets;

/// The origin sets and the guardrails of a cluster, validated.
#[derive(Debug, Default)]
pub struct Dependencies {
    sets: Sets,
    guardrails: BTreeMap<String, GuardrailState>,
    /// The findings about each set, and the text that they are about.
    validated: BTreeMap<Key, ValidatedObject>,
}

/// A `ClusterCorsPolicy`.
#[derive(Clone, Debug)]
pub struct GuardrailState {
    /// The findings about it.
    pub validated: ValidatedObject,
    /// Its guardrail in force, with the generation and the spec.
    pub in_force: Option<(i64, Arc<Value>, Guardrail)>,
}

/// The findings about a text.
#[derive(Clone, Debug)]
pub struct ValidatedObject {
    object: RawObject,
    /// Is it accepted?
    pub accepted: bool,
    /// Every finding.
    pub findings: Vec<Finding>,
}

// === impl Dependencies ===

impl Dependencies {
    /// Takes in the origin sets that there are, and names those that came to something else.
    pub fn validate_sets(
        &mut self,
        all: &BTreeMap<Key, RawObject>,
        knowledge: &dyn Knowledge,
    ) -> BTreeSet<Key> {
        let mut changed: BTreeSet<Key> =
            self.validated.keys().filter(|key| !all.contains_key(*key)).cloned().collect();
        for key in &changed {
            self.validated.remove(key);
            self.sets.remove(key);
        }
        for (key, object) in all {
            let known = self.validated.get(key);
            if known.is_some_and(|known| known.object == *object) {
                continue;
            }
            if let Some(known) = self.validated.get_mut(key)
                && known.object.spec == object.spec
            {
                known.object = object.clone();
                continue;
            }
            let (origins, findings) = origin_sets::parse(&object.spec, knowledge);
            let (accepted, object) = (origins.is_some(), object.clone());
            self.validated.insert(key.clone(), ValidatedObject { object, accepted, findings });
            if self.sets.get(key) != Some(&origins) {
                self.sets.insert(key.clone(), origins);
                changed.insert(key.clone());
            }
        }
        changed
    }

    /// Takes in the guardrails that there are; `true`: others hold now.
    pub fn validate_guardrails(
        &mut self,
        all: &BTreeMap<String, RawObject>,
        knowledge: &dyn Knowledge,
    ) -> bool {
        let before: Vec<Guardrail> = self.guardrails().cloned().collect();
        self.guardrails.retain(|name, _| all.contains_key(name));
        for (name, object) in all {
            let known = self.guardrails.get(name);
            if known.is_some_and(|known| known.validated.object == *object) {
                continue;
            }
            let (guardrail, findings) = Guardrail::parse(name, &object.spec, knowledge);
            let (generation, spec) = (object.generation, object.spec.clone());
            let accepted = guardrail.is_some();
            let kept = || known.and_then(|known| known.in_force.clone());
            let in_force = guardrail
                .map(|guardrail| (generation, spec, guardrail))
                .or_else(|| kept().or_else(|| recorded(name, object, knowledge)));
            let validated = ValidatedObject { object: object.clone(), accepted, findings };
            self.guardrails.insert(name.clone(), GuardrailState { validated, in_force });
        }
        !self.guardrails().eq(&before)
    }

    /// The origins of each set.
    #[must_use]
    pub fn sets(&self) -> &Sets {
        &self.sets
    }

    /// The guardrails that hold.
    pub fn guardrails(&self) -> impl Iterator<Item = &Guardrail> {
        let state = self.guardrails.values().filter_map(|state| state.in_force.as_ref());
        state.map(|(_, _, guardrail)| guardrail)
    }

    /// The findings about a set.
    #[must_use]
    pub fn set(&self, key: &Key) -> Option<&ValidatedObject> {
        self.validated.get(key)
    }

    /// The findings about a `ClusterCorsPolicy`.
    #[must_use]
    pub fn guardrail(&self, name: &str) -> Option<&GuardrailState> {
        self.guardrails.get(name)
    }

    /// Every set.
    pub fn set_keys(&self) -> impl Iterator<Item = &Key> {
        self.validated.keys()
    }

    /// Every `ClusterCorsPolicy`.
    pub fn guardrail_names(&self) -> impl Iterator<Item = &String> {
        self.guardrails.keys()
    }
}

/// The spec in force before a restart, by the status.
fn recorded(
    name: &str,
    object: &RawObject,
    knowledge: &dyn Knowledge,
) -> Option<(i64, Arc<Value>, Guardrail)> {
    let Revisions { in_force, suspended: _ } = object.status.read()?;
    let Revision { generation, spec } = in_force?;
    let guardrail = Guardrail::parse_accepted(name, &spec, knowledge)?;
    Some((generation, Arc::new(spec), guardrail))
}

// === impl ValidatedObject ===

impl ValidatedObject {
    /// As the API server keeps it.
    #[must_use]
    pub fn object(&self) -> &RawObject {
        &self.object
    }
}
