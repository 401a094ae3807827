//! The engine of the filter: configuration, requests and responses, metrics and the denial log, for any proxy.
//!
//! ```text
//!            shell: the entry points and host calls of one kind of proxy
//!               |                                       ^
//!               v                                       | Host
//! Plugin (configure) --> Exchange (on_request, on_response) --> policy::decide
//!               |
//!            Engine: metrics, denial log
//! ```
//!
//! A shell hands a [`Host`] to each call, so nothing here keeps one. A [`Plugin`] is `Send` and `Sync`, and requests take no
//! lock: a shell may share it between threads.

mod candidate;
mod configuration;
mod denial_log;
mod engine;
mod exchange;
#[cfg(test)]
mod fake;
mod host;
mod metrics;
mod plugin;
mod running;

pub use candidate::Candidate;
pub use engine::Engine;
pub use exchange::{Exchange, Flow};
pub use host::{Host, Labels, LogLevel, MetricKind, PluginHost, StreamHost};
pub use plugin::{HEARTBEAT, Plugin};
