//! Classes: the members of a bundle by their proxies, and which class's proxies are among another's.

use std::collections::{BTreeMap, BTreeSet};

use corsward_policy::Workload;

use crate::targets::includes;

/// The members of a bundle by their workloads.
#[derive(Debug)]
pub(super) struct Classes<'m> {
    pub(super) all: Vec<Class<'m>>,
}

/// Members that are for the same workloads.
#[derive(Debug)]
pub(super) struct Class<'m> {
    /// Empty: every proxy of the bundle.
    workloads: &'m [Workload],
    /// The members, in ascending order.
    pub(super) members: Vec<usize>,
    /// The classes whose proxies are all of these and perhaps more: this one among them.
    pub(super) wider: Vec<usize>,
    /// The other classes whose proxies are some of these.
    pub(super) narrower: Vec<usize>,
}

/// A label and its value.
type Label<'m> = (&'m String, &'m String);

// === impl Class ===

impl Class<'_> {
    /// Are they for every proxy of the bundle?
    pub(super) fn is_everywhere(&self) -> bool {
        self.workloads.is_empty()
    }
}

// === impl Classes ===

impl<'m> Classes<'m> {
    /// The classes of members with those workloads.
    pub(super) fn of(workloads: impl Iterator<Item = &'m [Workload]>) -> Self {
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
    pub(super) fn members<'c>(&'c self, of: &'c [usize]) -> impl Iterator<Item = usize> + 'c {
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
