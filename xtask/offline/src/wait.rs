//! Waiting for a condition, with a deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Poll interval for conditions without a notification.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until `probe` yields a value.
///
/// # Errors
///
/// Fails if `probe` gives up, or `deadline` passes: the sentence then names `what` was awaited; or when
/// the process gets a stop signal.
pub fn until<T>(
    what: &str,
    deadline: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if stop_flag().load(Ordering::Relaxed) {
            bail!("told to stop while waiting for {what}");
        }
        if start.elapsed() > deadline {
            bail!("waited {} s in vain for {what}", deadline.as_secs_f32());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Once this is set, every wait is given up: for handlers of signals.
#[must_use]
pub fn stop_flag() -> &'static Arc<AtomicBool> {
    static TOLD_TO_STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    TOLD_TO_STOP.get_or_init(Arc::default)
}
