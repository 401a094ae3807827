//! Proxies: the sets of proxies that the plans of both sides tell apart, each compared with itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use corsward_diff::{Compared, Comparison, ProxyComparison};
use corsward_policy::Policy;
use corsward_policy::draft::Mode;

use crate::policies::{Policies, ProxySet, ProxyTarget};

/// Most pairs of targets that are compared in one namespace.
const MAX_PAIRS: usize = 2_000;

/// Proxies, as each side finds them.
struct Class {
    name: String,
    /// The targets that both sides may declare leave these proxies out.
    is_rest: bool,
    sides: [ProxySet; 2],
}

/// Both sides in one namespace.
struct Namespace<'p> {
    name: &'p str,
    sides: [&'p Policies; 2],
    classes: Vec<Class>,
}

/// Compares two sets, for the proxies of each target, and for those of each pair of targets where a policy comes, goes or moves.
pub(super) fn compare(old: &Policies, new: &Policies) -> Comparison {
    let mut targets = old.targets();
    targets.extend(new.targets());
    let mut namespaces: BTreeMap<&str, Vec<&ProxyTarget>> = BTreeMap::new();
    for target in &targets {
        namespaces.entry(target.namespace()).or_default().push(target);
    }
    let mut all = ProxyComparison::default();
    for (name, targets) in namespaces {
        Namespace::of(name, [old, new], &targets).compare(&mut all);
    }
    all.result()
}

// === impl Class ===

impl Class {
    /// The proxies of a target.
    fn of(target: &ProxyTarget, sides: [&Policies; 2]) -> Vec<Self> {
        let name = format!("{} of {}", target.object(), target.namespace());
        let class = |name, sides| Self { name, is_rest: false, sides };
        match sides.map(|side| side.proxy_set(target)) {
            // Where no file shows the object, each side has its own stand-in for it.
            [Some(old), Some(new)]
                if old == new || !sides.iter().all(|side| side.shows(target)) =>
            {
                vec![class(name, [old, new])]
            }
            [Some(old), Some(new)] => vec![
                class(format!("{name} as the old set has it"), [old.clone(), old]),
                class(format!("{name} as the new set has it"), [new.clone(), new]),
            ],
            [Some(one), None] | [None, Some(one)] => vec![class(name, [one.clone(), one])],
            [None, None] => Vec::new(),
        }
    }

    /// Those that are of both; `None`: there can be none, or they are those of one.
    fn meet(&self, other: &Self) -> Option<Self> {
        let [old, new] = &self.sides;
        let [other_old, other_new] = &other.sides;
        let sides = [old.meet(other_old)?, new.meet(other_new)?];
        let is_one = sides == self.sides || sides == other.sides || old.is_gateway();
        let name = format!("{} that is also {}", self.object(), other.name);
        (!is_one).then_some(Self { name, is_rest: false, sides })
    }

    /// The name without its namespace.
    fn object(&self) -> &str {
        self.name.split(" of ").next().unwrap_or_default()
    }
}

// === impl Namespace ===

impl<'p> Namespace<'p> {
    fn of(name: &'p str, sides: [&'p Policies; 2], targets: &[&ProxyTarget]) -> Self {
        let named = targets.iter().filter(|target| !target.is_namespace());
        let named: Vec<Class> = named.flat_map(|target| Class::of(target, sides)).collect();
        let rest = if named.is_empty() { "every workload" } else { "any other workload" };
        let workloads = ProxySet::of_namespace(name);
        let rest = Class {
            name: format!("{rest} of {name}"),
            is_rest: true,
            sides: [workloads.clone(), workloads],
        };
        let classes = std::iter::once(rest).chain(named).collect();
        Self { name, sides, classes }
    }

    fn compare(&self, all: &mut ProxyComparison) {
        let compared: Vec<Option<Compared>> =
            self.classes.iter().map(|class| self.compared(class, all)).collect();
        let own = || {
            let classes = self.classes.iter().zip(&compared);
            classes.filter_map(|(class, it)| Some((class, &it.as_ref()?.comparison)))
        };
        for (class, comparison) in own().filter(|(class, _)| class.is_rest) {
            all.add(&class.name, comparison, &[]);
        }
        let pairs = self.pairs(&compared);
        if pairs.len() > MAX_PAIRS {
            all.leave(
                format!("workloads of two targets of {}", self.name),
                format!("{} pairs of targets are too many to compare", pairs.len()),
            );
        } else {
            for (pair, class) in pairs {
                let Some(Compared { comparison, .. }) = self.compared(&class, all) else {
                    continue;
                };
                let known =
                    pair.iter().filter_map(|at| Some(&compared.get(*at)?.as_ref()?.comparison));
                all.add(&class.name, &comparison, &known.collect::<Vec<_>>());
            }
        }
        for (class, comparison) in own().filter(|(class, _)| !class.is_rest) {
            all.add(&class.name, comparison, &[]);
        }
    }

    /// The workloads of two targets, where a policy of one of them comes, goes or moves.
    fn pairs(&self, compared: &[Option<Compared>]) -> Vec<([usize; 2], Class)> {
        let moves = |at: usize| {
            compared.get(at).is_some_and(|it| it.as_ref().is_some_and(|it| !it.is_aligned))
        };
        let named = || self.classes.iter().enumerate().filter(|(_, class)| !class.is_rest);
        let mut pairs = Vec::new();
        for (at, class) in named().filter(|(at, _)| moves(*at)) {
            // A pair of two such targets comes once.
            let others =
                named().filter(|(other, _)| *other != at && (at < *other || !moves(*other)));
            pairs.extend(others.filter_map(|(other, it)| Some(([at, other], class.meet(it)?))));
        }
        pairs
    }

    fn compared(&self, class: &Class, all: &ProxyComparison) -> Option<Compared> {
        let [old, new] = &self.sides;
        let [of_old, of_new] = &class.sides;
        let [old, new] = [(old, of_old), (new, of_new)].map(|(side, set)| in_force(side, set));
        let old: Vec<&Policy> = old.iter().map(|policy| &**policy).collect();
        let new: Vec<&Policy> = new.iter().map(|policy| &**policy).collect();
        all.compare(&old, &new)
    }
}

/// The policies that answer requests to proxies.
fn in_force(side: &Policies, set: &ProxySet) -> Vec<Arc<Policy>> {
    if side.is_off(set.namespace()) {
        return Vec::new();
    }
    let policies = side.of_proxies(set).into_iter().map(|(policy, _)| policy);
    policies.filter(|policy| policy.mode() != Mode::Off).collect()
}
