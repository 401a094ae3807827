//! Metrics of a cluster's publisher and the module server.

use std::time::Duration;

use corsward_operator_core::bundle::BundleKey;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// From a policy's change to the object that says so, in seconds.
const PROPAGATION: [f64; 9] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// The target of a publication, and its result.
type PublishLabels = [(&'static str, &'static str); 2];
type StaticLabel = [(&'static str, &'static str); 1];
type Named = [(&'static str, String); 2];

/// The counters of a cluster's publisher and the module server; a clone shares them.
#[derive(Clone, Debug)]
pub struct Publishing {
    publishes: Family<PublishLabels, Counter>,
    bytes: Family<Named, Gauge>,
    propagation: Histogram,
    watch_failures: Counter,
    module_requests: Family<StaticLabel, Counter>,
}

/// The result of a publication in a file.
#[derive(Clone, Copy, Debug)]
pub enum PublishResult {
    /// It was written.
    Written,
    /// It was there already.
    Unchanged,
    /// It could not be written.
    Failed,
    /// It was not to be published.
    Held,
}

/// The result of a write of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// It was written.
    Written,
    /// It was written again, after a foreign change.
    Repaired,
    /// It was deleted.
    Removed,
    /// The API server did not do it.
    Failed,
}

/// The result of a request for a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleRequest {
    /// It was answered with the module.
    Served,
    /// The client has it already.
    NotModified,
    /// There is no such module.
    NotFound,
}

// === impl Publishing ===

impl Default for Publishing {
    fn default() -> Self {
        Self {
            publishes: Family::default(),
            bytes: Family::default(),
            propagation: Histogram::new(PROPAGATION),
            watch_failures: Counter::default(),
            module_requests: Family::default(),
        }
    }
}

impl Publishing {
    /// Counts a publication in a file.
    pub fn published(&self, result: PublishResult) {
        self.publishes.get_or_create(&[("target", "file"), ("result", result.as_str())]).inc();
    }

    /// Counts a write of an object.
    pub fn wrote(&self, write: WriteResult) {
        self.publishes.get_or_create(&[("target", "object"), ("result", write.as_str())]).inc();
    }

    /// The number of writes of objects with this result.
    #[must_use]
    pub fn writes(&self, write: WriteResult) -> u64 {
        self.publishes.get_or_create(&[("target", "object"), ("result", write.as_str())]).get()
    }

    /// Says how long a bundle's configuration is, and nothing where it is not wanted any more.
    pub fn bundle(&self, key: &BundleKey, bytes: Option<usize>) {
        let namespace = key.namespace().unwrap_or_default().to_owned();
        let labels = [("namespace", namespace), ("name", key.object_name())];
        match bytes {
            Some(bytes) => {
                let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
                self.bytes.get_or_create(&labels).set(bytes);
            }
            None => {
                self.bytes.remove(&labels);
            }
        }
    }

    /// Takes in how long it took from seeing a policy's change until an object said so.
    pub fn propagated(&self, took: Duration) {
        self.propagation.observe(took.as_secs_f64());
    }

    /// The watch of our own objects failed, and is tried again.
    pub fn watch_failed(&self) {
        self.watch_failures.inc();
    }

    /// Counts a request for a module.
    pub fn module_requested(&self, request: ModuleRequest) {
        let result = match request {
            ModuleRequest::Served => "served",
            ModuleRequest::NotModified => "not_modified",
            ModuleRequest::NotFound => "not_found",
        };
        self.module_requests.get_or_create(&[("result", result)]).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "publish",
            "Writes of bundles, by their target and their result",
            self.publishes.clone(),
        );
        registry.register_with_unit(
            "bundle_configuration",
            "Configuration of each bundle",
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register_with_unit(
            "propagation",
            "Time from the observation of a policy's change to the write of its object",
            Unit::Seconds,
            self.propagation.clone(),
        );
        registry.register(
            "object_watch_failures",
            "Failures of the watch of objects that hold bundles",
            self.watch_failures.clone(),
        );
        registry.register(
            "module_requests",
            "Requests for the filter's module, by result",
            self.module_requests.clone(),
        );
    }
}

// === impl PublishResult ===

impl PublishResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Held => "held",
        }
    }
}

// === impl WriteResult ===

impl WriteResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Repaired => "repaired",
            Self::Removed => "removed",
            Self::Failed => "failed",
        }
    }
}
