//! Metrics of the source: watches.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::LabelPair;

/// Counters of watches; a copy counts into the same ones.
#[derive(Clone, Debug, Default)]
pub struct Watches {
    restarts: Family<LabelPair, Counter>,
}

// === impl Watches ===

impl Watches {
    /// A watch of `kind` ended with an error and begins again.
    pub fn restarted(&self, kind: &'static str) {
        self.restarts.get_or_create(&[("kind", kind)]).inc();
    }

    /// The number of restarts of watches of `kind`.
    #[must_use]
    pub fn restarts(&self, kind: &'static str) -> u64 {
        self.restarts.get_or_create(&[("kind", kind)]).get()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "watch_restarts",
            "Watches restarted after an error, by kind of object",
            self.restarts.clone(),
        );
    }
}
