//! Difference: one class of requests that two sets of policies answer differently.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::probe::{Probe, Verdict};

/// The result of a comparison. Without differences and without anything undecided, the sets are proved equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The differences.
    pub differences: Vec<Difference>,
    /// The classes that could not be compared.
    pub undecided: Vec<Undecided>,
}

/// A class of requests that the sets answer differently, all in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The proxies, such as `Service/api of shop`; empty for a comparison of one proxy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<String>,
    /// The hosts and paths.
    pub places: Vec<Place>,
    /// The origins; empty for requests without one.
    pub origins: Vec<OriginClass>,
    /// The requests, such as `preflights for PUT`.
    pub requests: Vec<String>,
    /// The answer of the old set.
    pub old: Answer,
    /// The answer of the new set.
    pub new: Answer,
    /// The visible values that differ where the verdicts are the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// One of the requests.
    pub witness: Probe,
}

/// The answer of one set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason, as metrics and logs name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The policy that decides, as `namespace/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// Hosts and paths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The hosts: one host, a wildcard, or `any other host`.
    pub host: String,
    /// The paths: one path, a path `and below`, or `any other path`.
    pub path: String,
}

/// Origins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OriginClass {
    /// The entry of a policy, or words such as `any other origin`.
    pub origins: String,
    /// Entries for a part of them that this class leaves out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

/// A visible value that differs. A list names the elements that only one of the answers has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The name, such as `Access-Control-Max-Age`.
    pub name: &'static str,
    /// The old value, or elements of it.
    pub old: Vec<String>,
    /// The new value, or elements of it.
    pub new: Vec<String>,
}

/// A class of requests that could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undecided {
    /// The proxies; empty for a comparison of one proxy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<String>,
    /// One of the hosts and paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The entry of a list that an automaton is too large for, or words.
    pub entry: String,
    /// The policy of the old set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_policy: Option<String>,
    /// The policy of the new set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_policy: Option<String>,
}

/// The results for many proxies, of which those with one difference are listed together.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) comparison: Comparison,
    /// The index of each difference, by all but its proxies and its witness.
    numbers: HashMap<Difference, usize>,
}

// === impl Comparison ===

impl Comparison {
    /// Returns whether the sets are proved equal.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.undecided.is_empty()
    }
}

// === impl Merged ===

impl Merged {
    /// Adds the result for further proxies, without the differences that `known` has.
    pub(crate) fn add(&mut self, proxies: &str, other: &Comparison, known: &[&Comparison]) {
        let known: HashSet<Difference> = known
            .iter()
            .flat_map(|known| known.differences.iter().map(Difference::anywhere))
            .collect();
        let all = &mut self.comparison;
        for difference in &other.differences {
            if known.contains(&difference.anywhere()) {
                continue;
            }
            let class = Difference { places: difference.places.clone(), ..difference.anywhere() };
            let at = *self.numbers.entry(class).or_insert(all.differences.len());
            if let Some(known) = all.differences.get_mut(at) {
                known.proxies.push(proxies.to_owned());
            } else {
                let proxies = vec![proxies.to_owned()];
                all.differences.push(Difference { proxies, ..difference.clone() });
            }
        }
        for undecided in &other.undecided {
            let proxies = vec![proxies.to_owned()];
            all.undecided.push(Undecided { proxies, ..undecided.clone() });
        }
    }
}

// === impl Difference ===

impl Difference {
    /// The same origins and requests with the same answers, without proxies, places and a witness.
    fn anywhere(&self) -> Self {
        let (proxies, places, witness) = (Vec::new(), Vec::new(), Probe::default());
        let Self { origins, requests, old, new, changes, .. } = self.clone();
        Self { proxies, places, origins, requests, old, new, changes, witness }
    }
}
