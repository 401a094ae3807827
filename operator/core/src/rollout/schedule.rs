//! Schedule: the proxies of every namespace, what each said last, whom to ask next, and what there is to tell. Without IO.
//!
//! Proxies that do not run the published configuration are polled soon, and less and less often; the others are polled now and
//! then. Updates report lasting states: pods come and go all the time, and a status that follows each of them says less.

mod namespace;
mod proxy;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bundle::BundleKey;
use crate::cluster_state::Key;
use crate::event::RolloutUpdate;
use crate::rollout::expected::Expected;
use crate::rollout::proxy_stats::ProxyStats;
use crate::rollout_counts::{MAX_NAMED, ProxyState};
use namespace::NamespaceSchedule;

/// Proxies that are asked at one time.
const MAX_CONCURRENT: usize = 128;
/// Interval of polls of proxies in sync.
const RESYNC_INTERVAL: Duration = Duration::from_secs(30);
/// The same, for each proxy that there is: thousands are asked less often.
const RESYNC_PER_PROXY: Duration = Duration::from_millis(20);

/// The proxies of every namespace.
#[derive(Debug, Default)]
pub struct Schedule {
    /// By namespace.
    namespaces: BTreeMap<String, NamespaceSchedule>,
    /// The times of the next polls. Entries that disagree with the proxy itself are out of date.
    due: BTreeSet<(Instant, Key)>,
    /// The number of polls in flight.
    asking: usize,
}

/// A proxy to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrapeRequest {
    /// The pod of the proxy.
    pub pod: Key,
    /// Its address.
    pub address: SocketAddr,
}

// === impl Schedule ===

impl Schedule {
    /// Takes in what the workloads of a namespace should run.
    pub fn assign(&mut self, namespace: &str, expected: Arc<Expected>, now: Instant) {
        if expected.shares.is_empty() {
            self.namespaces.remove(namespace);
            return;
        }
        let schedule = self.namespaces.entry(namespace.to_owned()).or_default();
        schedule.assign(expected, now);
        self.due.extend(agenda(namespace, schedule));
    }

    /// Stops all polls.
    pub fn clear(&mut self) {
        self.namespaces.clear();
        self.due.clear();
    }

    /// The next poll, if one is due. The caller reports its result later.
    pub fn next(&mut self, now: Instant) -> Option<ScrapeRequest> {
        while self.asking < MAX_CONCURRENT {
            let due = self.due.first().filter(|(at, _)| *at <= now)?.clone();
            self.due.remove(&due);
            let (at, pod) = due;
            let schedule = self.namespaces.get_mut(&pod.namespace);
            // It was to be asked, and is gone by now or asked at another time.
            let Some(address) = schedule.and_then(|schedule| schedule.ask(&pod.name, at)) else {
                continue;
            };
            self.asking = self.asking.saturating_add(1);
            return Some(ScrapeRequest { pod, address });
        }
        None
    }

    /// Takes in what came of a question; `None`: no answer.
    pub fn answered(&mut self, request: &ScrapeRequest, answer: Option<ProxyStats>, now: Instant) {
        self.asking = self.asking.saturating_sub(1);
        let pause = self.pause();
        let ScrapeRequest { pod, address } = request;
        let Some(schedule) = self.namespaces.get_mut(&pod.namespace) else { return };
        let due = schedule.answered(&pod.name, *address, answer, pause, now);
        self.due.extend(due.map(|due| (due, pod.clone())));
    }

    /// Takes the new updates.
    pub fn drain_updates(&mut self, now: Instant) -> Vec<RolloutUpdate> {
        let due = self
            .namespaces
            .values_mut()
            .filter(|schedule| schedule.looks_at().is_some_and(|at| at <= now));
        due.flat_map(|schedule| schedule.drain_updates(now)).collect()
    }

    /// The next deadline without an answer.
    pub fn next_deadline(&self) -> Option<Instant> {
        let due = self.due.first().filter(|_| self.asking < MAX_CONCURRENT).map(|(at, _)| *at);
        let looks = self.namespaces.values().filter_map(NamespaceSchedule::looks_at);
        looks.chain(due).min()
    }

    /// The bundles of which some proxy has answered for a while that it runs no filter, and the first such pods.
    #[must_use]
    pub fn missing_filter(&self, now: Instant) -> BTreeMap<BundleKey, Vec<String>> {
        let mut missing_filter: BTreeMap<BundleKey, Vec<String>> = BTreeMap::new();
        for (key, pod) in self.namespaces.values().flat_map(|schedule| schedule.missing_filter(now))
        {
            let pods = missing_filter.entry(key.clone()).or_default();
            if pods.len() < MAX_NAMED {
                pods.push(pod.to_owned());
            }
        }
        missing_filter
    }

    /// The object of a bundle was written anew: the proxies without a filter are asked soon whether they have it now.
    pub fn poll_soon(&mut self, namespace: &str, now: Instant) {
        let Some(schedule) = self.namespaces.get_mut(namespace) else { return };
        schedule.poll_soon(now);
        self.due.extend(agenda(namespace, schedule));
    }

    /// The number of proxies in each state.
    pub fn counts(&self) -> BTreeMap<ProxyState, usize> {
        let mut counts = BTreeMap::new();
        for state in self.namespaces.values().flat_map(NamespaceSchedule::states) {
            let count: &mut usize = counts.entry(state).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    /// For how long a proxy that runs what it should is left alone.
    fn pause(&self) -> Duration {
        let count = self.due.len().saturating_add(self.asking);
        RESYNC_INTERVAL
            .max(RESYNC_PER_PROXY.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

fn agenda<'p>(
    namespace: &'p str,
    schedule: &'p NamespaceSchedule,
) -> impl Iterator<Item = (Instant, Key)> + use<'p> {
    let key = |pod: &str| Key { namespace: namespace.to_owned(), name: pod.to_owned() };
    schedule.agenda().map(move |(at, pod)| (at, key(pod)))
}

#[cfg(test)]
mod tests;
