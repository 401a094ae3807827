//! The controller: policies in, configuration for proxies out.
//!
//! ```text
//! source --Event--> index (pure) --> plan (pure) --> publish --> status, report
//!   document, folder    review: shape, convert, validate    state: what is in force, across restarts
//! ```

pub mod admin;
pub mod amend;
pub mod api;
pub mod args;
mod atomic;
pub mod attachment;
pub mod certificates;
pub mod check;
pub mod cleanup;
pub mod compact;
mod controller;
pub mod convert;
mod counterpart;
pub mod events;
mod foreign;
pub mod grouping;
pub mod guardrails;
pub mod index;
pub mod inquiry;
mod journal;
pub mod judge;
pub mod kubernetes;
mod label;
pub mod leader;
pub mod metrics;
pub mod modules;
pub mod neighbors;
pub mod object;
mod operator;
pub mod origin_sets;
mod outage;
pub mod plan;
pub mod probe;
pub mod protocol;
pub mod proxies;
pub mod publish;
pub mod report;
pub mod review;
pub mod run;
mod server;
mod shape;
pub mod size;
pub mod source;
pub mod start;
pub mod state;
pub mod status;
pub mod surroundings;
pub mod targets;
mod tasks;
pub mod traffic;
pub mod webhook;
pub mod writer;

#[cfg(test)]
mod testing;
