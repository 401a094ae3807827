//! Running: a configuration in force.

use std::sync::Arc;

use corsward_policy::Compiled;

use crate::denial_log::DenialLog;
use crate::metrics::Counters;

/// A whole configuration, with the counters and the log of its requests. The default one enforces nothing.
#[derive(Debug, Default)]
pub(crate) struct Running {
    pub(crate) compiled: Compiled,
    pub(crate) counters: Counters,
    pub(crate) denial_log: Arc<DenialLog>,
}
