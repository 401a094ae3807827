//! What the verbs share with the tests: where things are, how to get the tools, how to build.
//!
//! ```text
//! cli --> lint, generate, wasm, images, test, e2e, fuzz, demo, bench, cluster --> build, tools, envoy, kubernetes --> command, paths
//! ```

pub mod backends;
pub mod bench;
pub mod build;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod demo;
pub mod docker;
pub mod e2e;
pub mod envoy;
pub mod fingerprint;
pub mod fuzz;
pub mod generate;
pub mod http;
pub mod images;
pub mod kubernetes;
pub mod lint;
pub mod paths;
pub mod ports;
pub mod process;
pub mod test;
pub mod tools;
pub mod wait;
pub mod wasm;
