//! The pure part of the operator: policies and the objects around them in, bundles and statuses out.
//!
//! ```text
//! Event --> index --> plan --> publish (reconciler)     --> status, report
//!   validation: shape, convert, validate    rollout (schedule): what proxies run
//! ```
//!
//! No IO, no runtime, no client, no clock: time is an argument.

pub mod bundle;
pub mod capabilities;
pub mod change_log;
pub mod cluster_state;
pub mod command;
pub mod controller;
pub mod error_chain;
pub mod event;
pub mod filter_module;
pub mod finding;
mod gateway_controller;
pub mod guardrails;
pub mod index;
mod label;
pub mod lease_record;
pub mod names;
pub mod object;
pub mod origin_sets;
pub mod plan;
mod protocol;
pub mod publish;
pub mod report;
pub mod resource_ref;
pub mod rollout;
pub mod scope_metrics;
pub mod state;
pub mod status;
pub mod targets;
pub mod traffic;
pub mod validation;

pub use corsward_api::json_text;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
