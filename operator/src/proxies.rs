//! Proxies: which of them run what is published, by their own word. The loop says who should run what; a task asks the proxies and
//! says what came of it. Everything but the asking is without IO.
//!
//! ```text
//! loop --Order--> roster (pure) --Question--> proxies
//!      <--Told--  standing      <--Answer--
//! ```
//!
//! A proxy says which configuration it runs through the filter's gauge `wasmcustom.corsward.config.digest`, which is gone from its
//! metrics as soon as the filter is. That is enforcement; that Istio has delivered a configuration would say less, for its agent
//! takes the filter out where it cannot fetch the module, and acknowledges.

pub(crate) mod answer;
pub(crate) mod assignment;
pub(crate) mod fleet;
pub(crate) mod roster;
pub mod standing;
pub(crate) mod task;
mod touches;

pub(crate) use roster::State;

use corsward_policy::PolicyId;

use crate::attachment::AttachmentKey;
use crate::proxies::standing::Standing;

/// What the loop learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Of which policy.
    pub(crate) policy: PolicyId,
    /// Of which version of it, as the loop counts.
    pub(crate) epoch: u64,
    /// How its proxies stand.
    pub(crate) standing: Standing,
}

/// An object that was written anew, so that proxies fetch the filter that they are without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Which.
    pub(crate) key: AttachmentKey,
    /// The first pods without the filter.
    pub(crate) pods: Vec<String>,
}
