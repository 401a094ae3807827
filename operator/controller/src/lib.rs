//! The operator: policies in, configuration for proxies out. The decisions are those of `corsward-operator-core`; this crate does the IO.
//!
//! ```text
//! source --Event--> controller (core: index, plan) --> publish --> status, report
//!   document, folder                                     state: what is in force, across restarts
//! ```

pub mod admin;
pub mod admission_check;
pub mod args;
mod atomic;
pub mod certificates;
mod change_log;
pub mod cleanup;
mod controller;
mod error_log;
pub mod events;
pub mod kubernetes;
pub mod leader;
pub mod metrics;
pub mod modules;
pub mod probe;
pub mod publish;
pub mod rollout;
pub mod run;
mod server;
pub mod source;
pub mod start;
pub mod state;
mod tasks;
pub mod validate;
mod watch_backoff;
mod watches;
pub mod webhook;
pub mod writer;

#[cfg(test)]
mod testing;
