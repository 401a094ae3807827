//! Metrics: what a monitoring system wants to know of the operator.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use corsward_operator_core::bundle::BundleKey;
use corsward_operator_core::event::{OutOfSyncReason, ProxyState};
use corsward_operator_core::scope_metrics::{STATES, ScopeMetrics, count};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};
use strum::IntoStaticStr;

/// The buckets of the time of a plan, in seconds.
const PLAN: [f64; 9] = [0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
/// The buckets of the time from a policy's change to the object that says so, in seconds.
const PROPAGATION: [f64; 9] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];
/// The states of proxies, and their names.
const PROXY_STATES: [(ProxyState, &str); 7] = [
    (ProxyState::Current, "current"),
    (ProxyState::Not(OutOfSyncReason::Behind), "behind"),
    (ProxyState::Not(OutOfSyncReason::Refused), "refused"),
    (ProxyState::Not(OutOfSyncReason::NoFilter), "without_filter"),
    (ProxyState::Not(OutOfSyncReason::NoSidecar), "without_sidecar"),
    (ProxyState::Not(OutOfSyncReason::Unreachable), "unreachable"),
    (ProxyState::Not(OutOfSyncReason::NotAsked), "not_asked"),
];

/// A label: its name and its value, both from closed sets.
type Label = (&'static str, &'static str);

/// Declares `Metrics` and registers each field in this order: the name, its unit, and its help.
macro_rules! metrics {
    ($($field:ident: $kind:ty = $name:literal $([$unit:ident])?, $help:literal $(, $new:expr)?;)*) => {
        /// Every metric of the operator.
        #[derive(Debug)]
        pub struct Metrics {
            $(pub(crate) $field: $kind,)*
            last_good_since: Mutex<Option<Instant>>,
            registry: Registry,
        }

        impl Default for Metrics {
            fn default() -> Self {
                let mut registry = Registry::with_prefix("corsward");
                $(
                    let $field: $kind = metrics!(@new $($new)?);
                    register(&mut registry, $name, [$(Unit::$unit)?], $help, $field.clone());
                )*
                Self { $($field,)* last_good_since: Mutex::default(), registry }
            }
        }
    };
    (@new) => { Default::default() };
    (@new $new:expr) => { $new };
}

metrics! {
    watch_restarts: Family<[Label; 1], Counter> = "watch_restarts",
        "Watches restarted after an error, by kind of object";
    status_writes: Family<[Label; 1], Counter> = "status_writes",
        "Attempts to write a status, by result";
    proxies: Family<[Label; 1], Gauge> = "proxies",
        "Workloads with a published bundle, by the state of their proxies; on the leader";
    plugin_refreshes: Family<[Label; 1], Counter> = "plugin_refreshes",
        "Refreshes of objects, so that proxies without a filter fetch its module again, by result";
    webhook_reviews: Family<[Label; 1], Counter> = "webhook_reviews",
        "Admission reviews, by result";
    certificate_not_after: Gauge = "webhook_certificate_not_after_timestamp"[Seconds],
        "Expiry of the webhook's certificate";
    publishes: Family<[Label; 2], Counter> = "publish",
        "Writes of bundles, by their target and their result";
    bundle_configuration: Family<[(&'static str, String); 2], Gauge> = "bundle_configuration"[Bytes],
        "Configuration of each bundle";
    propagation_seconds: Histogram = "propagation"[Seconds],
        "Time from the observation of a policy's change to the write of its object",
        Histogram::new(PROPAGATION);
    object_watch_failures: Counter = "object_watch_failures",
        "Failures of the watch of objects that hold bundles";
    module_requests: Family<[Label; 1], Counter> = "module_requests",
        "Requests for the filter's module, by result";
    policies: Family<[Label; 1], Gauge> = "policies", "Policies, by state";
    bundles: Gauge = "bundles", "Bundles, each for one set of proxies";
    bundle_bytes: Gauge = "bundles"[Bytes], "Configuration over all bundles";
    plan_seconds: Histogram = "plan"[Seconds],
        "Time to validate and compile changes and to compute statuses",
        Histogram::new(PLAN);
    source_problems: Gauge = "source_problems",
        "Problems outside of policies, such as unreadable files";
    enforcing: Gauge = "enforcing",
        "1 while policies are enforced, 0 while enforcement is off in the whole cluster";
    leader: Gauge = "leader", "1 on the replica that writes";
    unpublishable: Gauge = "unpublishable_policies",
        "Accepted policies that are not in force as written, because they cannot be published";
    last_good_age: Gauge = "last_good_age"[Seconds],
        "Longest time for which a refused policy has been in force in an older version";
}

/// A value of the label `result`. `docs/metrics.md` lists those of each metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// A review: allowed, with or without warnings.
    Allowed,
    /// A status: its object is gone, or this replica does not write.
    Dropped,
    /// An attempt without success.
    Failed,
    /// A file: it was not to be published.
    Held,
    /// There is no such module.
    NotFound,
    /// The client has the module already.
    NotModified,
    /// A review: refused.
    Refused,
    /// An object: deleted.
    Removed,
    /// An object: written again, after a foreign change.
    Repaired,
    /// A request was answered with the module.
    Served,
    /// A file: it was there already.
    Unchanged,
    /// A review: allowed without having been judged.
    Unjudged,
    /// Not a review that can be answered.
    Unreadable,
    /// Written.
    Written,
}

// === impl Metrics ===

impl Metrics {
    /// Counts a watch of `kind` that ended with an error and begins again.
    pub fn watch_restarted(&self, kind: &'static str) {
        self.watch_restarts.get_or_create(&[("kind", kind)]).inc();
    }

    /// Takes in the number of workloads in each state.
    pub(crate) fn proxies(&self, counts: &BTreeMap<ProxyState, usize>) {
        for (state, name) in PROXY_STATES {
            let number = counts.get(&state).copied().unwrap_or_default();
            self.proxies.get_or_create(&[("state", name)]).set(count(number));
        }
    }

    /// Takes in the expiry of the certificate that is served, in seconds of the Unix epoch.
    pub(crate) fn certificate(&self, not_after: u64) {
        self.certificate_not_after.set(i64::try_from(not_after).unwrap_or(i64::MAX));
    }

    /// Counts a write of a bundle into a `file` or an `object`.
    pub(crate) fn published(&self, target: &'static str, outcome: Outcome) {
        self.publishes.get_or_create(&[("target", target), outcome.label()]).inc();
    }

    /// Takes in the length of a bundle's configuration; `None`: it is not wanted any more.
    pub(crate) fn bundle(&self, key: &BundleKey, bytes: Option<usize>) {
        let namespace = key.namespace().unwrap_or_default().to_owned();
        let labels = [("namespace", namespace), ("name", key.object_name())];
        if let Some(bytes) = bytes {
            self.bundle_configuration.get_or_create(&labels).set(count(bytes));
        } else {
            self.bundle_configuration.remove(&labels);
        }
    }

    /// Takes in the counts over all parts, and the number of problems outside of policies.
    pub(crate) fn totals(&self, totals: ScopeMetrics, problems: usize) {
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

    /// All of it, as Prometheus reads it.
    pub fn encode(&self) -> String {
        let since = self.last_good_since.lock().unwrap_or_else(PoisonError::into_inner);
        let age = since.map_or(0, |since| since.elapsed().as_secs());
        self.last_good_age.set(i64::try_from(age).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

// === impl Outcome ===

impl Outcome {
    /// Counts it.
    pub(crate) fn count(self, results: &Family<[Label; 1], Counter>) {
        results.get_or_create(&[self.label()]).inc();
    }

    fn label(self) -> Label {
        ("result", self.into())
    }
}

/// Registers a metric, with its unit if it has one.
fn register(
    registry: &mut Registry,
    name: &str,
    unit: impl IntoIterator<Item = Unit>,
    help: &str,
    metric: impl Metric,
) {
    match unit.into_iter().next() {
        Some(unit) => registry.register_with_unit(name, help, unit, metric),
        None => registry.register(name, help, metric),
    }
}
