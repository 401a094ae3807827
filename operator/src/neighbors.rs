//! Neighbors: what the origin sets and the guardrails of a cluster come to. A refused text leaves what was accepted before in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_policy::{Finding, Judge};
use serde_json::Value;

use crate::guardrails::Guardrail;
use crate::origin_sets;
use crate::review::Sets;
use crate::surroundings::{Key, Written};

/// What the origin sets and the guardrails of a cluster come to.
#[derive(Debug, Default)]
pub struct Neighbors {
    sets: Sets,
    guardrails: BTreeMap<String, Held>,
    /// What there is to say about each set, and of which text.
    said: BTreeMap<Key, Said>,
}

/// A `ClusterCorsPolicy`.
#[derive(Clone, Debug)]
pub struct Held {
    /// What there is to say about it.
    pub said: Said,
    /// What holds of it, and the generation it was.
    pub in_force: Option<(i64, Arc<Value>, Guardrail)>,
}

/// What there is to say about a text.
#[derive(Clone, Debug)]
pub struct Said {
    written: Written,
    /// Is it accepted?
    pub accepted: bool,
    /// Every finding.
    pub findings: Vec<Finding>,
}

// === impl Neighbors ===

impl Neighbors {
    /// Takes in the origin sets that there are, and names those that came to something else.
    pub(crate) fn judge_sets(
        &mut self,
        all: &BTreeMap<Key, Written>,
        judge: &dyn Judge,
    ) -> BTreeSet<Key> {
        let mut changed: BTreeSet<Key> =
            self.said.keys().filter(|key| !all.contains_key(*key)).cloned().collect();
        for key in &changed {
            self.said.remove(key);
            self.sets.remove(key);
        }
        for (key, written) in all {
            let known = self.said.get(key);
            if known.is_some_and(|known| known.written == *written) {
                continue;
            }
            if let Some(known) = self.said.get_mut(key)
                && known.written.spec == written.spec
            {
                known.written = written.clone();
                continue;
            }
            let (origins, findings) = origin_sets::parse(&written.spec, judge);
            let (accepted, written) = (origins.is_some(), written.clone());
            self.said.insert(key.clone(), Said { written, accepted, findings });
            if self.sets.get(key) != Some(&origins) {
                self.sets.insert(key.clone(), origins);
                changed.insert(key.clone());
            }
        }
        changed
    }

    /// Takes in the guardrails that there are; `true`: others hold now.
    pub(crate) fn judge_guardrails(
        &mut self,
        all: &BTreeMap<String, Written>,
        judge: &dyn Judge,
    ) -> bool {
        let before: Vec<Guardrail> = self.guardrails().cloned().collect();
        self.guardrails.retain(|name, _| all.contains_key(name));
        for (name, written) in all {
            let known = self.guardrails.get(name);
            if known.is_some_and(|known| known.said.written == *written) {
                continue;
            }
            let (guardrail, findings) = Guardrail::parse(name, &written.spec, judge);
            let (generation, spec) = (written.generation, written.spec.clone());
            let accepted = guardrail.is_some();
            let kept = || known.and_then(|known| known.in_force.clone());
            let in_force = guardrail
                .map(|guardrail| (generation, spec, guardrail))
                .or_else(|| kept().or_else(|| recorded(name, written, judge)));
            let said = Said { written: written.clone(), accepted, findings };
            self.guardrails.insert(name.clone(), Held { said, in_force });
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
        let held = self.guardrails.values().filter_map(|held| held.in_force.as_ref());
        held.map(|(_, _, guardrail)| guardrail)
    }

    /// What there is to say about a set.
    #[must_use]
    pub fn set(&self, key: &Key) -> Option<&Said> {
        self.said.get(key)
    }

    /// What there is to say about a `ClusterCorsPolicy`.
    #[must_use]
    pub fn guardrail(&self, name: &str) -> Option<&Held> {
        self.guardrails.get(name)
    }

    /// Every set.
    pub fn set_keys(&self) -> impl Iterator<Item = &Key> {
        self.said.keys()
    }

    /// Every `ClusterCorsPolicy`.
    pub fn guardrail_names(&self) -> impl Iterator<Item = &String> {
        self.guardrails.keys()
    }
}

/// What held before a restart, as the status says.
fn recorded(
    name: &str,
    written: &Written,
    judge: &dyn Judge,
) -> Option<(i64, Arc<Value>, Guardrail)> {
    let in_force = written.status.get("inForce")?;
    let (generation, spec) = (in_force.get("generation")?.as_i64()?, in_force.get("spec")?);
    let guardrail = Guardrail::parse_accepted(name, spec, judge)?;
    Some((generation, Arc::new(spec.clone()), guardrail))
}

// === impl Said ===

impl Said {
    /// As the API server keeps it.
    #[must_use]
    pub fn written(&self) -> &Written {
        &self.written
    }
}
