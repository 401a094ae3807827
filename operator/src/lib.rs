//! The controller: policies in, configuration for proxies out.

pub mod api;
pub mod judge;
