//! Rollout: which proxies run what is published, by their own word. The controller says who should run what; a poller asks the
//! proxies as the schedule says.
//!
//! ```text
//! controller --PollerCommand--> schedule --ScrapeRequest--> proxies
//!            <--RolloutUpdate--  counts <--ProxyStats--
//! ```
//!
//! A proxy says which configuration it runs through the filter's gauge `wasmcustom.corsward.config.digest`, which is gone from its
//! metrics as soon as the filter is. That is enforcement; that Istio has delivered a configuration would say less, for its agent
//! takes the filter out where it cannot fetch the module, and acknowledges.

pub mod proxy;
pub mod refresh;
pub mod schedule;
pub mod tracker;
