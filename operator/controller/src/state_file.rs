//! The state file: what is in force, so that it stays so when the operator restarts while a policy's text is refused.

use std::io;
use std::path::{Path, PathBuf};

use corsward_operator_core::state::State;

use crate::atomic;

/// Longest file that is read: far more than the specs of what can be published.
const MAX_LEN: u64 = 64 * 1024 * 1024;

/// A state file.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
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
    state.check_version().map_err(StateError::Version)?;
    Ok(Some(state))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use corsward_operator_core::capabilities::Reach;
    use corsward_operator_core::index::{Index, Scope};
    use corsward_operator_core::plan::Plan;
    use corsward_operator_core::testing::{GOOD, REFUSED, carry_out, id, object};
    use corsward_policy::validate::NoKnowledge;

    #[test]
    fn what_was_in_force_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(dir.path().join("state.json"));
        assert_eq!(file.load().unwrap(), None, "a first start has no state");

        let mut index = Index::new(Arc::new(NoKnowledge), Reach::One);
        index.apply(object("a", &GOOD));
        index.apply(object("b", &REFUSED));
        let mut plan = Plan::default();
        plan.update(&index, &Scope::All);
        file.save(&State::of(&index, plan.scope(&Scope::All).unwrap())).unwrap();
        let settled = carry_out(&mut index);

        let state = file.load().unwrap().unwrap();
        assert_eq!(file.load_copy().unwrap().as_ref(), Some(&state));
        assert_eq!(state.owners(), BTreeMap::from([(id("a"), "a.yaml".to_owned())]));
        let mut restarted = Index::new(Arc::new(NoKnowledge), Reach::One);
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
