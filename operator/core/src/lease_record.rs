//! Lease record: whose the Lease is, as far as one replica has seen, and how long that replica believes it.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

/// A held Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// The holder: for a replica, the name of its pod.
    pub holder: String,
    /// Is it this replica?
    pub is_ours: bool,
    /// Since when the Lease has said the same, before this replica's eyes.
    pub since: Instant,
    /// After how long without a change it is taken.
    pub lasts: Duration,
}

// === impl LeaseRecord ===

impl LeaseRecord {
    /// For how long the Lease has not changed.
    pub fn silent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// The remaining wait.
    pub fn rest(&self, now: Instant) -> Duration {
        self.lasts.saturating_sub(self.silent(now))
    }

    /// The time of the takeover, by a clock that shows `clock` now; whole seconds.
    pub fn until(&self, now: Instant, clock: Timestamp) -> Timestamp {
        let rest = i64::try_from(self.rest(now).as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(clock.as_second().saturating_add(rest)).unwrap_or(Timestamp::MAX)
    }
}
