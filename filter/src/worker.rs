//! Worker: the state of a virtual machine, across changes of configuration.

use crate::metrics::Metrics;
use crate::refusals::Refusals;

/// One virtual machine: a worker thread's, or the short-lived one in which Envoy tries a configuration.
#[derive(Default)]
pub(crate) struct Worker {
    pub(crate) metrics: Metrics,
    pub(crate) refusals: Refusals,
}
