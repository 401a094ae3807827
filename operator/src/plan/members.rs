//! Members: the policies of one attachment, each narrowed to its part of the proxies, and what they make together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_policy::draft::Mode;
use corsward_policy::finding::RuleReason;
use corsward_policy::precedence::{Precedence, completes, has_rules_alone, switches_off};
use corsward_policy::{Finding, Policy, PolicyId, Workload, compile, compile_for, wire};

use super::are_apart;
use super::fit::{hold, large};
use crate::attachment::{Attachment, AttachmentKey};
use crate::index::InForce;
use crate::surroundings::Labels;
use crate::targets::{Place, Proxies, includes};

/// A policy in an attachment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    id: PolicyId,
    pub(super) in_force: InForce,
    /// The proxies it is for; empty: all of the attachment.
    workloads: Vec<Workload>,
    /// It is in no proxy's way: its mode or its place is `Off`.
    off: bool,
}

/// An attachment, and how it was made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    // INVARIANT: everything below is derived from it.
    pub(super) members: Vec<Member>,
    pub(super) attachment: Arc<Attachment>,
    /// Who wins in whose place.
    pub(super) overridden: BTreeMap<PolicyId, PolicyId>,
    /// Whose rules keep another policy from the paths beside them.
    pub(super) switching_off: BTreeMap<PolicyId, Finding>,
    /// What to say to whom about its size.
    pub(super) large: BTreeMap<PolicyId, Finding>,
    /// Why it must not be published.
    pub(super) held: Option<String>,
}

/// The policy as a member of the attachment; `None` where it is for none of its proxies.
pub(super) fn narrow(
    key: &AttachmentKey,
    id: &PolicyId,
    in_force: &InForce,
    places: &[Place],
    off: bool,
) -> Option<Member> {
    let mut workloads = BTreeSet::new();
    let mut is_meant = false;
    for place in places {
        let Some(labels) = rest(key, &place.proxies) else { continue };
        is_meant = true;
        match &place.ports {
            None => drop(workloads.insert((labels, None))),
            Some(ports) => {
                workloads.extend(ports.iter().map(|port| (labels.clone(), Some(*port))));
            }
        }
    }
    // A port by name that no pod has yet: the shape is declared, and nobody is meant.
    let nobody = workloads.is_empty();
    if workloads.contains(&(Labels::new(), None)) {
        workloads.clear();
    }
    let workloads = workloads.into_iter().map(|(labels, port)| Workload { labels, port }).collect();
    let off = off || nobody || in_force.policy.mode() == Mode::Off;
    is_meant.then(|| Member { id: id.clone(), in_force: in_force.clone(), workloads, off })
}

/// The labels that proxies of an attachment must have beyond its own, to be among these; `None` where none can be.
fn rest(key: &AttachmentKey, proxies: &Proxies) -> Option<Labels> {
    match (key, proxies) {
        (AttachmentKey::Folder, _) => Some(Labels::new()),
        (AttachmentKey::Gateway { name, .. }, Proxies::Gateway(gateway)) => {
            (name == gateway).then(Labels::new)
        }
        (AttachmentKey::Workloads { labels: common, .. }, Proxies::Workloads(labels)) => {
            let rest = labels.iter().filter(|(name, _)| !common.contains_key(*name));
            let rest = rest.map(|(name, value)| (name.clone(), value.clone()));
            (!are_apart(common, labels)).then(|| rest.collect())
        }
        (AttachmentKey::Gateway { .. }, Proxies::Workloads(_))
        | (AttachmentKey::Workloads { .. }, Proxies::Gateway(_)) => None,
    }
}

// === impl Made ===

impl Made {
    pub(super) fn new(key: AttachmentKey, members: Vec<Member>) -> Self {
        let on: Vec<&Member> = members.iter().filter(|member| !member.off).collect();
        let policies: Vec<(&Policy, &[Workload])> =
            on.iter().map(|member| (&*member.in_force.policy, &*member.workloads)).collect();
        let compiled = wire::encode(&compile_for(&policies));
        let attachment = Attachment::new(key, compiled);
        let policies: Vec<&Policy> = policies.iter().map(|(policy, _)| *policy).collect();
        let held = hold(&attachment, &policies);
        let large = large(&attachment, &policies);
        let (overridden, switching_off) = (overridden(&on), switching_off(&on));
        let attachment = Arc::new(attachment);
        Self { members, attachment, overridden, switching_off, large, held }
    }

    /// Is that policy in it?
    pub(super) fn holds(&self, id: &PolicyId) -> bool {
        self.members.iter().any(|member| member.id == *id)
    }
}

/// The policies that win nowhere, each with one that wins in its place. Only a policy that is wherever another one is can win
/// everywhere over it.
fn overridden(members: &[&Member]) -> BTreeMap<PolicyId, PolicyId> {
    let classes: BTreeSet<&[Workload]> = members.iter().map(|member| &*member.workloads).collect();
    let mut overridden = BTreeMap::new();
    for class in classes {
        let covering = members.iter().filter(|member| covers(&member.workloads, class));
        let policies: Vec<&Policy> = covering.map(|member| &*member.in_force.policy).collect();
        let of_class = |id: &PolicyId| {
            members.iter().any(|member| member.id == *id && *member.workloads == *class)
        };
        let losers = compile(&policies).overridden().into_iter();
        overridden.extend(losers.filter(|(id, _)| of_class(id)));
    }
    overridden
}

/// The policies whose rules keep another one from the paths beside them, and what to say about it.
fn switching_off(members: &[&Member]) -> BTreeMap<PolicyId, Finding> {
    let policy = |member: &Member| Arc::clone(&member.in_force.policy);
    let alone = members.iter().filter(|member| has_rules_alone(&policy(member)));
    let of_one = |one: &Member| {
        let rules = policy(one);
        let others = || members.iter().filter(|other| other.id != one.id);
        let is_complete = |other: &Member| {
            completes(&policy(other), &rules) && covers(&other.workloads, &one.workloads)
        };
        if others().any(|other| is_complete(other)) {
            return None;
        }
        let meets = |other: &Member| {
            let (mine, theirs) = (&*one.workloads, &*other.workloads);
            covers(theirs, mine) || covers(mine, theirs)
        };
        let found = others()
            .filter(|other| meets(other))
            .find_map(|other| Some((other, switches_off(&rules, &policy(other))?)));
        let (other, why) = found?;
        let other = other.id.to_string();
        let by_target = why == Precedence::CloserTarget;
        let reason = RuleReason::SwitchesOff { other, by_target };
        Some((one.id.clone(), Finding::new("spec.rules", reason)))
    };
    alone.filter_map(|one| of_one(one)).collect()
}

/// Is every proxy of `narrow` one of `wide`?
fn covers(wide: &[Workload], narrow: &[Workload]) -> bool {
    let is_within = |one: &Workload| {
        wide.iter().any(|other| {
            includes(&one.labels, &other.labels) && (other.port.is_none() || other.port == one.port)
        })
    };
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(is_within))
}
