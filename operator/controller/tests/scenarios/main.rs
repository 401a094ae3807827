//! Scenarios: what happens to a folder, and what the real binary makes of it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; its helpers too"
)]

mod commands;
mod dependencies;
mod folder;
mod harness;
mod outputs;
mod restart;
mod snapshots;
