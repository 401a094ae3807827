//! The filter as a proxy-wasm module: the shell of `corsward_filter_engine` for proxies that run WebAssembly.
//!
//! ```text
//! proxy --> entry --> contexts --> engine --> host --> abi --> proxy
//! ```
//!
//! Host calls exist only inside a proxy, so the crate is empty unless it is built as a module or for its tests.
#![cfg(any(test, target_arch = "wasm32"))]

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "calls of a C interface")]
mod abi;
#[cfg(target_arch = "wasm32")]
mod contexts;
#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(target_arch = "wasm32")]
mod host;
mod last_good;
mod pair_map;
