//! Entry: one policy of the index, and the spec of it that the proxies run.

use std::sync::Arc;

use corsward_manifest::spelling::Spelling;
use corsward_policy::{Finding, Policy};

use crate::guardrails::Guardrail;
use crate::json_text::JsonText;
use crate::object::Object;
use crate::origin_sets::Resolved;
use crate::targets::Target;
use crate::validation::{self, Accepted, Validation};

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
    /// The spec in force, switched off: the current spec is refused, and has `mode: Off` all the same.
    pub(super) stopped: Option<PolicyInForce>,
}

/// The spec of a policy that the proxies run: the last accepted one, older than the object if that is refused.
#[derive(Clone, Debug)]
pub struct PolicyInForce {
    /// The generation of that spec.
    pub generation: i64,
    /// The spec, with everything in it that it refers to.
    pub spec: JsonText,
    /// The policy it makes.
    pub policy: Arc<Policy>,
    /// Its place, as written.
    pub target: Arc<Target>,
    /// The origin sets in it.
    pub sets: Arc<Resolved>,
    /// The text of its values in a file that JSON writes otherwise.
    pub spelling: Arc<Spelling>,
    /// The policy in its compiled form, alone.
    pub compiled: Arc<str>,
    /// The digest of `compiled`: `sha256:` and 64 hexadecimal digits.
    pub digest: Arc<str>,
}

// === impl Entry ===

impl Entry {
    /// The current spec, if no finding refuses it.
    #[must_use]
    pub fn written(&self) -> Option<PolicyInForce> {
        let accepted = self.validation.accepted.as_ref()?;
        Some(PolicyInForce::new(self.generation, accepted))
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
    #[must_use]
    pub fn last_good(&self) -> Option<PolicyInForce> {
        self.stopped.as_ref().or(self.in_force.as_ref()).cloned()
    }
}

// === impl PolicyInForce ===

impl PolicyInForce {
    /// The limits of those guardrails that it exceeds, as findings about its author's text.
    #[must_use]
    pub fn exceeded(&self, guardrails: &[Guardrail]) -> Vec<Finding> {
        validation::exceeded(&self.policy, &self.sets, &self.spelling, guardrails)
    }

    pub(super) fn new(generation: i64, accepted: &Accepted) -> Self {
        let Accepted { spec, policy, target, sets, spelling, compiled, digest } = accepted.clone();
        Self { generation, spec, policy, target, sets, spelling, compiled, digest }
    }

    /// The same, kept once where that is what the object says too.
    pub(super) fn shared(self, accepted: Option<&Accepted>) -> Self {
        let same = accepted.map(|accepted| Self::new(self.generation, accepted));
        same.filter(|same| *same == self).unwrap_or(self)
    }
}

/// A policy follows from its spec, and need not be compared where the spec is the same.
impl PartialEq for PolicyInForce {
    fn eq(&self, other: &Self) -> bool {
        let Self { generation, spec, policy, target: _, sets: _, spelling: _, compiled: _, digest } =
            self;
        let same_policy = Arc::ptr_eq(policy, &other.policy) || policy == &other.policy;
        let same_spec = *spec == other.spec;
        *generation == other.generation && *digest == other.digest && same_spec && same_policy
    }
}
