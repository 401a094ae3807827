//! Publishers: where configuration goes. A closed set; each writes what the plan holds and decides nothing.

pub mod cluster;
mod config_map;
mod ecds;
pub mod file;
pub mod istio;
mod ledger;
pub mod output;
#[cfg(test)]
mod testing;
mod trouble;

use crate::plan::Attachment;

/// Where configuration goes.
#[derive(Debug)]
pub enum Publisher {
    /// An ECDS resource file.
    File(file::File),
}

/// What became of an attachment that was to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It was written.
    Written,
    /// It was there already, to the byte.
    Unchanged,
}

// === impl Publisher ===

impl Publisher {
    /// Publishes an attachment, unless it is there already.
    ///
    /// # Errors
    ///
    /// Where it cannot be written. What was there before still is.
    pub fn publish(&self, attachment: &Attachment) -> std::io::Result<Published> {
        match self {
            Self::File(file) => file.publish(attachment),
        }
    }

    /// Is there an attachment of that name, whatever it says?
    #[must_use]
    pub fn has(&self, attachment: &Attachment) -> bool {
        match self {
            Self::File(file) => file.path(attachment).exists(),
        }
    }
}
