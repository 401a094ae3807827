//! Engine: the state that outlives the configurations of a filter.

use std::sync::Arc;

use crate::denial_log::DenialLog;
use crate::host::{Host, PluginHost};
use crate::metrics::Metrics;

/// The state that plugin instances have in common, so that neither metrics nor the log's rate limit start again with a new
/// configuration.
///
/// It is needed to configure instances, not to handle requests. Its metric ids must mean the same to all its instances: a
/// virtual machine has one engine, because its proxy hands out ids by machine, and a process of an Envoy has one for its dynamic module, which
/// hands out ids itself.
#[derive(Debug, Default)]
pub struct Engine {
    pub(crate) metrics: Metrics,
    pub(crate) denial_log: Arc<DenialLog>,
    plugins: u32,
}

// === impl Engine ===

impl Engine {
    /// Returns a number that no other plugin instance has.
    pub(crate) fn next_id(&mut self) -> u32 {
        self.plugins = self.plugins.wrapping_add(1);
        self.plugins
    }

    /// Counts a configuration that could not be used, and was not read to its end.
    pub fn refused(&mut self, host: &impl PluginHost) {
        self.metrics.refused(host);
    }

    /// Counts a heartbeat: due once in each [`HEARTBEAT`](crate::HEARTBEAT).
    pub fn heartbeat(&self, host: &impl Host) {
        self.metrics.alive(host);
    }
}
