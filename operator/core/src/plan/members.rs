//! Members: the policies of one bundle, each narrowed to its part of the proxies, and what they make together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_policy::draft::Mode;
use corsward_policy::precedence::{Precedence, Rivals, has_rules_alone};
use corsward_policy::{Finding, Policy, PolicyId, Workload, compile, compile_for, wire};

use super::are_apart;
use super::classes::{Class, Classes};
use crate::bundle::{Bundle, BundleKey};
use crate::cluster_state::Labels;
use crate::finding::PlacementReason;
use crate::index::PolicyInForce;
use crate::size_limit::{hold, large};
use crate::targets::{ProxySet, TargetProxies};

/// A policy in a bundle.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BundlePolicy {
    pub(super) id: PolicyId,
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
    /// The winner over each overridden policy.
    pub(super) overridden: BTreeMap<PolicyId, PolicyId>,
    /// The policies whose rules keep a second policy from the paths beside them.
    pub(super) switching_off: BTreeMap<PolicyId, Finding>,
    /// The findings about large policies.
    pub(super) large: BTreeMap<PolicyId, Finding>,
    /// The reason why the bundle must not be published.
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
        (BundleKey::All, _) => Some(Labels::new()),
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
        let bundle = match on.as_slice() {
            // Its policy alone, and for all of its proxies.
            [BundlePolicy { in_force, workloads, .. }] if workloads.is_empty() => {
                let (compiled, digest) =
                    (Arc::clone(&in_force.compiled), in_force.digest.to_string());
                Bundle { key, compiled, digest }
            }
            _ => Bundle::new(key, wire::encode(&compile_for(&policies))),
        };
        let policies: Vec<&Policy> = policies.iter().map(|(policy, _)| *policy).collect();
        let held = hold(&bundle, &policies);
        let large = large(&bundle, &policies);
        let (mut overridden, mut switching_off) = Default::default();
        // A policy alone has no rival.
        if on.len() > 1 {
            let classes = Classes::of(on.iter().map(|member| &*member.workloads));
            overridden = self::overridden(&on, &classes);
            switching_off = self::switching_off(&on, &classes);
        }
        let bundle = Arc::new(bundle);
        Self { members, bundle, overridden, switching_off, large, held }
    }
}

/// The policies that win nowhere, each with a winner. Only a policy with all proxies of a second one can win over it
/// everywhere.
fn overridden(members: &[&BundlePolicy], classes: &Classes<'_>) -> BTreeMap<PolicyId, PolicyId> {
    let mut overridden = BTreeMap::new();
    for class in &classes.all {
        let mut covering: Vec<usize> = classes.members(&class.wider).collect();
        covering.sort_unstable();
        let member = |at: &usize| members.get(*at).copied();
        let policies: Vec<&Policy> =
            covering.iter().filter_map(member).map(|member| &*member.in_force.policy).collect();
        let own: BTreeSet<&PolicyId> =
            class.members.iter().filter_map(member).map(|member| &member.id).collect();
        let losers = compile(&policies).overridden().into_iter();
        overridden.extend(losers.filter(|(id, _)| own.contains(id)));
    }
    overridden
}

/// The policies whose rules keep a second one from the paths beside them, each with its finding.
fn switching_off(members: &[&BundlePolicy], classes: &Classes<'_>) -> BTreeMap<PolicyId, Finding> {
    let rivals = |class: &Class<'_>| {
        let own = class.members.iter().filter_map(|at| members.get(*at));
        Rivals::new(own.map(|member| &*member.in_force.policy))
    };
    let rivals: Vec<Rivals<'_>> = classes.all.iter().map(rivals).collect();
    let everyone = Rivals::new(members.iter().map(|member| &*member.in_force.policy));
    let of_one = |class: &Class<'_>, one: &BundlePolicy| {
        let rules = &*one.in_force.policy;
        let is_completed = class
            .wider
            .iter()
            .filter_map(|at| rivals.get(*at))
            .any(|rivals| rivals.completing(rules).next().is_some());
        if is_completed {
            return None;
        }
        let first = if class.is_everywhere() {
            everyone.first_switched_off(rules, |_| true)
        } else {
            first_that_meets(class, classes, &rivals, rules)
        };
        let (other, why) = first?;
        let other = members.get(other)?.id.to_string();
        let by_target = why == Precedence::CloserTarget;
        let reason = PlacementReason::SwitchesOff { other, by_target };
        Some((one.id.clone(), Finding::new("spec.rules", reason)))
    };
    let alone = classes.all.iter().flat_map(|class| {
        let own = class.members.iter().filter_map(|at| members.get(*at).copied());
        own.filter(|one| has_rules_alone(&one.in_force.policy)).map(move |one| (class, one))
    });
    alone.filter_map(|(class, one)| of_one(class, one)).collect()
}

/// The first member that the rules of a member of `class` keep from paths, among those with proxies of that class.
fn first_that_meets(
    class: &Class<'_>,
    classes: &Classes<'_>,
    rivals: &[Rivals<'_>],
    rules: &Policy,
) -> Option<(usize, Precedence)> {
    let mut first: Option<(usize, Precedence)> = None;
    for at in class.wider.iter().chain(&class.narrower) {
        let (Some(rivals), Some(other)) = (rivals.get(*at), classes.all.get(*at)) else {
            continue;
        };
        let place = |within: usize| other.members.get(within).copied();
        let is_before = |within| {
            first.is_none_or(|(known, _)| place(within).is_some_and(|place| place < known))
        };
        if let Some((within, why)) = rivals.first_switched_off(rules, is_before) {
            first = place(within).map(|place| (place, why));
        }
    }
    first
}
