//! Publishers: where configuration goes. A closed set; each writes what the plan holds and decides nothing.

pub mod choice;
pub mod cluster;
pub mod file;

/// The result of the publication of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It was written.
    Written,
    /// It was there already, to the byte.
    Unchanged,
}
