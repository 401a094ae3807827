//! Proxies: the comparisons of many proxies, of which those with one difference are listed together.

use corsward_policy::survey::Scope;
use corsward_policy::{Compiled, Policy, compile};

use crate::compare::compare_compiled;
use crate::difference::{Comparison, Merged, Undecided};
use crate::origins::Languages;

/// The comparison of two sets for many proxies.
#[derive(Debug, Default)]
pub struct ProxyComparison {
    languages: Languages,
    all: Merged,
}

/// The comparison for one proxy.
#[derive(Debug)]
pub struct Compared {
    /// The comparison.
    pub comparison: Comparison,
    /// No policy comes, goes or moves: each has the same place beside any others.
    pub is_aligned: bool,
}

// === impl ProxyComparison ===

impl ProxyComparison {
    /// Compares the policies of one proxy with those that replace them; `None` where they are the same.
    pub fn compare(&self, old: &[&Policy], new: &[&Policy]) -> Option<Compared> {
        if old == new {
            return None;
        }
        let (old, new) = (compile(old), compile(new));
        let comparison = compare_compiled(&old, &new, &self.languages);
        Some(Compared { comparison, is_aligned: is_aligned(&old, &new) })
    }

    /// Adds the comparison for proxies of that name, without the differences that `known` has.
    pub fn add(&mut self, proxies: &str, comparison: &Comparison, known: &[&Comparison]) {
        self.all.add(proxies, comparison, known);
    }

    /// Adds a part that is not compared.
    pub fn leave(&mut self, proxies: String, why: String) {
        let (place, old_policy, new_policy) = (None, None, None);
        let proxies = vec![proxies];
        let undecided = Undecided { proxies, place, entry: why, old_policy, new_policy };
        self.all.comparison.undecided.push(undecided);
    }

    /// The result for all proxies.
    pub fn result(self) -> Comparison {
        self.all.comparison
    }
}

fn is_aligned(old: &Compiled, new: &Compiled) -> bool {
    let (old, new): (Vec<_>, Vec<_>) = (Scope::all(old).collect(), Scope::all(new).collect());
    old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| old.has_place_of(new))
}
