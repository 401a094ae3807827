//! Last good: the memory of the specs in force across restarts of the operator.
//!
//! In a cluster it is `status.inForce` of each policy: the status reporter of the core writes it, and `Index::in_force_of`
//! (`operator/core/src/index.rs`) reads it when the watch delivers the policy for the first time; a suspended spec is kept in the same way. A folder has a state file and a copy of it. If both are lost while proxies have a published
//! configuration, the core publishes nothing until every policy is accepted and every file is readable.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use corsward_operator_core::capabilities::Memory;
use corsward_operator_core::command::StatusWrite;
use corsward_operator_core::state::{State, VERSION};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use crate::atomic;
use crate::publish::RESYNC_INTERVAL;

/// Longest state file that is read: far more than the specs of what can be published.
const MAX_LEN: u64 = 64 * 1024 * 1024;

/// A memory of the specs in force.
pub trait LastGood: Debug + Send {
    /// The kind of memory.
    fn memory(&self) -> Memory;

    /// Writes the status of an object.
    fn write_status(&mut self, _write: StatusWrite) {}

    /// Keeps a state in the place of the previous one.
    fn remember(&mut self, _state: State) {}

    /// Retries what failed.
    fn resync(&mut self) {}
}

/// A state file beside a folder, and its copy (`.copy`) for when it is damaged or gone.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// What was in force before the start is not known, and is still published.
    pub is_lost: bool,
    /// The desired content of the file, after a failed write.
    unsaved: Option<State>,
}

// === impl UnboundedSender ===

/// The statuses of the objects of a cluster, which the task behind the sender writes: `status.inForce`.
impl LastGood for UnboundedSender<StatusWrite> {
    fn memory(&self) -> Memory {
        Memory::Statuses
    }

    fn write_status(&mut self, write: StatusWrite) {
        // The writer has ended, and so does the process.
        let _ = self.send(write);
    }
}

// === impl StateFile ===

impl StateFile {
    /// The state file at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, is_lost: false, unsaved: None }
    }

    /// The state before a restart, from the file or its copy; `None` if neither is readable.
    pub fn restore(&self) -> Option<State> {
        let path = self.path.display();
        let loaded = load(&self.path);
        if let Ok(Some(state)) = loaded {
            return Some(state);
        }
        let copy = load(&self.copy()).ok().flatten();
        match (&copy, loaded) {
            (Some(_), Ok(_)) => warn!(%path, "the state file is gone: read its copy"),
            (Some(_), Err(error)) => {
                warn!(%path, error = %format_args!("{error:#}"), "cannot read the state file: read its copy");
            }
            (None, Err(error)) => {
                warn!(%path, error = %format_args!("{error:#}"), "starting without the configuration that was in force");
            }
            // A first start.
            (None, Ok(_)) => {}
        }
        copy
    }

    /// Writes the state and then its copy, unless they are there already.
    fn save(&self, state: &State) -> io::Result<()> {
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

impl LastGood for StateFile {
    fn memory(&self) -> Memory {
        Memory::State { is_lost: self.is_lost }
    }

    fn remember(&mut self, state: State) {
        let path = self.path.display();
        match self.save(&state) {
            Ok(()) if self.unsaved.take().is_some() => {
                info!(%path, "wrote the state file again");
            }
            Ok(()) => {}
            Err(error) => {
                warn!(%path, %error, "cannot write the state file; tried again every {RESYNC_INTERVAL:?}: a restart loses the configuration in force");
                self.unsaved = Some(state);
            }
        }
    }

    fn resync(&mut self) {
        if let Some(state) = self.unsaved.clone() {
            self.remember(state);
        }
    }
}

/// Reads a state; `None` if there is no file yet.
fn load(path: &Path) -> Result<Option<State>> {
    let bytes = match atomic::read(path, MAX_LEN) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("the state file cannot be read"),
    };
    let state: State =
        serde_json::from_slice(&bytes).context("the state file is not what was written")?;
    if state.version != VERSION {
        bail!("the state file has version {}", state.version);
    }
    Ok(Some(state))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use corsward_operator_core::capabilities::Reach;
    use corsward_operator_core::index::{Index, Scope};
    use corsward_operator_core::plan::Plan;
    use corsward_operator_core::testing::{GOOD, REFUSED, carry_out, id, object};

    #[test]
    fn what_was_in_force_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(dir.path().join("state.json"));
        assert_eq!(load(&file.path).unwrap(), None, "a first start has no state");

        let mut index = Index::new(Reach::One);
        index.apply(object("a", &GOOD));
        index.apply(object("b", &REFUSED));
        let mut plan = Plan::default();
        plan.update(&index, &Scope::All);
        file.save(&State::of(&index, plan.scope(&Scope::All).unwrap())).unwrap();
        let settled = carry_out(&mut index);

        let state = load(&file.path).unwrap().unwrap();
        assert_eq!(load(&file.copy()).unwrap().as_ref(), Some(&state));
        assert_eq!(state.owners(), BTreeMap::from([(id("a"), "a.yaml".to_owned())]));
        let mut restarted = Index::new(Reach::One);
        assert_eq!(state.restore(&mut restarted), []);
        restarted.reset(vec![object("a", &REFUSED)]);
        assert_eq!(carry_out(&mut restarted).in_force, settled.in_force);
    }

    #[test]
    fn anything_else_is_an_error_and_never_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(dir.path().join("state.json"));
        for text in ["", "{", "[]", "{\"version\":1}", "{\"version\":2,\"policies\":[]}", "\u{0}"] {
            fs::write(&file.path, text).unwrap();
            assert!(load(&file.path).is_err(), "{text}");
        }
    }
}
