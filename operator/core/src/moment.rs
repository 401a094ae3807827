//! Moment: the time of an event, by the two clocks of the executor.

use std::time::Instant;

use jiff::Timestamp;

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the clock that never goes back.
    pub instant: Instant,
    /// By the clock of the wall, for times that people read.
    pub timestamp: Timestamp,
}
