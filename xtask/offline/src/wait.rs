//! Waiting for a condition, with a deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

/// Bounds of the interval between two looks at a condition without a notification.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// The interval as a part of the time so far: what is measured by looking is right to two percent.
const PART: u32 = 50;

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
    let found = poll(deadline, || match probe() {
        Ok(None) if stop_flag().load(Ordering::Relaxed) => {
            Some(Err(anyhow!("told to stop while waiting for {what}")))
        }
        found => found.transpose(),
    });
    found.unwrap_or_else(|| bail!("waited {} s in vain for {what}", deadline.as_secs_f32()))
}

/// Looks until `look` yields a value, or until the timeout has passed.
pub fn poll<T>(timeout: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let (start, (shortest, longest)) = (Instant::now(), INTERVALS);
    loop {
        let found = look();
        let elapsed = start.elapsed();
        if found.is_some() || elapsed > timeout {
            return found;
        }
        std::thread::sleep((elapsed / PART).clamp(shortest, longest));
    }
}

/// Once this is set, every wait is given up: for handlers of signals.
pub fn stop_flag() -> &'static Arc<AtomicBool> {
    static TOLD_TO_STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    TOLD_TO_STOP.get_or_init(Arc::default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_a_value_an_error_or_the_deadline() {
        let mut looks = 0;
        let third = || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        };
        assert_eq!(until("a third look", Duration::MAX, third).unwrap(), 3);
        let refused = until("a value", Duration::MAX, || bail!("refused") as Result<Option<()>>);
        assert_eq!(refused.unwrap_err().to_string(), "refused");
        let in_vain = until("a value", Duration::ZERO, || Ok(None::<()>));
        assert_eq!(in_vain.unwrap_err().to_string(), "waited 0 s in vain for a value");
    }
}
