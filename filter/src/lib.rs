//! The proxy-wasm filter: translates between a proxy and `corsward_policy`, and decides nothing.
//!
//! ```text
//! proxy --> entry --> root --> http --> policy::decide --> host --> proxy
//!                       |        |
//!            config, labels   refusals, metrics (one of each per worker)
//! ```
//!
//! Host calls exist only inside a proxy, so the crate is empty unless it is built as a module or for its tests.
#![cfg(any(test, target_arch = "wasm32"))]

mod config;
#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(test)]
mod fake;
mod host;
mod http;
mod labels;
mod metrics;
mod refusals;
mod root;
mod worker;
