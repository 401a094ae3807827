//! Worker: what lives as long as a virtual machine, whatever configurations come and go.

use crate::metrics::Metrics;
use crate::refusals::Refusals;

/// One virtual machine: a worker thread's, or the short-lived one in which Envoy tries a configuration.
#[derive(Default)]
pub(crate) struct Worker {
    pub(crate) metrics: Metrics,
    pub(crate) refusals: Refusals,
}
