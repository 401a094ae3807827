//! What there is to count of proxies.

use std::collections::BTreeMap;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Label, count};
use crate::proxies::State;
use crate::proxies::standing::Why;

/// Every state, and its name.
const STATES: [(State, &str); 7] = [
    (State::Current, "current"),
    (State::Not(Why::Behind), "behind"),
    (State::Not(Why::Refused), "refused"),
    (State::Not(Why::NoFilter), "without_filter"),
    (State::Not(Why::NoSidecar), "without_sidecar"),
    (State::Not(Why::Unreachable), "unreachable"),
    (State::Not(Why::NotAsked), "not_asked"),
];

/// How proxies stand, over all policies; a clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    states: Family<Label, Gauge>,
    touches: Family<Label, Counter>,
}

// === impl Proxies ===

impl Proxies {
    /// Takes in how many workloads stand how.
    pub(crate) fn stand(&self, counts: &BTreeMap<State, usize>) {
        for (state, name) in STATES {
            let number = counts.get(&state).copied().unwrap_or_default();
            self.states.get_or_create(&[("state", name)]).set(count(number));
        }
    }

    /// An object was written anew for proxies without a filter, or could not be.
    pub(crate) fn touched(&self, written: bool) {
        let result = if written { "written" } else { "failed" };
        self.touches.get_or_create(&[("result", result)]).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "proxies",
            "Workloads for which something is published, by what their proxies say they run; on the replica that writes",
            self.states.clone(),
        );
        registry.register(
            "touches",
            "Objects written anew so that proxies without a filter fetch its module again, by what became of it",
            self.touches.clone(),
        );
    }
}
