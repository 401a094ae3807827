//! Ticker: a thread that requests the hook of a configuration again and again, because Envoy has no timer for modules.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::abi::Scheduler;

/// Ends its thread when it is dropped.
pub(crate) struct Ticker {
    /// The thread ends when this one is dropped.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

// === impl Ticker ===

impl Ticker {
    /// Starts the thread; `None` if the system refuses one.
    pub(crate) fn start(period: Duration, scheduler: Scheduler) -> Option<Self> {
        let (stop, stopped) = mpsc::channel();
        let tick = move || {
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                scheduler.commit();
            }
        };
        let thread = thread::Builder::new().name("corsward".into()).spawn(tick).ok()?;
        Some(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It waits for nothing else, so this is short. Envoy may be about to end, and its scheduler with it.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
