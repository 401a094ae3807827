//! The subcommands, and what they share with the tests: how to build, and how to run a real Envoy and a real API server. Programs of
//! others, and clusters, come from [`xtask_offline`].
//!
//! ```text
//! cli --> lint, generate, wasm, native, playground, images, archives, test, e2e, fuzz, demo, bench, atlas, cluster --> build, envoy, kubernetes --> xtask-offline
//! ```

pub mod arch;
pub mod archives;
pub mod atlas;
pub mod bench;
pub mod build;
pub mod cli;
pub mod cluster;
pub mod demo;
pub mod e2e;
pub mod envoy;
pub mod fuzz;
pub mod generate;
pub mod http;
pub mod images;
pub mod kubernetes;
pub mod lint;
pub mod native;
pub mod playground;
pub mod ports;
pub mod process;
mod tar_gz;
pub mod test;
pub mod wasm;

pub use xtask_offline::{backends, command, docker, paths, tools, wait};
