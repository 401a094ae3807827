//! Stories: what happens to a folder, and what the real binary makes of it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; its helpers too"
)]

mod folder;
mod namespaces;
mod neighbors;
mod outputs;
mod restart;
mod rig;
mod snapshots;
mod validate;
