//! Analysis: the judgement of a policy's regexes, each text once, with a bound on all of them together.

use std::cell::Cell;
use std::collections::HashMap;

use super::{Knowledge, RegexReach};
use crate::limits::MAX_REGEX_STEPS;

/// The steps that the analysis of a policy's regexes may still take.
#[derive(Debug)]
pub struct Steps(Cell<usize>);

/// No step is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoStepLeft;

/// The regexes of one policy, and what is known of them.
pub(super) struct Analysis<'k> {
    pub(super) knowledge: &'k dyn Knowledge,
    steps: Steps,
    known: HashMap<String, RegexReach>,
}

// === impl Steps ===

impl Steps {
    /// The steps for one policy.
    pub fn for_policy() -> Self {
        Self::new(MAX_REGEX_STEPS)
    }

    /// That many steps.
    pub fn new(left: usize) -> Self {
        Self(Cell::new(left))
    }

    /// Takes `steps`.
    ///
    /// # Errors
    ///
    /// Fails if fewer are left, of which none is left then.
    pub fn take(&self, steps: usize) -> Result<(), NoStepLeft> {
        let left = self.0.get().checked_sub(steps);
        self.0.set(left.unwrap_or_default());
        left.map(|_| ()).ok_or(NoStepLeft)
    }

    /// The number of steps that are left.
    pub fn left(&self) -> usize {
        self.0.get()
    }
}

// === impl Analysis ===

impl<'k> Analysis<'k> {
    pub(super) fn new(knowledge: &'k dyn Knowledge) -> Self {
        Self { knowledge, steps: Steps::for_policy(), known: HashMap::new() }
    }

    /// The reach of a regex.
    pub(super) fn reach(&mut self, regex: &str) -> RegexReach {
        if let Some(known) = self.known.get(regex) {
            return known.clone();
        }
        let reach = self.knowledge.regex_reach(regex, &self.steps);
        self.known.insert(regex.to_owned(), reach.clone());
        reach
    }
}
