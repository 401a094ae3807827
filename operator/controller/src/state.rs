//! The state file: what is in force, so that it stays so when the operator restarts while a policy's text is refused.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use corsward_operator_core::index::Index;
use corsward_operator_core::plan::ScopePlan;
use corsward_policy::PolicyId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::atomic;

/// The version of the file's format.
const VERSION: u32 = 1;
/// Longest file that is read: far more than the specs of what can be published.
const MAX_LEN: u64 = 64 * 1024 * 1024;

/// A state file.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
}

/// The content of a state file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct State {
    version: u32,
    policies: Vec<Remembered>,
    /// The guardrails that hold. A release that knows nothing of them reads the file where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    guardrails: BTreeMap<String, Arc<Value>>,
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

/// The reason why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file is there and cannot be read.
    #[error("the state file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Its bytes are not what was written.
    #[error("the state file is not what was written: {0}")]
    Corrupt(#[from] serde_json::Error),
    /// A different release wrote it.
    #[error("the state file has version {0}")]
    Version(u32),
}

// === impl StateFile ===

impl StateFile {
    /// The state file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the state; none where there is no file yet.
    ///
    /// # Errors
    ///
    /// See [`StateError`].
    pub fn load(&self) -> Result<Option<State>, StateError> {
        load(&self.path)
    }

    /// Reads the copy of the state, for when the state itself is damaged or gone.
    ///
    /// # Errors
    ///
    /// See [`StateError`].
    pub fn load_copy(&self) -> Result<Option<State>, StateError> {
        load(&self.copy())
    }

    /// Writes the state and then its copy, unless they are there already.
    ///
    /// # Errors
    ///
    /// Fails if one of them cannot be written. The previous content stays.
    pub fn save(&self, state: &State) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(state)?;
        bytes.push(b'\n');
        for path in [&self.path, &self.copy()] {
            if !atomic::holds(path, &bytes) {
                atomic::write(path, &bytes)?;
            }
        }
        Ok(())
    }

    fn copy(&self) -> PathBuf {
        self.path.with_added_extension("copy")
    }
}

fn load(path: &Path) -> Result<Option<State>, StateError> {
    let bytes = match atomic::read(path, MAX_LEN) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let state: State = serde_json::from_slice(&bytes)?;
    if state.version == VERSION { Ok(Some(state)) } else { Err(StateError::Version(state.version)) }
}

// === impl State ===

impl State {
    /// The planned specs in force, or those that a guardrail suspends, with their files according to `index`.
    #[must_use]
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
        let dependencies = index.dependencies();
        let guardrails = dependencies.guardrail_names().filter_map(|name| {
            let (_, spec, _) = dependencies.guardrail(name)?.in_force.as_ref()?;
            Some((name.clone(), Arc::clone(spec)))
        });
        Self { version: VERSION, policies: remembered.collect(), guardrails: guardrails.collect() }
    }

    /// In which file each policy was.
    #[must_use]
    pub fn owners(&self) -> BTreeMap<PolicyId, String> {
        let owner = |remembered: &Remembered| Some((remembered.id(), remembered.file.clone()?));
        self.policies.iter().filter_map(owner).collect()
    }

    /// The guardrails that held.
    #[must_use]
    pub fn guardrails(&self) -> BTreeMap<String, Arc<Value>> {
        self.guardrails.clone()
    }

    /// Puts back into `index` what was in force; names the policies that this release refuses.
    pub fn restore(self, index: &mut Index) -> Vec<PolicyId> {
        let mut refused = Vec::new();
        for remembered in self.policies {
            let id = remembered.id();
            let Remembered { namespace: _, name: _, file: _, generation, spec } = remembered;
            if !index.remember(id.clone(), generation, &spec) {
                refused.push(id);
            }
        }
        refused
    }
}

// === impl Remembered ===

impl Remembered {
    fn id(&self) -> PolicyId {
        PolicyId { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corsward_operator_core::index::Scope;
    use corsward_operator_core::plan::Plan;
    use corsward_operator_core::testing::{GOOD, REFUSED, carry_out, id, object};
    use corsward_operator_core::validation::Domain;
    use corsward_policy::validate::NoKnowledge;
    use std::fs;

    #[test]
    fn what_was_in_force_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(dir.path().join("state.json"));
        assert_eq!(file.load().unwrap(), None, "a first start has no state");

        let mut index = Index::new(Arc::new(NoKnowledge), Domain::Folder);
        index.apply(object("a", &GOOD));
        index.apply(object("b", &REFUSED));
        let mut plan = Plan::default();
        plan.update(&index, &Scope::Folder);
        file.save(&State::of(&index, plan.scope(&Scope::Folder).unwrap())).unwrap();
        let settled = carry_out(&mut index);

        let state = file.load().unwrap().unwrap();
        assert_eq!(file.load_copy().unwrap().as_ref(), Some(&state));
        assert_eq!(state.owners(), BTreeMap::from([(id("a"), "a.yaml".to_owned())]));
        let mut restarted = Index::new(Arc::new(NoKnowledge), Domain::Folder);
        assert_eq!(state.restore(&mut restarted), []);
        restarted.reset(vec![object("a", &REFUSED)]);
        assert_eq!(carry_out(&mut restarted).in_force, settled.in_force);
    }

    #[test]
    fn anything_else_is_an_error_and_never_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(dir.path().join("state.json"));
        for text in ["", "{", "[]", "{\"version\":1}", "{\"version\":2,\"policies\":[]}", "\u{0}"] {
            fs::write(file.path(), text).unwrap();
            assert!(file.load().is_err(), "{text}");
        }
    }
}
