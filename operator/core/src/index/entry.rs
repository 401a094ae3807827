//! Entry: one policy of the index, and the spec of it that the proxies run.

use std::ops::Deref;
use std::sync::Arc;

use crate::object::Object;
use crate::validation::{Accepted, Validation};

/// One policy.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As its source delivered it last.
    pub object: Object,
    /// The generation of its spec.
    pub generation: i64,
    /// Its validation.
    pub validation: Validation,
    /// The spec that the proxies run.
    pub in_force: Option<PolicyInForce>,
    /// Whether what was last published enforces it, if that is known: a switch stops it, or a guardrail suspends it, and its spec stays the
    /// same.
    pub enforced: Option<bool>,
    /// The spec in force, switched off: the current spec is refused, and has `mode: Off` all the same.
    pub(super) stopped: Option<PolicyInForce>,
}

/// The spec of a policy that the proxies run: the last accepted one, older than the object if that is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyInForce {
    /// The generation of that spec.
    pub generation: i64,
    /// The spec and what it makes, shared with the validation that accepted it.
    pub(super) accepted: Arc<Accepted>,
}

// === impl Entry ===

impl Entry {
    /// The current spec, if no finding refuses it.
    pub fn written(&self) -> Option<PolicyInForce> {
        let accepted = Arc::clone(self.validation.accepted.as_ref()?);
        Some(PolicyInForce { generation: self.generation, accepted })
    }

    /// Is it as `previous` was, but for the status that an API server shows?
    pub(super) fn is_restated(&self, previous: &Self) -> bool {
        self.object.says_the_same(&previous.object)
            && self.object.place == previous.object.place
            && self.in_force == previous.in_force
            && self.stopped.is_none()
            && previous.stopped.is_none()
    }

    /// The last accepted spec. `mode: Off` always counts: a user who has to stop a policy must not have to correct it
    /// first.
    pub(crate) fn last_good(&self) -> Option<PolicyInForce> {
        self.stopped.as_ref().or(self.in_force.as_ref()).cloned()
    }
}

// === impl PolicyInForce ===

impl Deref for PolicyInForce {
    type Target = Accepted;

    fn deref(&self) -> &Accepted {
        &self.accepted
    }
}
