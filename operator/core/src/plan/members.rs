//! Members: the policies that share a bundle, by the labels that they declare and never by the pods that live; each narrowed to its part
//! of the proxies, and what they make together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_policy::draft::Mode;
use corsward_policy::precedence::{Precedence, Rivals, has_rules_alone};
use corsward_policy::wire::{self, Encoded};
use corsward_policy::{Finding, Policy, PolicyId, Workload, compile};

use crate::bundle::{Bundle, BundleKey, hold, large};
use crate::cluster_state::Labels;
use crate::finding::PlacementReason;
use crate::index::PolicyInForce;
use crate::targets::{ProxySet, TargetProxies, includes};

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
    pub(super) members: Box<[BundlePolicy]>,
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

/// The members of a bundle by their workloads.
#[derive(Debug)]
struct Classes<'m> {
    all: Vec<Class<'m>>,
}

/// Members that are for the same workloads.
#[derive(Debug)]
struct Class<'m> {
    /// Empty: every proxy of the bundle.
    workloads: &'m [Workload],
    /// The members, in ascending order.
    members: Vec<usize>,
    /// The classes whose proxies are all of these and perhaps more: this one among them.
    wider: Vec<usize>,
    /// The other classes whose proxies are some of these.
    narrower: Vec<usize>,
}

/// A label and its value.
type Label<'m> = (&'m String, &'m String);

/// Do two selectors ask different values of one label, so that no pod can have both?
fn are_apart(a: &Labels, b: &Labels) -> bool {
    a.iter().any(|(name, value)| b.get(name).is_some_and(|other| other != value))
}

/// The selectors of the bundles that these selectors need: no two of them can meet in one pod, and each of `selectors`
/// narrows exactly one of them. Sorted.
pub(super) fn group<'l>(selectors: impl IntoIterator<Item = &'l Arc<Labels>>) -> Vec<Arc<Labels>> {
    let mut groups: Vec<Arc<Labels>> = Vec::new();
    for selector in selectors {
        let mut common = Arc::clone(selector);
        // What has less in common may meet groups that it was apart from before.
        while let Some(at) = groups.iter().position(|group| !are_apart(group, &common)) {
            let other = groups.swap_remove(at);
            if *common != *other {
                Arc::make_mut(&mut common).retain(|name, value| other.get(name) == Some(value));
            }
        }
        groups.push(common);
    }
    groups.sort();
    groups
}

/// The policy as a member of the bundle; `None` where it is for none of its proxies.
pub(super) fn narrow(
    key: &BundleKey,
    id: &PolicyId,
    in_force: &PolicyInForce,
    places: &[ProxySet],
    off: bool,
) -> Option<BundlePolicy> {
    let meant = places.iter().filter_map(|place| Some((place, rest(key, &place.proxies)?)));
    let mut meant = meant.peekable();
    meant.peek()?;
    let mut workloads = BTreeSet::new();
    for (place, labels) in meant {
        match &place.ports {
            None => drop(workloads.insert((labels, None))),
            Some(ports) => {
                workloads.extend(ports.iter().map(|port| (labels.clone(), Some(*port))));
            }
        }
    }
    // A port by name that no pod has yet: the shape is declared, and no proxy is meant.
    let nobody = workloads.is_empty();
    if workloads.contains(&(Labels::new(), None)) {
        workloads.clear();
    }
    let workloads = workloads.into_iter().map(|(labels, port)| Workload { labels, port }).collect();
    let off = off || nobody || in_force.policy.mode() == Mode::Off;
    Some(BundlePolicy { id: id.clone(), in_force: in_force.clone(), workloads, off })
}

/// The labels that proxies of a bundle must have beyond its own, to be among these; `None` where none can be.
fn rest(key: &BundleKey, proxies: &TargetProxies) -> Option<Labels> {
    match (key.proxies(), proxies) {
        (None, _) => Some(Labels::new()),
        (Some(TargetProxies::Workloads(common)), TargetProxies::Workloads(labels)) => {
            let rest = labels.iter().filter(|(name, _)| !common.contains_key(*name));
            let rest = rest.map(|(name, value)| (name.clone(), value.clone()));
            (!are_apart(common, labels)).then(|| rest.collect())
        }
        (Some(own), gateway) => (own == gateway).then(Labels::new),
    }
}

// === impl BuiltBundle ===

impl BuiltBundle {
    pub(super) fn new(key: BundleKey, members: Box<[BundlePolicy]>) -> Self {
        let on: Vec<&BundlePolicy> = members.iter().filter(|member| !member.off).collect();
        let (bundle, refusal) = match on.as_slice() {
            // Its policy alone, and for all of its proxies.
            [BundlePolicy { in_force, workloads, .. }] if workloads.is_empty() => {
                let (compiled, digest) =
                    (Arc::clone(&in_force.compiled), Arc::clone(&in_force.digest));
                (Bundle { key, compiled, digest }, in_force.refusal.as_deref().cloned())
            }
            _ => {
                let policies = on.iter();
                let policies: Vec<(&Policy, &[Workload])> =
                    policies.map(|member| (&*member.in_force.policy, &*member.workloads)).collect();
                let Encoded { text, refusal } = wire::encode_for(&policies);
                (Bundle::new(key, text), refusal)
            }
        };
        let sized = on.iter().map(|member| (member.in_force.compiled.len(), &member.id));
        let sized: Vec<(usize, &PolicyId)> = sized.collect();
        let (held, large) = (hold(&bundle, refusal.as_ref(), &sized), large(&bundle, &sized));
        // A policy alone has no rival.
        let (overridden, switching_off) = if on.len() > 1 {
            let classes = Classes::of(on.iter().map(|member| &*member.workloads));
            (overridden(&on, &classes), switching_off(&on, &classes))
        } else {
            Default::default()
        };
        let bundle = Arc::new(bundle);
        Self { members, bundle, overridden, switching_off, large, held }
    }
}

// === impl Class ===

impl Class<'_> {
    /// Are they for every proxy of the bundle?
    fn is_everywhere(&self) -> bool {
        self.workloads.is_empty()
    }
}

// === impl Classes ===

impl<'m> Classes<'m> {
    /// The classes of members with those workloads.
    fn of(workloads: impl Iterator<Item = &'m [Workload]>) -> Self {
        let mut members: BTreeMap<&[Workload], Vec<usize>> = BTreeMap::new();
        for (at, workloads) in workloads.enumerate() {
            members.entry(workloads).or_default().push(at);
        }
        let class = |(workloads, members)| {
            let (wider, narrower) = (Vec::new(), Vec::new());
            Class { workloads, members, wider, narrower }
        };
        let mut classes = Self { all: members.into_iter().map(class).collect() };
        for (at, wider) in classes.wider().into_iter().enumerate() {
            for wide in wider.iter().filter(|wide| **wide != at) {
                if let Some(wide) = classes.all.get_mut(*wide) {
                    wide.narrower.push(at);
                }
            }
            if let Some(class) = classes.all.get_mut(at) {
                class.wider = wider;
            }
        }
        classes
    }

    /// The members of those classes.
    fn members<'c>(&'c self, of: &'c [usize]) -> impl Iterator<Item = usize> + 'c {
        of.iter().filter_map(|at| self.all.get(*at)).flat_map(|class| class.members.iter().copied())
    }

    /// For each class the classes that cover it. What covers a workload has none of its labels, or its rarest label is one of the
    /// workload's.
    fn wider(&self) -> Vec<Vec<usize>> {
        let workloads = || self.all.iter().flat_map(|class| class.workloads);
        let mut counts: BTreeMap<Label<'_>, usize> = BTreeMap::new();
        for label in workloads().flat_map(|workload| &workload.labels) {
            let count = counts.entry(label).or_default();
            *count = count.saturating_add(1);
        }
        let mut by_label: BTreeMap<Option<Label<'_>>, Vec<usize>> = BTreeMap::new();
        for (at, class) in self.all.iter().enumerate() {
            let rarest = |workload: &'m Workload| {
                workload.labels.iter().min_by_key(|label| counts.get(label).copied())
            };
            let mut keys: BTreeSet<Option<Label<'_>>> =
                class.workloads.iter().map(rarest).collect();
            if class.workloads.is_empty() {
                keys.insert(None);
            }
            for key in keys {
                by_label.entry(key).or_default().push(at);
            }
        }
        let of_one = |class: &Class<'m>| {
            let labels = class.workloads.first().into_iter().flat_map(|first| &first.labels);
            let keys = [None].into_iter().chain(labels.map(Some));
            let found = keys.filter_map(|key| by_label.get(&key)).flatten().copied();
            let is_wider = |at: &usize| {
                self.all.get(*at).is_some_and(|wide| covers(wide.workloads, class.workloads))
            };
            found.filter(is_wider).collect::<BTreeSet<usize>>().into_iter().collect()
        };
        self.all.iter().map(of_one).collect()
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

/// Is every proxy of `narrow` one of `wide`?
fn covers(wide: &[Workload], narrow: &[Workload]) -> bool {
    let is_within = |one: &Workload| {
        wide.iter().any(|other| {
            includes(&one.labels, &other.labels) && (other.port.is_none() || other.port == one.port)
        })
    };
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(is_within))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Arc<Labels> {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        Arc::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[track_caller]
    fn check(why: &str, selectors: &[&str], want: &[&str]) {
        let selectors: Vec<Arc<Labels>> = selectors.iter().map(|text| labels(text)).collect();
        let mut want: Vec<Arc<Labels>> = want.iter().map(|text| labels(text)).collect();
        want.sort();
        assert_eq!(group(&selectors), want, "{why}");
        assert_eq!(group(selectors.iter().rev()), want, "{why}, in another order");
    }

    #[test]
    fn selectors_that_can_meet_in_one_pod_share_what_they_have_in_common() {
        check("apart by a value", &["app=a", "app=b"], &["app=a", "app=b"]);
        check("the same", &["app=a", "app=a"], &["app=a"]);
        check("one narrows the other", &["app=a", "app=a tier=web"], &["app=a"]);
        check("nothing in common", &["app=a", "tier=web"], &[""]);
        check("a whole namespace", &["app=a", "", "app=b"], &[""]);
        check("a bridge", &["app=a tier=x", "app=a tier=y", "app=a zone=1"], &["app=a"]);
        check("apart after all", &["app=a", "app=b", "app=a zone=1"], &["app=a", "app=b"]);
        check("what is left meets another", &["a=1 b=1", "b=1 c=1", "a=2 b=1 c=2"], &["b=1"]);
    }

    #[test]
    fn no_two_groups_can_meet_and_every_selector_has_exactly_one() {
        let values = ["", "a=1", "a=2"].iter().flat_map(|a| {
            ["", "b=1", "b=2"]
                .iter()
                .flat_map(move |b| ["", "c=1"].iter().map(move |c| labels(&format!("{a} {b} {c}"))))
        });
        let all: Vec<Arc<Labels>> = values.collect();
        for one in &all {
            for two in &all {
                for three in &all {
                    let selectors = [one, two, three];
                    let groups = group(selectors);
                    for (at, group) in groups.iter().enumerate() {
                        assert!(groups[at + 1..].iter().all(|other| are_apart(group, other)));
                    }
                    for selector in selectors {
                        let of = groups.iter().filter(|group| includes(selector, group)).count();
                        assert_eq!(of, 1, "{selector:?} in {groups:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_the_labels_find_is_what_a_look_at_all_finds() {
        let workload = |labels: &[(&str, &str)], port| Workload {
            labels: labels.iter().map(|&(name, it)| (name.to_owned(), it.to_owned())).collect(),
            port,
        };
        let (a, b, team) = (("app", "a"), ("app", "b"), ("team", "x"));
        let single: Vec<Workload> = [
            workload(&[], Some(80)),
            workload(&[a], None),
            workload(&[a], Some(80)),
            workload(&[b], None),
            workload(&[team], None),
            workload(&[a, team], None),
            workload(&[a, team], Some(81)),
            workload(&[b, team], Some(80)),
        ]
        .into();
        let mut lists: Vec<Vec<Workload>> = vec![Vec::new()];
        for (at, one) in single.iter().enumerate() {
            lists.push(vec![one.clone()]);
            let pairs = single.iter().skip(at + 1);
            lists.extend(pairs.map(|other| vec![one.clone(), other.clone()]));
        }
        let classes = Classes::of(lists.iter().map(Vec::as_slice));
        assert_eq!(classes.all.len(), lists.len());
        for (at, class) in classes.all.iter().enumerate() {
            let is_wider = |wide: &Class<'_>| covers(wide.workloads, class.workloads);
            let is_narrower = |narrow: &Class<'_>| covers(class.workloads, narrow.workloads);
            let places = |is_it: &dyn Fn(&Class<'_>) -> bool| -> Vec<usize> {
                let all = classes.all.iter().enumerate();
                all.filter(|(_, other)| is_it(other)).map(|(place, _)| place).collect()
            };
            assert_eq!(class.wider, places(&is_wider), "{class:?}");
            let mut narrower = places(&is_narrower);
            narrower.retain(|place| *place != at);
            assert_eq!(class.narrower, narrower, "{class:?}");
        }
    }
}
