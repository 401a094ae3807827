//! Instance: the filter with one configuration. Envoy makes a new one for each configuration, on its main thread.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corsward_filter_engine::{Candidate, Engine, Exchange, Host as _, LogLevel, Plugin};

use crate::abi::{FilterConfig, Stream};
use crate::host::Filter;
use crate::stats::Stats;
use crate::ticker::Ticks;

/// Interval at which Envoy gets the values of metrics.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// The engine of the process. No request locks it.
static ENGINE: LazyLock<Mutex<Engine>> = LazyLock::new(Mutex::default);

/// The filter with one configuration, for all workers.
pub(crate) struct Instance {
    plugin: Registered,
    stats: Stats,
    _ticks: Ticks,
}

/// A plugin that the engine knows, until it is dropped.
struct Registered(Plugin);

/// Workers use it at the same time.
const _: () = {
    const fn is_shared_by_threads<T: Send + Sync>() {}
    is_shared_by_threads::<Instance>();
};

// === impl Instance ===

impl Instance {
    /// Reads a configuration; `None` asks Envoy to refuse it.
    pub(crate) fn new(config: &FilterConfig<'_>, name: &[u8], bytes: &[u8]) -> Option<Self> {
        let mut filter = Filter { name };
        // Without the lock: it may take long, and the end of an older instance needs the lock.
        let candidate = Candidate::read(&filter, bytes);
        // Each takes the lock for itself: after a panic the drop of the plugin needs it.
        let mut plugin = Registered(Plugin::new(&mut engine()));
        let accepted = plugin.0.run(&mut engine(), &mut filter, candidate);
        // Metrics of a refused configuration would take values with them: those of a living one, or of the next, get them.
        accepted.then(|| Self {
            plugin,
            stats: Stats::define(config),
            _ticks: Ticks::register(PUBLISH_INTERVAL, config.scheduler()),
        })
    }

    /// Says in Envoy's log, and in the metrics of the living configurations, that a panic ended the hook that makes an instance.
    pub(crate) fn refuse_after_panic() {
        let filter = Filter { name: &[] };
        engine().refused(&filter);
        filter.log(LogLevel::Error, "plugin configuration refused: the filter panicked over it (see above): Envoy keeps what it has");
    }

    /// Returns the state for one request and its response.
    pub(crate) fn exchange(&self, stream: &Stream<'_>) -> Exchange {
        self.stats.publish_if_due(stream);
        self.plugin.0.exchange()
    }

    /// Passes the values of metrics to Envoy.
    pub(crate) fn publish_stats(&self, config: &FilterConfig<'_>) {
        self.stats.publish(config);
    }
}

// === impl Registered ===

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.retire(&mut engine(), &Filter { name: &[] });
    }
}

fn engine() -> MutexGuard<'static, Engine> {
    ENGINE.lock().unwrap_or_else(PoisonError::into_inner)
}
