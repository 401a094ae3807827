//! Comparison: two sets of policies, class of requests by class of requests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use corsward_policy::draft::DisallowedRequests;
use corsward_policy::survey::Selected;
use corsward_policy::{Compiled, Policy, compile};

use crate::difference::{Answer, Change, Comparison, Difference, OriginClass, Place, Undecided};
use crate::origin_class::{self, Origins};
use crate::origins::Languages;
use crate::place::HostClass;
use crate::probe::{Observed, Probe, Verdict};
use crate::request_class::RequestClass;

/// Compares the policies of one proxy with those that replace them.
pub fn compare(old: &[&Policy], new: &[&Policy]) -> Comparison {
    compare_compiled(&compile(old), &compile(new), &Languages::default())
}

/// Compares the policies of one proxy with those that replace them, both compiled.
pub(crate) fn compare_compiled(
    old: &Compiled,
    new: &Compiled,
    languages: &Languages,
) -> Comparison {
    let comparer = Comparer { old, new, languages };
    let mut known: HashMap<_, Rc<Pair>> = HashMap::new();
    let mut by_content: BTreeMap<Content, Difference> = BTreeMap::new();
    let mut undecided = BTreeSet::new();
    for host in HostClass::changed(old, new) {
        for path in host.paths(old, new) {
            let probe =
                Probe { host: host.host.clone(), path: path.path.clone(), ..Probe::default() };
            let rule_sets = [old, new].map(|compiled| Selected::of(compiled, &probe));
            let pair = known.entry(rule_sets.map(|it| it.map(Key::of)));
            let pair = pair.or_insert_with(|| Rc::new(comparer.pair(rule_sets, &probe)));
            let place = Place { host: host.text.clone(), path: path.text };
            for (content, witness) in &pair.differences {
                let witness = witness.clone().at(&probe.host, &probe.path);
                let difference = by_content.entry(content.clone());
                difference.or_insert_with(|| content.at(witness)).places.push(place.clone());
            }
            let [old_policy, new_policy] = rule_sets.map(policy);
            undecided.extend(pair.undecided.iter().map(|entry| Undecided {
                proxies: Vec::new(),
                place: Some(place.clone()),
                entry: entry.clone(),
                old_policy: old_policy.clone(),
                new_policy: new_policy.clone(),
            }));
        }
    }
    let differences = by_content.into_values().collect();
    Comparison { differences, undecided: undecided.into_iter().collect() }
}

/// What tells one selection of a compiled set from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    rule_set: usize,
    ambiguous: bool,
    rejects: bool,
}

/// The differences of two rule sets, each with a request.
struct Pair {
    differences: Vec<(Content, Probe)>,
    undecided: Vec<String>,
}

/// A difference without its places and its witness. The order is that of the report: requests that are allowed from now on first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Content {
    rank: u8,
    old: Answer,
    new: Answer,
    origins: Vec<OriginClass>,
    requests: Vec<String>,
    changes: Vec<Change>,
}

/// The two sets.
struct Comparer<'c> {
    old: &'c Compiled,
    new: &'c Compiled,
    languages: &'c Languages,
}

/// Request classes of one class of origins, decided by both sets: one of them, or all preflights where the origin alone decides.
struct Decided<'d> {
    classes: Vec<&'d RequestClass>,
    probe: Probe,
    old: Observed,
    new: Observed,
}

fn policy(selected: Option<Selected<'_>>) -> Option<String> {
    selected.map(|selected| selected.policy().to_string())
}

// === impl Key ===

impl Key {
    fn of(selected: Selected<'_>) -> Self {
        Self {
            rule_set: selected.number(),
            ambiguous: selected.ambiguous,
            rejects: selected.disallowed_requests == DisallowedRequests::Reject,
        }
    }
}

// === impl Content ===

impl Content {
    fn at(&self, witness: Probe) -> Difference {
        let Self { rank: _, old, new, origins, requests, changes } = self.clone();
        let (proxies, places) = (Vec::new(), Vec::new());
        Difference { proxies, places, origins, requests, old, new, changes, witness }
    }
}

/// Requests that are allowed from now on come first, then those that are no longer.
fn rank(old: Verdict, new: Verdict) -> u8 {
    match (old, new) {
        (old, new) if old == new => 3,
        (_, Verdict::Allowed) => 0,
        (Verdict::Allowed, _) => 1,
        _ => 2,
    }
}

// === impl Comparer ===

impl Comparer<'_> {
    /// Compares the rule sets that a place has in both sets.
    fn pair(&self, rule_sets: [Option<Selected<'_>>; 2], place: &Probe) -> Pair {
        let [old, new] = rule_sets;
        if old == new {
            return Pair { differences: Vec::new(), undecided: Vec::new() };
        }
        let mut differences: Vec<(Content, Probe)> = Vec::new();
        let selected: Vec<Selected<'_>> = rule_sets.into_iter().flatten().collect();
        let requests = RequestClass::all(&selected);
        let (classes, undecided) = origin_class::classes(old, new, self.languages);
        for origins in classes {
            for (content, probe) in self.of_origins(&origins, &requests, rule_sets, place) {
                let same = |(other, _): &&mut (Content, Probe)| {
                    let aligned = Content { origins: other.origins.clone(), ..content.clone() };
                    same_but_reason(&aligned, other)
                };
                match differences.iter_mut().find(same) {
                    Some((other, _)) => other.origins.extend(content.origins),
                    None => differences.push((content, probe)),
                }
            }
        }
        differences.extend(self.without_origin(rule_sets, place));
        Pair { differences, undecided }
    }

    fn decide<'d>(&self, class: &'d RequestClass, probe: Probe) -> Decided<'d> {
        let (old, new) = (Observed::of(self.old, &probe), Observed::of(self.new, &probe));
        Decided { classes: vec![class], probe, old, new }
    }

    /// Decides one request of each class. Both sets look at methods and headers only after the origin.
    fn decide_all<'d>(
        &self,
        requests: &'d [RequestClass],
        probe: impl Fn(&RequestClass) -> Probe,
    ) -> Vec<Decided<'d>> {
        let mut decided: Vec<Decided<'d>> = Vec::new();
        let mut by_origin: Option<usize> = None;
        for class in requests {
            if let Some(at) = by_origin.filter(|_| class.is_preflight()) {
                if let Some(of_all) = decided.get_mut(at) {
                    of_all.classes.push(class);
                }
                continue;
            }
            let it = self.decide(class, probe(class));
            if class.is_preflight() && it.old.is_by_origin() && it.new.is_by_origin() {
                by_origin = Some(decided.len());
            }
            decided.push(it);
        }
        decided
    }

    /// The request, from a page of the host itself where such a one is answered alike.
    fn witness(&self, decided: &Decided<'_>) -> Probe {
        let own = decided.probe.of_own_page();
        let own = own.filter(|own| {
            Observed::of(self.old, own) == decided.old && Observed::of(self.new, own) == decided.new
        });
        own.unwrap_or_else(|| decided.probe.clone())
    }

    /// The difference for requests without an `Origin`.
    fn without_origin(
        &self,
        rule_sets: [Option<Selected<'_>>; 2],
        place: &Probe,
    ) -> Option<(Content, Probe)> {
        let probe = Probe { method: "GET".into(), ..place.clone() };
        let decided = self.decide(&RequestClass::Actual, probe);
        let is_same = decided.old.verdict == decided.new.verdict;
        // Another verdict says more than the values that follow from it.
        let changes = if is_same { changes(&decided.old, &decided.new) } else { Vec::new() };
        (!is_same || !changes.is_empty()).then(|| {
            let requests = vec!["requests without Origin".to_owned()];
            let content = decided.content(rule_sets, Vec::new(), requests, changes);
            (content, decided.probe)
        })
    }

    /// The differences for one class of origins: one for each pair of answers.
    fn of_origins(
        &self,
        origins: &Origins,
        requests: &[RequestClass],
        rule_sets: [Option<Selected<'_>>; 2],
        place: &Probe,
    ) -> Vec<(Content, Probe)> {
        let decided = self.decide_all(requests, |class| {
            class.probe(&place.host, &place.path, &origins.witness, requests)
        });
        let differing = |of: fn(&RequestClass) -> bool| {
            let of = |it: &Decided<'_>| it.classes.iter().any(|class| of(class));
            decided.iter().any(|it| of(it) && it.old.verdict != it.new.verdict)
        };
        let all_differ = differing(|class| *class == RequestClass::Actual);
        let methods_differ = differing(RequestClass::asks_for_method);
        let headers_differ = differing(RequestClass::asks_for_header);
        let mut groups: BTreeMap<(Verdict, Verdict, Vec<Change>), Vec<&Decided<'_>>> =
            BTreeMap::new();
        for it in &decided {
            let verdicts = (it.old.verdict, it.new.verdict);
            // Another verdict says more than the values that follow from it.
            let changes = if verdicts.0 != verdicts.1 {
                Vec::new()
            } else if all_differ {
                continue;
            } else {
                let mut changes = changes(&it.old, &it.new);
                changes.retain(|change| match change.name {
                    "Access-Control-Allow-Methods" => !methods_differ,
                    "Access-Control-Allow-Headers" => !headers_differ,
                    _ => true,
                });
                if changes.is_empty() {
                    continue;
                }
                changes
            };
            groups.entry((verdicts.0, verdicts.1, changes)).or_default().push(it);
        }
        let group = |((_, _, changes), group): (_, Vec<&Decided<'_>>)| {
            let some: BTreeSet<&RequestClass> =
                group.iter().flat_map(|it| it.classes.iter().copied()).collect();
            let texts = RequestClass::texts(&some, requests);
            let first = group.first()?;
            let content = first.content(rule_sets, origins.classes.clone(), texts, changes);
            Some((content, self.witness(first)))
        };
        groups.into_iter().filter_map(group).collect()
    }
}

// === impl Decided ===

impl Decided<'_> {
    fn content(
        &self,
        rule_sets: [Option<Selected<'_>>; 2],
        origins: Vec<OriginClass>,
        requests: Vec<String>,
        changes: Vec<Change>,
    ) -> Content {
        let [old_policy, new_policy] = rule_sets.map(policy);
        let answer = |observed: &Observed, policy| Answer {
            verdict: observed.verdict,
            reason: observed.reason,
            policy,
        };
        Content {
            rank: rank(self.old.verdict, self.new.verdict),
            old: answer(&self.old, old_policy),
            new: answer(&self.new, new_policy),
            origins,
            requests,
            changes,
        }
    }
}

/// Returns whether two differences are one; the reasons of an origin differ with its kind.
fn same_but_reason(one: &Content, other: &Content) -> bool {
    let plain = |content: &Content| {
        let mut content = content.clone();
        (content.old.reason, content.new.reason) = (None, None);
        content
    };
    plain(one) == plain(other)
}

/// The values that differ; of lists, the elements that only one of them has.
fn changes(old: &Observed, new: &Observed) -> Vec<Change> {
    let names: BTreeSet<&'static str> =
        old.values.keys().chain(new.values.keys()).copied().collect();
    let mut changes = Vec::new();
    for name in names {
        let list = |observed: &Observed| observed.values.get(name).cloned().unwrap_or_default();
        let (old, new) = (list(old), list(new));
        if old != new {
            let only = |one: &[String], other: &[String]| -> Vec<String> {
                one.iter().filter(|element| !other.contains(element)).cloned().collect()
            };
            changes.push(Change { name, old: only(&old, &new), new: only(&new, &old) });
        }
    }
    changes
}
