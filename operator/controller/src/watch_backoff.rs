//! Watch backoff: the pauses between attempts at requests that an API server does not answer.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use kube::runtime::utils::Backoff;

/// The first pause.
const MIN_DELAY: Duration = Duration::from_millis(400);
/// The longest pause before its jitter, which at most doubles it. A policy waits for it once the API server is back; kube's own backoff
/// waits up to a minute, made for a client on every node.
const MAX_DELAY: Duration = Duration::from_secs(3);

/// Exponential pauses with jitter, which a success begins anew.
#[derive(Debug)]
pub(crate) struct WatchBackoff(backon::ExponentialBackoff);

// === impl WatchBackoff ===

impl WatchBackoff {
    /// The pause before the next attempt.
    pub(crate) fn pause(&mut self) -> Duration {
        // They never end: the number of attempts has no bound.
        self.0.next().unwrap_or(MAX_DELAY)
    }
}

impl Default for WatchBackoff {
    fn default() -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(MIN_DELAY)
            .with_max_delay(MAX_DELAY)
            .with_jitter()
            .without_max_times();
        Self(builder.build())
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.pause())
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_that_a_recovery_waits_for() {
        let mut backoff = WatchBackoff::default();
        let pauses: Vec<Duration> = backoff.by_ref().take(50).collect();
        assert!(pauses[0] <= MIN_DELAY * 2, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= MAX_DELAY * 2), "{pauses:?}");
        assert!(pauses[49] >= MAX_DELAY, "{pauses:?}");
        backoff.reset();
        assert!(backoff.next().unwrap() <= MIN_DELAY * 2);
    }
}
