//! Tracker: the proxies as the loop knows them: what each policy's proxies were told to run, and what they said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bundle::{BundleKey, Desired, PublishStatus};
use crate::capabilities::ProxyPods;
use crate::event::RolloutUpdate;
use crate::index::{Index, Scope};
use crate::plan::{Planned, ScopePlan};
use crate::rollout::expected::{Expected, Placed};
use crate::rollout_counts::Rollout;
use crate::targets::ProxySet;
use corsward_policy::PolicyId;

/// A command to the poller.
#[derive(Clone, Debug)]
pub enum PollerCommand {
    /// The expected state of a namespace's workloads.
    Assign(String, Arc<Expected>),
    /// A different replica polls now.
    Rest,
}

/// The proxies as the controller knows them.
#[derive(Debug)]
pub struct Tracker {
    pods: ProxyPods,
    policies: BTreeMap<PolicyId, PolicyRevision>,
    rollouts: BTreeMap<PolicyId, Rollout>,
    /// The last assignments, by namespace.
    expected: BTreeMap<String, Arc<Expected>>,
    last_revision: u64,
}

/// The revision of a policy that its proxies run, and their places. Other changes of a policy do not start a new revision.
#[derive(Debug)]
struct PolicyRevision {
    revision: u64,
    digest: Arc<str>,
    places: Vec<ProxySet>,
    off: bool,
}

// === impl Tracker ===

impl Tracker {
    /// A tracker of the proxies in `pods`.
    pub(crate) fn new(pods: ProxyPods) -> Self {
        Self {
            pods,
            policies: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            expected: BTreeMap::new(),
            last_revision: 0,
        }
    }

    /// Stops all polls, and drops all reports.
    pub(crate) fn rest(&mut self) -> PollerCommand {
        self.policies.clear();
        self.rollouts.clear();
        self.expected.clear();
        PollerCommand::Rest
    }

    /// Takes in what the workloads of a part should run; a command if that is new. `is_pending`: is a newer configuration on its way that holds the policy?
    pub(crate) fn assign(
        &mut self,
        scope: &Scope,
        index: &Index,
        plan: &ScopePlan,
        published: (Option<&BTreeMap<BundleKey, PublishStatus>>, &Desired),
        is_pending: impl Fn(&Planned) -> bool,
    ) -> Option<PollerCommand> {
        let namespace = scope.namespace()?;
        let off = index.why_off(scope).is_some();
        let gone = self.ids(namespace, |id| !plan.policies.contains_key(id));
        for id in &gone {
            self.forget(id);
        }
        let mut placed = Vec::new();
        for (id, planned) in &plan.policies {
            let in_force = index.entries().get(id).and_then(|entry| entry.in_force.as_ref());
            let digest = in_force.filter(|_| planned.in_force.is_some()).map(|known| &known.digest);
            let Some(digest) = digest else {
                self.forget(id);
                continue;
            };
            let pending = is_pending(planned);
            let revision = if pending {
                // What it will be counts from when it is there.
                self.policies.get(id).map(|version| version.revision)
            } else {
                Some(self.revision(id, digest, &planned.placement.places, off))
            };
            placed.extend(revision.map(|revision| Placed { id, planned, revision, pending }));
        }
        let (publish_statuses, desired) = published;
        let nothing = BTreeMap::new();
        let publish_statuses = publish_statuses.unwrap_or(&nothing);
        let placed = placed.into_iter();
        let expected =
            Expected::of(namespace, self.pods, index, plan, publish_statuses, desired, placed);
        self.expect(namespace, expected)
    }

    /// The version of a policy that is published now.
    fn revision(
        &mut self,
        id: &PolicyId,
        digest: &Arc<str>,
        places: &[ProxySet],
        off: bool,
    ) -> u64 {
        if let Some(known) = self.policies.get(id)
            && (&known.digest, &*known.places, known.off) == (digest, places, off)
        {
            return known.revision;
        }
        self.last_revision = self.last_revision.saturating_add(1);
        let (revision, digest, places) = (self.last_revision, Arc::clone(digest), places.to_vec());
        self.policies.insert(id.clone(), PolicyRevision { revision, digest, places, off });
        self.rollouts.remove(id);
        revision
    }

    fn expect(&mut self, namespace: &str, expected: Expected) -> Option<PollerCommand> {
        let known = self.expected.get(namespace);
        if known.map_or(expected.shares.is_empty(), |known| **known == expected) {
            return None;
        }
        let expected = Arc::new(expected);
        if expected.shares.is_empty() {
            self.expected.remove(namespace);
        } else {
            self.expected.insert(namespace.to_owned(), Arc::clone(&expected));
        }
        Some(PollerCommand::Assign(namespace.to_owned(), expected))
    }

    fn ids(&self, namespace: &str, is_meant: impl Fn(&PolicyId) -> bool) -> Vec<PolicyId> {
        let first = PolicyId { namespace: namespace.to_owned(), name: String::new() };
        let all = self.policies.range(first..).map(|(id, _)| id);
        let all = all.take_while(|id| id.namespace == namespace);
        all.filter(|id| is_meant(id)).cloned().collect()
    }

    fn forget(&mut self, id: &PolicyId) {
        self.policies.remove(id);
        self.rollouts.remove(id);
    }

    /// Takes in how policies stand, and says in which parts.
    pub(crate) fn record_rollouts(&mut self, updates: Vec<RolloutUpdate>) -> BTreeSet<Scope> {
        let mut scopes = BTreeSet::new();
        for RolloutUpdate { policy, revision, rollout } in updates {
            // Of another version nothing follows for this one.
            if self.policies.get(&policy).is_some_and(|version| version.revision == revision) {
                scopes.insert(Scope::Namespace(policy.namespace.clone()));
                self.rollouts.insert(policy, rollout);
            }
        }
        scopes
    }

    /// The rollout of a policy, if its workloads have reported.
    pub(crate) fn rollout(&self, id: &PolicyId) -> Option<&Rollout> {
        self.rollouts.get(id)
    }
}
