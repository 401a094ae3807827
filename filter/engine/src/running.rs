//! Running: a configuration in force.

use std::sync::Arc;

use corsward_policy::Compiled;

use crate::denial_log::DenialLog;
use crate::metrics::Counters;

/// A whole configuration, with the counters and the log of its requests. The default one enforces nothing.
///
/// The workers of a process read it, and count the requests that use it, in front of it: in other lines of the cache, of which a processor
/// fetches two of 64 bytes at once.
#[derive(Debug, Default)]
#[cfg_attr(not(target_arch = "wasm32"), repr(align(128)))]
pub(crate) struct Running {
    pub(crate) compiled: Compiled,
    pub(crate) counters: Counters,
    pub(crate) denial_log: Arc<DenialLog>,
}
