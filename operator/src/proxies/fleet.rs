//! Fleet: the proxies as the loop knows them: what each policy's proxies were told to run, and what they said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_policy::PolicyId;
use tokio::sync::mpsc;

use crate::attachment::{AttachmentKey, Desired, Sighting};
use crate::index::{Index, Scope};
use crate::plan::{Planned, ScopePlan};
use crate::proxies::Told;
use crate::proxies::assignment::{Assignment, Placed};
use crate::proxies::standing::Standing;
use crate::targets::Place;

/// What the task that asks proxies is told.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// What the workloads of a namespace should run.
    Assign(String, Arc<Assignment>),
    /// Another replica asks now.
    Rest,
}

/// The proxies as the loop knows them.
#[derive(Debug)]
pub(crate) struct Fleet {
    orders: mpsc::UnboundedSender<Order>,
    versions: BTreeMap<PolicyId, Version>,
    standings: BTreeMap<PolicyId, Standing>,
    /// What was ordered last, by namespace.
    assignments: BTreeMap<String, Arc<Assignment>>,
    epochs: u64,
}

/// What proxies run of a policy, and where. A change of anything else about it is none to them.
#[derive(Debug)]
struct Version {
    epoch: u64,
    digest: Arc<str>,
    places: Vec<Place>,
    off: bool,
}

// === impl Fleet ===

impl Fleet {
    pub(crate) fn new(orders: mpsc::UnboundedSender<Order>) -> Self {
        let (versions, standings, assignments, epochs) = Default::default();
        Self { orders, versions, standings, assignments, epochs }
    }

    /// Nobody is asked any more, and what was said is forgotten.
    pub(crate) fn rest(&mut self) {
        self.versions.clear();
        self.standings.clear();
        self.assignments.clear();
        // Nobody listens any more where the process ends.
        let _ = self.orders.send(Order::Rest);
    }

    /// Takes in what the workloads of a part should run. `is_pending`: is a newer configuration on its way that holds the policy?
    pub(crate) fn assign(
        &mut self,
        scope: &Scope,
        index: &Index,
        plan: &ScopePlan,
        published: (Option<&BTreeMap<AttachmentKey, Sighting>>, &Desired),
        is_pending: impl Fn(&Planned) -> bool,
    ) {
        let Some(namespace) = scope.namespace() else { return };
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
            let epoch = if pending {
                // What it will be counts from when it is there.
                self.versions.get(id).map(|version| version.epoch)
            } else {
                Some(self.epoch(id, digest, &planned.placement.places, off))
            };
            placed.extend(epoch.map(|epoch| Placed { id, planned, epoch, pending }));
        }
        let (sightings, desired) = published;
        let nothing = BTreeMap::new();
        let sightings = sightings.unwrap_or(&nothing);
        let surroundings = index.surroundings();
        let placed = placed.into_iter();
        let traffic = index.traffic(namespace);
        let assignment =
            Assignment::of(namespace, plan, sightings, desired, surroundings, &traffic, placed);
        self.order(namespace, assignment);
    }

    /// The version of a policy that is published now.
    fn epoch(&mut self, id: &PolicyId, digest: &Arc<str>, places: &[Place], off: bool) -> u64 {
        if let Some(known) = self.versions.get(id)
            && (&known.digest, &*known.places, known.off) == (digest, places, off)
        {
            return known.epoch;
        }
        self.epochs = self.epochs.saturating_add(1);
        let (epoch, digest, places) = (self.epochs, Arc::clone(digest), places.to_vec());
        self.versions.insert(id.clone(), Version { epoch, digest, places, off });
        self.standings.remove(id);
        epoch
    }

    fn order(&mut self, namespace: &str, assignment: Assignment) {
        let known = self.assignments.get(namespace);
        if known.map_or(assignment.shares.is_empty(), |known| **known == assignment) {
            return;
        }
        let assignment = Arc::new(assignment);
        if assignment.shares.is_empty() {
            self.assignments.remove(namespace);
        } else {
            self.assignments.insert(namespace.to_owned(), Arc::clone(&assignment));
        }
        let _ = self.orders.send(Order::Assign(namespace.to_owned(), assignment));
    }

    fn ids(&self, namespace: &str, is_meant: impl Fn(&PolicyId) -> bool) -> Vec<PolicyId> {
        let first = PolicyId { namespace: namespace.to_owned(), name: String::new() };
        let all = self.versions.range(first..).map(|(id, _)| id);
        let all = all.take_while(|id| id.namespace == namespace);
        all.filter(|id| is_meant(id)).cloned().collect()
    }

    fn forget(&mut self, id: &PolicyId) {
        self.versions.remove(id);
        self.standings.remove(id);
    }

    /// Takes in how policies stand, and says in which parts.
    pub(crate) fn stand(&mut self, told: Vec<Told>) -> BTreeSet<Scope> {
        let mut scopes = BTreeSet::new();
        for Told { policy, epoch, standing } in told {
            // Of another version nothing follows for this one.
            if self.versions.get(&policy).is_some_and(|version| version.epoch == epoch) {
                scopes.insert(Scope::Namespace(policy.namespace.clone()));
                self.standings.insert(policy, standing);
            }
        }
        scopes
    }

    /// How the workloads of a policy stand, where they have said it.
    pub(crate) fn standing(&self, id: &PolicyId) -> Option<&Standing> {
        self.standings.get(id)
    }
}
