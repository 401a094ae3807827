//! State: what is in force, for a memory beside the objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use corsward_policy::PolicyId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::index::Index;
use crate::plan::ScopePlan;

/// The version of the format that this release reads.
pub const VERSION: u32 = 1;

/// The specs and guardrails in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct State {
    /// The version of the format.
    pub version: u32,
    policies: Vec<Remembered>,
    /// The guardrails that held. A release that knows nothing of them reads the file where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guardrails: BTreeMap<String, Arc<Value>>,
}

/// A policy in force, or that would be but for a guardrail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Remembered {
    namespace: String,
    name: String,
    file: Option<String>,
    generation: i64,
    spec: Value,
}

// === impl State ===

impl State {
    /// The planned specs in force, or those that a guardrail suspends, with their files according to `index`.
    pub fn of(index: &Index, plan: &ScopePlan) -> Self {
        let remembered = plan.policies.iter().filter_map(|(id, planned)| {
            let entry = index.entries().get(id);
            let suspended = || planned.suspended.then_some(entry?.in_force.as_ref()).flatten();
            let in_force = planned.in_force.as_ref().or_else(suspended)?;
            Some(Remembered {
                namespace: id.namespace.clone(),
                name: id.name.clone(),
                file: entry.and_then(|entry| entry.object.place.clone()),
                generation: in_force.generation,
                spec: in_force.spec.value(),
            })
        });
        let guardrails = index.guardrails.all().iter().filter_map(|(name, state)| {
            let (_, spec, _) = state.in_force.as_ref()?;
            Some((name.clone(), Arc::clone(spec)))
        });
        Self { version: VERSION, policies: remembered.collect(), guardrails: guardrails.collect() }
    }

    /// In which file each policy was.
    pub fn owners(&self) -> BTreeMap<PolicyId, String> {
        let owner = |remembered: &Remembered| Some((remembered.id(), remembered.file.clone()?));
        self.policies.iter().filter_map(owner).collect()
    }

    /// Puts back into `index` what was in force; names the policies that this release refuses.
    pub fn restore(&self, index: &mut Index) -> Vec<PolicyId> {
        let policies = self.policies.iter();
        policies
            .filter(|it| !index.remember(it.id(), it.generation, &it.spec))
            .map(Remembered::id)
            .collect()
    }
}

// === impl Remembered ===

impl Remembered {
    fn id(&self) -> PolicyId {
        PolicyId { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}
