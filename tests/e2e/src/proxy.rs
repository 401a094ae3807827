//! Proxy: what a sidecar says of itself.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use corsward_test_harness::cluster::TestNamespace;
use corsward_test_harness::eventually::eventually;
use serde_json::Value;

/// The part that the names of corsward's filters share, for each of Istio's kinds.
const OURS: &str = "corsward";

/// The sidecar of a pod, or of the first of a workload (`deploy/NAME`).
#[derive(Debug)]
pub(crate) struct Proxy<'p> {
    ns: &'p TestNamespace<'p>,
    pod: String,
}

// === impl Proxy ===

impl<'p> Proxy<'p> {
    /// The one of that pod.
    pub(crate) fn of(ns: &'p TestNamespace<'p>, pod: &str) -> Self {
        Self { ns, pod: pod.to_owned() }
    }

    /// The answer of its admin interface.
    pub(crate) fn admin(&self, path: &str) -> Result<String> {
        self.ns.exec(&self.pod, "istio-proxy", &["pilot-agent", "request", "GET", path])
    }

    /// Our filters in each chain that takes HTTP to the application, by the chain's name.
    pub(crate) fn filters(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let dump = self.admin("config_dump?resource=dynamic_listeners")?;
        let dump: Value = serde_json::from_str(&dump).context("a config dump is JSON")?;
        let listeners = dump["configs"].as_array().context("a config dump has listeners")?;
        let mut found = BTreeMap::new();
        let running = listeners.iter().map(|one| &one["active_state"]["listener"]);
        for listener in running.filter(|one| one["traffic_direction"] == "INBOUND") {
            for chain in items(&listener["filter_chains"]) {
                for manager in items(&chain["filters"]) {
                    let Some(filters) = manager["typed_config"]["http_filters"].as_array() else {
                        continue;
                    };
                    let names = filters.iter().filter_map(|filter| filter["name"].as_str());
                    let ours = names.filter(|name| name.contains(OURS)).map(str::to_owned);
                    let chain = format!("{} {}", chain["name"], chain["filter_chain_match"]);
                    found.insert(chain, ours.collect());
                }
            }
        }
        Ok(found)
    }

    /// Waits until every chain that takes HTTP to the application has exactly so many filters of ours.
    pub(crate) fn wait_for_filters(&self, count: usize) -> Result<()> {
        eventually(&format!("{count} of our filters in every chain of {}", self.pod), || {
            let chains = self.filters()?;
            ensure!(!chains.is_empty(), "it takes no HTTP");
            let right = chains.values().all(|ours| ours.len() == count);
            ensure!(right, "there are {chains:?}");
            Ok(Some(()))
        })
    }

    /// The sum of its counters whose names begin so.
    pub(crate) fn count(&self, prefix: &str) -> Result<u64> {
        let stats = self.admin("stats?usedonly")?;
        let counters = stats.lines().filter(|line| line.starts_with(prefix));
        let values = counters.filter_map(|line| line.rsplit_once(": ")?.1.parse::<u64>().ok());
        Ok(values.sum())
    }

    /// The number of CORS requests that its filters have decided: two filters in one chain count each request twice.
    ///
    /// A filter passes its counters on by ticks, with its heartbeat among them. Each worker and the main thread have a heartbeat once in
    /// its interval, so that all have had one when there are twice as many as threads.
    pub(crate) fn decided(&self) -> Result<u64> {
        let beats = || self.count("wasmcustom.corsward.heartbeats:");
        let threads = self.count("server.concurrency:")?.saturating_add(1);
        let due = beats()?.saturating_add(threads.saturating_mul(2));
        eventually("heartbeats of all threads", || Ok((beats()? >= due).then_some(())))?;
        self.count("wasmcustom.corsward.decisions.")
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
