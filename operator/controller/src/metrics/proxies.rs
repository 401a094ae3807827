//! Metrics of proxies.

use std::collections::BTreeMap;

use corsward_operator_core::rollout_counts::{OutOfSyncReason, ProxyState};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{LabelPair, count};

/// Every state, and its name.
const STATES: [(ProxyState, &str); 7] = [
    (ProxyState::Current, "current"),
    (ProxyState::Not(OutOfSyncReason::Behind), "behind"),
    (ProxyState::Not(OutOfSyncReason::Refused), "refused"),
    (ProxyState::Not(OutOfSyncReason::NoFilter), "without_filter"),
    (ProxyState::Not(OutOfSyncReason::NoSidecar), "without_sidecar"),
    (ProxyState::Not(OutOfSyncReason::Unreachable), "unreachable"),
    (ProxyState::Not(OutOfSyncReason::NotAsked), "not_asked"),
];

/// The states of proxies, over all policies; a clone shares the counters.
#[derive(Clone, Debug, Default)]
pub struct ProxyMetrics {
    states: Family<LabelPair, Gauge>,
    refreshes: Family<LabelPair, Counter>,
}

// === impl ProxyMetrics ===

impl ProxyMetrics {
    /// Takes in how many workloads stand how.
    pub(crate) fn stand(&self, counts: &BTreeMap<ProxyState, usize>) {
        for (state, name) in STATES {
            let number = counts.get(&state).copied().unwrap_or_default();
            self.states.get_or_create(&[("state", name)]).set(count(number));
        }
    }

    /// An object was written anew for proxies without a filter, or could not be.
    pub(crate) fn refreshed(&self, written: bool) {
        let result = if written { "written" } else { "failed" };
        self.refreshes.get_or_create(&[("result", result)]).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "proxies",
            "Workloads with a published bundle, by the state of their proxies; on the leader",
            self.states.clone(),
        );
        registry.register(
            "plugin_refreshes",
            "Refreshes of objects, so that proxies without a filter fetch its module again, by result",
            self.refreshes.clone(),
        );
    }
}
