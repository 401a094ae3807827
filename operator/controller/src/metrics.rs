//! Metrics: what a monitoring system wants to know of the operator.

pub mod admission;
pub mod proxies;
pub mod publishing;
pub mod source;
#[cfg(test)]
mod tests;
pub mod writer;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use corsward_operator_core::scope_metrics::{STATES, ScopeMetrics};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::metrics::publishing::Publishing;

/// A label: its name and its value, both from closed sets.
type LabelPair = [(&'static str, &'static str); 1];

/// Every metric of the operator.
#[derive(Debug)]
pub struct Metrics {
    /// The counters of a cluster's publisher.
    pub publishing: Publishing,
    registry: Registry,
    policies: Family<LabelPair, Gauge>,
    bundles: Gauge,
    bundle_bytes: Gauge,
    plan_seconds: Histogram,
    source_problems: Gauge,
    unpublishable: Gauge,
    leader: Gauge,
    enforcing: Gauge,
    last_good_age: Gauge,
    last_good_since: Mutex<Option<Instant>>,
    /// Watches of an API server.
    pub watches: source::Watches,
    /// Statuses that are written to an API server.
    pub status_writes: writer::StatusWrites,
    /// The proxies'.
    pub proxies: proxies::ProxyMetrics,
    /// The webhook's.
    pub admission: admission::AdmissionMetrics,
}

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        let seconds = [0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
        let mut metrics = Self {
            registry: Registry::with_prefix("corsward"),
            publishing: Publishing::default(),
            policies: Family::default(),
            bundles: Gauge::default(),
            bundle_bytes: Gauge::default(),
            plan_seconds: Histogram::new(seconds),
            source_problems: Gauge::default(),
            unpublishable: Gauge::default(),
            leader: Gauge::default(),
            enforcing: Gauge::default(),
            last_good_age: Gauge::default(),
            last_good_since: Mutex::new(None),
            watches: source::Watches::default(),
            status_writes: writer::StatusWrites::default(),
            proxies: proxies::ProxyMetrics::default(),
            admission: admission::AdmissionMetrics::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Takes in how long it took to judge what changed, to compile it and to compute statuses.
    pub fn planned(&self, took: Duration) {
        self.plan_seconds.observe(took.as_secs_f64());
    }

    /// Takes in the counts over all parts, and the number of problems outside of policies.
    pub fn stand(&self, totals: ScopeMetrics, problems: usize) {
        let ScopeMetrics { states, unpublishable, bundles, bytes } = totals;
        for (state, count) in STATES.into_iter().zip(states) {
            self.policies.get_or_create(&[("state", state)]).set(count);
        }
        let [.., last_good] = states;
        let mut since = self.last_good_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = (last_good > 0).then(|| since.unwrap_or_else(Instant::now));
        self.unpublishable.set(unpublishable);
        self.bundles.set(bundles);
        self.bundle_bytes.set(bytes);
        self.source_problems.set(count(problems));
    }

    /// Takes in whether policies are enforced.
    pub fn enforces(&self, enforcing: bool) {
        self.enforcing.set(i64::from(enforcing));
    }

    /// Takes in whether this replica writes.
    pub fn leads(&self, leading: bool) {
        self.leader.set(i64::from(leading));
    }

    /// All of it, as Prometheus reads it.
    #[must_use]
    pub fn encode(&self) -> String {
        let since = self.last_good_since.lock().unwrap_or_else(PoisonError::into_inner);
        let age = since.map_or(0, |since| since.elapsed().as_secs());
        self.last_good_age.set(i64::try_from(age).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn register(&mut self) {
        let Self { registry, .. } = self;
        self.watches.register(registry);
        self.status_writes.register(registry);
        self.proxies.register(registry);
        self.admission.register(registry);
        self.publishing.register(registry);
        registry.register("policies", "Policies, by state", self.policies.clone());
        registry.register("bundles", "Bundles, each for one set of proxies", self.bundles.clone());
        registry.register_with_unit(
            "bundles",
            "Configuration over all bundles",
            Unit::Bytes,
            self.bundle_bytes.clone(),
        );
        registry.register_with_unit(
            "plan",
            "Time to validate and compile changes and to compute statuses",
            Unit::Seconds,
            self.plan_seconds.clone(),
        );
        registry.register(
            "source_problems",
            "Problems outside of policies, such as unreadable files",
            self.source_problems.clone(),
        );
        registry.register(
            "enforcing",
            "1 while policies are enforced, 0 while enforcement is off in the whole cluster",
            self.enforcing.clone(),
        );
        registry.register("leader", "1 on the replica that writes", self.leader.clone());
        registry.register(
            "unpublishable_policies",
            "Accepted policies that are not in force as written, because they cannot be published",
            self.unpublishable.clone(),
        );
        registry.register_with_unit(
            "last_good_age",
            "Longest time for which a refused policy has been in force in an older version",
            Unit::Seconds,
            self.last_good_age.clone(),
        );
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
