//! Admission: the changes that take effect if all of them together are too large for a proxy. Each is checked by itself, so that none
//! waits for one that does not fit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use corsward_policy::PolicyId;

use super::{Planned, ScopePlan};
use crate::bundle::{BundleKey, MAX_LEN};
use crate::index::Index;

/// Most plans that are tried. Each is made of up to a whole namespace.
const MAX_TRIALS: usize = 96;

/// A policy that would change what proxies run.
#[derive(Clone, Debug)]
struct PolicyChange<'w> {
    id: &'w PolicyId,
    keys: &'w [BundleKey],
    /// By how much its spec is longer than the one in force.
    growth: usize,
}

/// The changes that fit.
struct SizeAdmission<'w, W> {
    with: W,
    /// The bundles that cannot be published even without a change: no change makes that worse.
    held_anyway: BTreeSet<BundleKey>,
    admitted: BTreeSet<PolicyId>,
    plan: ScopePlan,
    /// The least growth that was too much for these bundles: what grows as much need not be tried.
    too_long: BTreeMap<&'w [BundleKey], usize>,
    trials: usize,
}

/// The plan with as many of the changes in `wanted` as can be published. `with` plans those of some policies.
pub(super) fn admit<W: Fn(&BTreeSet<PolicyId>) -> ScopePlan>(
    index: &Index,
    wanted: &ScopePlan,
    with: W,
) -> ScopePlan {
    let plan = with(&BTreeSet::new());
    let changes = changes(index, wanted, &plan);
    let held_anyway = plan.held_keys().cloned().collect();
    let (admitted, too_long, trials) = (BTreeSet::new(), BTreeMap::new(), MAX_TRIALS);
    let mut admission = SizeAdmission { with, held_anyway, admitted, plan, too_long, trials };
    let is_held: BTreeSet<&BundleKey> = wanted.held_keys().collect();
    let (others, unconcerned): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| change.keys.iter().any(|key| is_held.contains(key)));
    // What is for other proxies goes first, all at once.
    admission.admit(&unconcerned);
    admission.admit(&others);
    admission.plan
}

/// The changes in the order in which they are tried: of what is in force the edits, those that shorten first, then the policies that are
/// new, as they came.
fn changes<'w>(index: &Index, wanted: &'w ScopePlan, plan: &ScopePlan) -> Vec<PolicyChange<'w>> {
    let is_change = |(id, planned): &(&PolicyId, &Planned)| {
        plan.policies.get(*id).is_none_or(|before| before.in_force != planned.in_force)
    };
    let len = |planned: &Planned| {
        planned.in_force.as_ref().map_or(0, |in_force| in_force.spec.text_len())
    };
    let mut changes: Vec<_> = wanted
        .policies
        .iter()
        .filter(is_change)
        .map(|(id, planned)| {
            let entry = index.entries().get(id);
            let before = entry.and_then(|entry| entry.in_force.as_ref());
            let shortened =
                before.map(|before| before.spec.text_len().saturating_sub(len(planned)));
            let created = entry.and_then(|entry| entry.object.created());
            let order = (before.is_none(), Reverse(shortened), created, id);
            let before = before.map_or(0, |before| before.spec.text_len());
            let growth = len(planned).saturating_sub(before);
            (order, PolicyChange { id, keys: &planned.keys, growth })
        })
        .collect();
    changes.sort_by_key(|(order, _)| *order);
    changes.into_iter().map(|(_, change)| change).collect()
}

// === impl SizeAdmission ===

impl<'w, W: Fn(&BTreeSet<PolicyId>) -> ScopePlan> SizeAdmission<'w, W> {
    /// Admits as many of these as fit: all, or else of each half as many as fit.
    fn admit(&mut self, changes: &[PolicyChange<'w>]) {
        let may_fit = |change: &&PolicyChange<'w>| {
            self.too_long.get(change.keys).is_none_or(|too_long| change.growth < *too_long)
        };
        let changes: Vec<PolicyChange<'w>> = changes.iter().filter(may_fit).cloned().collect();
        if changes.is_empty() || self.trials == 0 {
            return;
        }
        self.trials = self.trials.saturating_sub(1);
        let mut admitted = self.admitted.clone();
        admitted.extend(changes.iter().map(|change| change.id.clone()));
        let plan = (self.with)(&admitted);
        if plan.held_keys().all(|key| self.held_anyway.contains(key)) {
            (self.admitted, self.plan) = (admitted, plan);
            return;
        }
        if let [only] = changes.as_slice() {
            let lens = plan.held_keys().filter_map(|key| plan.made.get(key));
            if lens.map(|made| made.bundle.compiled.len()).any(|len| len > MAX_LEN) {
                self.too_long.insert(only.keys, only.growth);
            }
            return;
        }
        let (first, second) = changes.split_at(changes.len() / 2);
        self.admit(first);
        self.admit(second);
    }
}
