//! Sources: where policies come from. Each tells one channel what it sees; none decides anything.

pub mod dir;
pub mod document;
pub mod folder;

use corsward_policy::{Finding, PolicyId};

use crate::object::Object;

/// Something a source saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A policy is there, new or changed.
    Apply(Box<Object>),
    /// A policy is gone.
    Delete(PolicyId),
    /// These policies are there, and no others.
    Reset(Vec<Object>),
    /// This is everything wrong outside of policies.
    Problems(Vec<Problem>),
}

/// Something wrong that belongs to no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: a file's name.
    pub place: String,
    /// What.
    pub finding: Finding,
}
