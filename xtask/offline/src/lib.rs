//! Programs of others, and clusters, on a machine that may reach no registry: found where the user has them, else fetched, or built from
//! source. The subcommands of `xtask` and the tests use it; nothing of the product does.
//!
//! ```text
//! cluster --> tools, backends, docker --> command, paths
//! ```

pub mod backends;
pub mod cluster;
pub mod command;
pub mod docker;
pub mod fingerprint;
mod folder;
pub mod paths;
pub mod tools;
pub mod wait;
