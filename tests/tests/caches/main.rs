//! Shared caches in front of the proxy: `Vary` as they read it, and two real ones.

mod cache;
mod entries;
mod vary;
