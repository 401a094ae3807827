//! Ticker: one thread of the process, which requests a hook of the newest living configuration again and again, because Envoy has no
//! timer for modules.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::abi::Scheduler;

/// The schedulers of living configurations, by age.
static LIVING: Mutex<Living> = Mutex::new(Living { schedulers: Vec::new(), has_thread: false });

/// Gives each registration a number of its own.
static NEXT: AtomicU64 = AtomicU64::new(0);

struct Living {
    schedulers: Vec<(u64, Arc<Scheduler>)>,
    has_thread: bool,
}

/// A configuration is ticked for as long as it has this, and is the newest.
///
/// An old configuration lives as long as its longest stream. One of them publishes the metrics of all, so that any number of old ones costs
/// nothing.
pub(crate) struct Ticks(u64);

// === impl Ticks ===

impl Ticks {
    /// Ticks the configuration of a scheduler. The first one starts the thread; without a thread, Envoy gets the values with the next
    /// configuration.
    pub(crate) fn register(period: Duration, scheduler: Scheduler) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut living = living();
        living.schedulers.push((number, Arc::new(scheduler)));
        if !living.has_thread {
            let started =
                thread::Builder::new().name("corsward".into()).spawn(move || tick(period));
            living.has_thread = started.is_ok();
        }
        Self(number)
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        living().schedulers.retain(|(number, _)| *number != self.0);
    }
}

/// Without the lock while Envoy is called: it may destroy a configuration before it returns, on this thread.
fn tick(period: Duration) {
    loop {
        thread::sleep(period);
        let newest = living().schedulers.last().map(|(_, scheduler)| Arc::clone(scheduler));
        if let Some(scheduler) = newest {
            scheduler.commit();
        }
    }
}

fn living() -> MutexGuard<'static, Living> {
    LIVING.lock().unwrap_or_else(PoisonError::into_inner)
}
