//! The operator: policies in, configuration for proxies out.
//!
//! ```text
//! source --Event--> index (pure) --> plan (pure) --> publish --> status, report
//!   document, folder    validation: shape, convert, validate    state: what is in force, across restarts
//! ```

pub mod admin;
pub mod admission_check;
pub mod amend;
pub mod args;
mod atomic;
pub mod bundle;
pub mod certificates;
mod change_log;
pub mod cleanup;
pub mod cluster_state;
mod controller;
pub mod convert;
mod counterpart;
pub mod dependencies;
mod error_log;
pub mod event;
pub mod events;
pub mod filter_module;
mod foreign;
mod gateway_controller;
pub mod grouping;
pub mod guardrails;
pub mod index;
pub mod json_text;
pub mod knowledge;
pub mod kubernetes;
mod label;
pub mod leader;
pub mod metrics;
pub mod modules;
pub mod object;
pub mod origin_sets;
pub mod plan;
pub mod probe;
pub mod protocol;
pub mod publish;
pub mod report;
pub mod rollout;
pub mod rollout_counts;
pub mod run;
mod server;
mod shape;
pub mod size_limit;
pub mod source;
pub mod spelling;
pub mod start;
pub mod state;
pub mod status;
pub mod targets;
mod tasks;
pub mod traffic;
pub mod validate;
pub mod validation;
mod watch_backoff;
pub mod webhook;
pub mod writer;

#[cfg(test)]
mod testing;
