//! Publishers: where configuration goes. A closed set; each writes what the plan holds and decides nothing.

pub mod choice;
pub mod cluster;
mod config_map;
mod ecds;
pub mod file;
pub mod istio;
mod ledger;
pub mod leftovers;
pub mod output;
#[cfg(test)]
mod testing;
mod trouble;

/// What became of an attachment that was to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It was written.
    Written,
    /// It was there already, to the byte.
    Unchanged,
}
