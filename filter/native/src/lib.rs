//! The filter as a dynamic module of Envoy: the shell of `corsward_filter_engine` for an Envoy that loads it into its own process.
//!
//! ```text
//! Envoy --> convert --> instance --> engine --> host --> abi --> Envoy
//! ```
//!
//! Workers share an [`Instance`](instance::Instance) without a lock. `unsafe` is in two modules only: `abi` declares the
//! callbacks of Envoy, and `convert` the hooks that Envoy calls.
//!
//! The callbacks exist only inside of Envoy, so a test build leaves out the modules that need them.
#![cfg(target_os = "linux")]
#![cfg_attr(test, expect(dead_code, reason = "what the left out modules use"))]

#[cfg(not(test))]
#[expect(unsafe_code, reason = "calls of a C interface")]
mod abi;
#[cfg(not(test))]
#[expect(
    unsafe_code,
    reason = "functions that Envoy looks up by name, and the pointers that it passes to them"
)]
mod convert;
#[cfg(not(test))]
mod host;
#[cfg(not(test))]
mod instance;
mod last_good;
mod own_labels;
mod panic_guard;
mod panic_log;
mod series;
#[cfg(not(test))]
mod stats;
#[cfg(not(test))]
mod ticker;
