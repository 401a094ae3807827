//! Last good: what is remembered of the specs in force, and what is not published lest it be withdrawn.

use crate::capabilities::Memory;
use crate::index::Index;
use crate::plan::ScopePlan;
use crate::state::State;

/// The reason why nothing is published while the state is lost and a policy is refused.
const STATE_UNKNOWN: &str = "the configuration in force before the start is unknown: the published configuration stays until every policy is accepted and every file is readable";

/// The knowledge about the specs in force across restarts.
#[derive(Debug)]
pub(super) struct LastGood {
    memory: Memory,
    /// What was in force before the start is not known, and the publisher still serves it.
    pub(super) is_lost: bool,
    is_withheld: bool,
    /// Proxies have a configuration: one was published, or the one that was found must stay.
    pub(super) is_served: bool,
    remembered: Option<State>,
}

// === impl LastGood ===

impl LastGood {
    pub(super) fn new(memory: Memory) -> Self {
        let is_lost = memory == Memory::State { is_lost: true };
        Self { memory, is_lost, is_withheld: false, is_served: false, remembered: None }
    }

    /// Do the statuses of the objects hold the specs in force, and say what is not published?
    pub(super) fn has_statuses(&self) -> bool {
        self.memory == Memory::Statuses
    }

    /// Checks whether a publication could withdraw what was in force before the start and is not known any more: some of it may be
    /// what refused texts said before.
    pub(super) fn check(&mut self, plan: &ScopePlan, index: &Index) {
        self.is_withheld = self.is_lost
            && (plan.why_not_all().is_some()
                || plan.policies.values().any(|planned| !planned.accepted)
                || index.problems.iter().any(|problem| problem.finding.is_refusal()));
    }

    /// Returns the reason why what is published stays as it was found, if it does.
    pub(super) fn withheld(&self) -> Option<&'static str> {
        self.is_withheld.then_some(STATE_UNKNOWN)
    }

    /// The state to remember, if it is new and no status holds it.
    pub(super) fn news(&mut self, index: &Index, plan: &ScopePlan) -> Option<State> {
        if self.has_statuses() {
            return None;
        }
        let state = State::of(index, plan);
        if self.remembered.as_ref() == Some(&state) {
            return None;
        }
        self.remembered = Some(state.clone());
        Some(state)
    }
}
