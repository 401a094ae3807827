//! Metrics of status writes.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::LabelPair;

/// Counters of status writes; a copy counts into the same ones.
#[derive(Clone, Debug, Default)]
pub struct StatusWrites {
    writes: Family<LabelPair, Counter>,
}

/// The result of a status write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWriteResult {
    /// The API server has it.
    Written,
    /// An attempt failed; it is retried unless it is refused for good.
    Failed,
    /// Its object is gone, or this replica does not write.
    Dropped,
}

// === impl StatusWrites ===

impl StatusWrites {
    /// Takes in what became of a status.
    pub fn on(&self, result: StatusWriteResult) {
        self.writes.get_or_create(&[("result", result.as_str())]).inc();
    }

    /// The number of statuses with this result.
    #[must_use]
    pub fn count(&self, result: StatusWriteResult) -> u64 {
        self.writes.get_or_create(&[("result", result.as_str())]).get()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "status_writes",
            "Attempts to write a status, by result",
            self.writes.clone(),
        );
    }
}

// === impl StatusWriteResult ===

impl StatusWriteResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}
