//! The operator: policies in, configuration for proxies out. The decisions are those of `corsward-operator-core`; this crate does the IO.
//!
//! ```text
//! source --Event--> executor --> controller (core) --Command--> executor --> publisher, last good, events, log, metrics
//! ```

pub mod admin;
pub mod args;
mod atomic;
pub mod certificates;
mod change_log;
pub mod cleanup;
mod error_log;
pub mod events;
pub mod executor;
pub mod kubernetes;
pub mod last_good;
pub mod leader;
pub mod metrics;
pub mod modules;
mod poller;
pub mod probe;
pub mod publish;
pub mod request;
pub mod run;
pub mod server;
pub mod source;
pub mod start;
mod tasks;
mod watches;
pub mod webhook;
pub mod writer;

#[cfg(test)]
mod testing;
