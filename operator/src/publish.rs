//! Publishers: where configuration goes. A closed set; each writes what the plan holds and decides nothing.

mod backoff;
pub mod choice;
pub mod cluster;
mod config_map;
mod ecds;
pub mod file;
pub mod istio;
pub mod leftovers;
pub mod output;
mod reconciler;
#[cfg(test)]
mod testing;

/// The result of the publication of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It was written.
    Written,
    /// It was there already, to the byte.
    Unchanged,
}
