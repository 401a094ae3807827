//! The filter as a proxy-wasm module: the shell of `corsward_filter_engine` for proxies that run WebAssembly.
//!
//! ```text
//! proxy --> entry --> contexts --> engine --> host --> proxy
//! ```
//!
//! Host calls exist only inside a proxy, so the crate is empty unless it is built as a module or for its tests.
#![cfg(any(test, target_arch = "wasm32"))]

#[cfg(target_arch = "wasm32")]
mod contexts;
#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(target_arch = "wasm32")]
mod host;
mod label_map;
mod last_good;
