//! Policy set: policies with their targets, compared for each proxy that they name.

use std::collections::{BTreeMap, BTreeSet};

use corsward_policy::survey::Scope;
use corsward_policy::{Compiled, Policy, compile};

use crate::compare::compare_compiled;
use crate::difference::{Comparison, Merged, Undecided};
use crate::origins::Languages;

/// Most pairs of targets that are compared in one namespace.
const MAX_PAIRS: usize = 2_000;

/// A policy and the targets that it names.
#[derive(Clone, Debug)]
pub struct Member<'p> {
    /// The policy.
    pub policy: &'p Policy,
    /// Its targets, such as `Service/api`, or `Service/api:http` for one port; empty: every workload of its namespace.
    pub targets: Vec<String>,
}

/// Both sets of one namespace.
#[derive(Default)]
struct Namespace<'p> {
    old: Side<'p>,
    new: Side<'p>,
}

/// The policies of one set and namespace.
#[derive(Default)]
struct Side<'p> {
    wide: Vec<&'p Policy>,
    by_target: BTreeMap<String, Vec<&'p Policy>>,
}

/// The comparison for one target.
struct Compared {
    comparison: Comparison,
    /// Whether no policy comes, goes or moves.
    is_aligned: bool,
}

/// Compares two sets, for each proxy that a policy names.
#[must_use]
pub fn compare_sets<'p>(old: &[Member<'p>], new: &[Member<'p>]) -> Comparison {
    let mut namespaces: BTreeMap<&str, Namespace<'p>> = BTreeMap::new();
    for member in old {
        namespaces.entry(&member.policy.id().namespace).or_default().old.add(member);
    }
    for member in new {
        namespaces.entry(&member.policy.id().namespace).or_default().new.add(member);
    }
    let mut all = Merged::default();
    let languages = Languages::default();
    for (name, namespace) in namespaces {
        namespace.compare(name, &languages, &mut all);
    }
    all.comparison
}

// === impl Side ===

impl<'p> Side<'p> {
    fn add(&mut self, member: &Member<'p>) {
        if member.targets.is_empty() {
            self.wide.push(member.policy);
        }
        for target in &member.targets {
            self.by_target.entry(target.clone()).or_default().push(member.policy);
        }
    }

    /// The policies of a proxy that is one of all those targets.
    fn of(&self, targets: &[&String]) -> Vec<&'p Policy> {
        // A policy without a target is for workloads, and no Gateway gets it.
        let is_gateway = targets.iter().any(|target| target.starts_with("Gateway/"));
        let mut all = if is_gateway { Vec::new() } else { self.wide.clone() };
        for target in targets {
            // One port of a Service gets what the whole Service gets.
            let whole = target.split_once(':').map(|(whole, _)| whole);
            for name in [Some(target.as_str()), whole].into_iter().flatten() {
                all.extend(self.by_target.get(name).into_iter().flatten());
            }
        }
        all.sort_by_key(|policy| policy.id());
        all.dedup_by_key(|policy| policy.id());
        all
    }
}

// === impl Namespace ===

impl Namespace<'_> {
    fn compare(&self, name: &str, languages: &Languages, all: &mut Merged) {
        let targets: BTreeSet<&String> =
            self.old.by_target.keys().chain(self.new.by_target.keys()).collect();
        let other = if targets.is_empty() { "every workload" } else { "any other workload" };
        if let Some(compared) = self.compared(&[], languages) {
            all.add(&format!("{other} of {name}"), compared.comparison, &[]);
        }
        let mut changed: BTreeMap<&String, Compared> = BTreeMap::new();
        for target in &targets {
            changed.extend(self.compared(&[target], languages).map(|compared| (*target, compared)));
        }
        let mut pairs = Vec::new();
        for target in changed.iter().filter(|(_, it)| !it.is_aligned).map(|(target, _)| *target) {
            let others = targets.iter().filter(|other| {
                // A pair of two such targets comes once.
                let both = changed.get(**other).is_some_and(|other| !other.is_aligned);
                **other != target && (!both || target < **other) && may_meet(target, other)
            });
            pairs.extend(others.map(|other| [target, *other]));
        }
        if pairs.len() > MAX_PAIRS {
            all.comparison.undecided.push(Undecided {
                proxies: vec![format!("workloads of two targets of {name}")],
                place: None,
                entry: format!("{} pairs of targets are too many to compare", pairs.len()),
                old_policy: None,
                new_policy: None,
            });
            pairs.clear();
        }
        for pair in pairs {
            let Some(compared) = self.compared(&pair, languages) else { continue };
            let known: Vec<&Comparison> =
                pair.iter().filter_map(|it| Some(&changed.get(*it)?.comparison)).collect();
            let [one, two] = pair;
            all.add(&format!("{one} that is also {two} of {name}"), compared.comparison, &known);
        }
        for (target, compared) in changed {
            all.add(&format!("{target} of {name}"), compared.comparison, &[]);
        }
    }

    /// Compares a proxy that is one of all those targets; `None` where its policies are the same.
    fn compared(&self, targets: &[&String], languages: &Languages) -> Option<Compared> {
        let (old, new) = (self.old.of(targets), self.new.of(targets));
        if old == new {
            return None;
        }
        let (old, new) = (compile(&old), compile(&new));
        let comparison = compare_compiled(&old, &new, languages);
        Some(Compared { comparison, is_aligned: is_aligned(&old, &new) })
    }
}

/// May one proxy be of both targets? A Gateway's proxies are its own.
fn may_meet(one: &str, other: &str) -> bool {
    let whole = |target: &str| target.split_once(':').map_or(target, |(whole, _)| whole).to_owned();
    let is_gateway = |target: &str| target.starts_with("Gateway/");
    (!is_gateway(one) && !is_gateway(other)) || whole(one) == whole(other)
}

fn is_aligned(old: &Compiled, new: &Compiled) -> bool {
    let (old, new): (Vec<_>, Vec<_>) = (Scope::all(old).collect(), Scope::all(new).collect());
    old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| old.has_place_of(new))
}
