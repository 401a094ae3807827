//! Stop signals, and the ends of children.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals as Stream;

use crate::wait;

/// The signals that end the demo.
const STOP: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Catches signals from now on.
pub(super) struct Signals(Stream);

// === impl Signals ===

impl Signals {
    pub(super) fn catch() -> Result<Self> {
        for signal in STOP {
            flag::register(signal, Arc::clone(wait::stop_flag()))?;
        }
        Ok(Self(Stream::new(STOP.into_iter().chain([SIGCHLD]))?))
    }

    /// Whether a stop signal has come.
    pub(super) fn told_to_stop() -> bool {
        wait::stop_flag().load(Ordering::Relaxed)
    }

    /// Waits for a stop signal; calls `children_live` each time a child may have ended.
    pub(super) fn wait(mut self, mut children_live: impl FnMut() -> Result<()>) -> Result<()> {
        // One may have ended before we began to listen.
        children_live()?;
        for signal in self.0.forever() {
            if signal != SIGCHLD {
                return Ok(());
            }
            children_live()?;
        }
        Ok(())
    }
}
