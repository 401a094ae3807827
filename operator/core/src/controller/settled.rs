//! Settled: the policies whose status the API server shows as it should be, so that it is not made and compared again as long as
//! nothing is new.

use std::collections::BTreeMap;

use corsward_policy::PolicyId;

use crate::json_text::JsonText;
use crate::status::{self, Status};

/// For each settled policy the status that the API server shows.
#[derive(Debug, Default)]
pub(super) struct Settled(BTreeMap<PolicyId, JsonText>);

// === impl Settled ===

impl Settled {
    /// Is there nothing to write of `status`? The policy is settled at the text that is observed, and `previous`, the statuses of its
    /// part before, sorted by policy, say the same of it.
    pub(super) fn holds(&self, status: &Status, previous: &[Status], observed: &JsonText) -> bool {
        status::find(previous, &status.policy) == Some(status)
            && self.0.get(&status.policy) == Some(observed)
    }

    /// Takes in what the API server shows of a settled policy.
    pub(super) fn insert(&mut self, id: &PolicyId, observed: &JsonText) {
        if let Some(known) = self.0.get_mut(id) {
            known.clone_from(observed);
        } else {
            self.0.insert(id.clone(), observed.clone());
        }
    }

    /// Something is on its way to the API server.
    pub(super) fn remove(&mut self, id: &PolicyId) {
        self.0.remove(id);
    }

    /// Forgets the policies of a namespace that are not among `statuses`, which are sorted by policy.
    pub(super) fn retain(&mut self, namespace: &str, statuses: &[Status]) {
        let first = PolicyId { namespace: namespace.to_owned(), name: String::new() };
        let known = self.0.range(first..).map(|(id, _)| id);
        let known = known.take_while(|id| id.namespace == namespace);
        let gone: Vec<PolicyId> =
            known.filter(|id| status::find(statuses, id).is_none()).cloned().collect();
        for id in &gone {
            self.0.remove(id);
        }
    }

    /// Forgets every policy.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
