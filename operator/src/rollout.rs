//! Rollout: which of them run what is published, by their own word. The loop says who should run what; a task asks the proxies and
//! says what came of it. Everything but the asking is without IO.
//!
//! ```text
//! loop --PollerCommand--> schedule (pure) --ScrapeRequest--> proxies
//!      <--RolloutUpdate--  counts      <--ProxyStats--
//! ```
//!
//! A proxy says which configuration it runs through the filter's gauge `wasmcustom.corsward.config.digest`, which is gone from its
//! metrics as soon as the filter is. That is enforcement; that Istio has delivered a configuration would say less, for its agent
//! takes the filter out where it cannot fetch the module, and acknowledges.

pub(crate) mod expected;
pub(crate) mod poller;
pub(crate) mod proxy_stats;
mod refresh;
pub(crate) mod schedule;
pub(crate) mod tracker;
