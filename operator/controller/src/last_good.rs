//! Last good: where the specs in force survive a restart of the operator.

use std::fmt::Debug;

use corsward_operator_core::capabilities::Memory;
use corsward_operator_core::command::StatusWrite;
use corsward_operator_core::state::State;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::publish::RESYNC_INTERVAL;
use crate::state_file::StateFile;

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

/// The statuses of the objects of a cluster: `status.inForce`.
#[derive(Debug)]
pub struct Statuses {
    writer: mpsc::UnboundedSender<StatusWrite>,
}

/// A state file beside a folder.
#[derive(Debug)]
pub struct FileMemory {
    file: StateFile,
    /// What was in force before the start is not known, and is still published.
    is_lost: bool,
    /// The desired content of the state file, after a failed write.
    unsaved: Option<State>,
}

// === impl Statuses ===

impl Statuses {
    /// Statuses that the task behind `writer` writes.
    #[must_use]
    pub fn new(writer: mpsc::UnboundedSender<StatusWrite>) -> Self {
        Self { writer }
    }
}

impl LastGood for Statuses {
    fn memory(&self) -> Memory {
        Memory::Statuses
    }

    fn write_status(&mut self, write: StatusWrite) {
        // The writer has ended, and so does the process.
        let _ = self.writer.send(write);
    }
}

// === impl FileMemory ===

impl FileMemory {
    /// A memory in `file`. `is_lost`: what is published is from before the start, and no state says which specs it holds.
    #[must_use]
    pub fn new(file: StateFile, is_lost: bool) -> Self {
        Self { file, is_lost, unsaved: None }
    }
}

impl LastGood for FileMemory {
    fn memory(&self) -> Memory {
        Memory::State { is_lost: self.is_lost }
    }

    fn remember(&mut self, state: State) {
        let path = self.file.path().display();
        match self.file.save(&state) {
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
