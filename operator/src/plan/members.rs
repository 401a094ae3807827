//! Members: the policies of one bundle, each narrowed to its part of the proxies, and what they make together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_policy::draft::Mode;
use corsward_policy::finding::RuleReason;
use corsward_policy::precedence::{Precedence, completes, has_rules_alone, switches_off};
use corsward_policy::{Finding, Policy, PolicyId, Workload, compile, compile_for, wire};

use super::are_apart;
use crate::bundle::{Bundle, BundleKey};
use crate::cluster_state::Labels;
use crate::index::PolicyInForce;
use crate::size_limit::{hold, large};
use crate::targets::{ProxySet, TargetProxies, includes};

/// A policy in a bundle.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BundlePolicy {
    id: PolicyId,
    pub(super) in_force: PolicyInForce,
    /// The proxies it is for; empty: all of the bundle.
    workloads: Vec<Workload>,
    /// It is in no proxy's way: its mode or its place is `Off`.
    off: bool,
}

/// A bundle, and how it was made.
#[derive(Clone, Debug)]
pub(super) struct BuiltBundle {
    // INVARIANT: everything below is derived from it.
    pub(super) members: Vec<BundlePolicy>,
    pub(super) bundle: Arc<Bundle>,
    /// Who wins in whose place.
    pub(super) overridden: BTreeMap<PolicyId, PolicyId>,
    /// Whose rules keep another policy from the paths beside them.
    pub(super) switching_off: BTreeMap<PolicyId, Finding>,
    /// What to say to whom about its size.
    pub(super) large: BTreeMap<PolicyId, Finding>,
    /// Why it must not be published.
    pub(super) held: Option<String>,
}

/// The policy as a member of the bundle; `None` where it is for none of its proxies.
pub(super) fn narrow(
    key: &BundleKey,
    id: &PolicyId,
    in_force: &PolicyInForce,
    places: &[ProxySet],
    off: bool,
) -> Option<BundlePolicy> {
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
    is_meant.then(|| BundlePolicy { id: id.clone(), in_force: in_force.clone(), workloads, off })
}

/// The labels that proxies of a bundle must have beyond its own, to be among these; `None` where none can be.
fn rest(key: &BundleKey, proxies: &TargetProxies) -> Option<Labels> {
    match (key, proxies) {
        (BundleKey::Folder, _) => Some(Labels::new()),
        (BundleKey::Gateway { name, .. }, TargetProxies::Gateway(gateway)) => {
            (name == gateway).then(Labels::new)
        }
        (BundleKey::Workloads { labels: common, .. }, TargetProxies::Workloads(labels)) => {
            let rest = labels.iter().filter(|(name, _)| !common.contains_key(*name));
            let rest = rest.map(|(name, value)| (name.clone(), value.clone()));
            (!are_apart(common, labels)).then(|| rest.collect())
        }
        (BundleKey::Gateway { .. }, TargetProxies::Workloads(_))
        | (BundleKey::Workloads { .. }, TargetProxies::Gateway(_)) => None,
    }
}

// === impl BuiltBundle ===

impl BuiltBundle {
    pub(super) fn new(key: BundleKey, members: Vec<BundlePolicy>) -> Self {
        let on: Vec<&BundlePolicy> = members.iter().filter(|member| !member.off).collect();
        let policies: Vec<(&Policy, &[Workload])> =
            on.iter().map(|member| (&*member.in_force.policy, &*member.workloads)).collect();
        let compiled = wire::encode(&compile_for(&policies));
        let bundle = Bundle::new(key, compiled);
        let policies: Vec<&Policy> = policies.iter().map(|(policy, _)| *policy).collect();
        let held = hold(&bundle, &policies);
        let large = large(&bundle, &policies);
        let (overridden, switching_off) = (overridden(&on), switching_off(&on));
        let bundle = Arc::new(bundle);
        Self { members, bundle, overridden, switching_off, large, held }
    }

    /// Is that policy in it?
    pub(super) fn holds(&self, id: &PolicyId) -> bool {
        self.members.iter().any(|member| member.id == *id)
    }
}

/// The policies that win nowhere, each with one that wins in its place. Only a policy that is wherever another one is can win
/// everywhere over it.
fn overridden(members: &[&BundlePolicy]) -> BTreeMap<PolicyId, PolicyId> {
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
fn switching_off(members: &[&BundlePolicy]) -> BTreeMap<PolicyId, Finding> {
    let policy = |member: &BundlePolicy| Arc::clone(&member.in_force.policy);
    let alone = members.iter().filter(|member| has_rules_alone(&policy(member)));
    let of_one = |one: &BundlePolicy| {
        let rules = policy(one);
        let others = || members.iter().filter(|other| other.id != one.id);
        let is_complete = |other: &BundlePolicy| {
            completes(&policy(other), &rules) && covers(&other.workloads, &one.workloads)
        };
        if others().any(|other| is_complete(other)) {
            return None;
        }
        let meets = |other: &BundlePolicy| {
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
