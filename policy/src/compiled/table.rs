//! Table: the rule set for a request, by the most specific target, then host, then path.

use std::sync::Arc;

use crate::compiled::{CompiledPolicy, RuleSet};
use crate::draft::{DisallowedRequests, PolicyId, Specificity};
use crate::hash_index::HashIndex;
use crate::path::PathInterpretations;
use crate::scope::{HostPattern, PathMatch};
use crate::trie::Trie;

/// The rule sets of policies that compete with each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    // INVARIANT: most specific first.
    ranks: Vec<Rank>,
}

/// The policies whose targets are equally specific.
#[derive(Clone, Debug)]
struct Rank {
    specificity: Specificity,
    exact: HashIndex<Group>,
    subdomains: Trie<Group>,
    any: Option<Group>,
}

/// The rule sets that compete for one host, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    everything: Option<Arc<RuleSet>>,
    /// Most policies have none.
    paths: Option<Box<Paths>>,
    /// The first by precedence.
    first: Option<Arc<RuleSet>>,
    /// The first by precedence that does not leave requests alone.
    first_enabled: Option<Arc<RuleSet>>,
    /// The strictest setting of all.
    disallowed_requests: DisallowedRequests,
}

/// The rule sets of rules.
#[derive(Clone, Debug, Default)]
struct Paths {
    exact: HashIndex<Arc<RuleSet>>,
    prefixes: Trie<Arc<RuleSet>>,
}

/// The rule set that answers a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'t> {
    pub(crate) rule_set: &'t Arc<RuleSet>,
    /// Whether the path's interpretations select different rule sets; then no origin is allowed or trusted.
    pub(crate) ambiguous: bool,
    /// The strictest setting of the rule sets that the path's interpretations may select.
    pub(crate) disallowed_requests: DisallowedRequests,
}

// === impl Selection ===

impl<'t> Selection<'t> {
    fn plain(rule_set: &'t Arc<RuleSet>) -> Self {
        Self { rule_set, ambiguous: false, disallowed_requests: rule_set.disallowed_requests }
    }

    fn ambiguous(rule_set: &'t Arc<RuleSet>, other: DisallowedRequests) -> Self {
        let disallowed_requests = rule_set.disallowed_requests.max(other);
        Self { rule_set, ambiguous: true, disallowed_requests }
    }

    /// Returns whether the response depends on the request. On an ambiguous path no origin is allowed, not even by `*`.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.ambiguous || self.rule_set.is_dynamic()
    }
}

// === impl Table ===

impl Table {
    /// Builds a table from policies in order of precedence.
    pub(crate) fn new<'p>(policies: impl Iterator<Item = &'p CompiledPolicy>) -> Self {
        let mut table = Self::default();
        for policy in policies {
            if let Some(rank) = table.rank(policy.settings.specificity) {
                rank.insert(policy);
            }
        }
        table
    }

    /// Returns the rank of `specificity`, inserted if it is missing.
    fn rank(&mut self, specificity: Specificity) -> Option<&mut Rank> {
        let place = self.ranks.iter().position(|rank| rank.specificity <= specificity);
        let at = place.unwrap_or(self.ranks.len());
        if self.ranks.get(at).is_none_or(|rank| rank.specificity != specificity) {
            self.ranks.insert(at, Rank::new(specificity));
        }
        self.ranks.get_mut(at)
    }

    /// Returns whether a look-up depends on the host.
    pub(crate) fn needs_host(&self) -> bool {
        self.ranks.iter().any(|rank| !rank.exact.is_empty() || !rank.subdomains.is_empty())
    }

    /// Returns the policies that compete for a host: lower case, without port and trailing dot.
    pub(crate) fn group(&self, host: &[u8]) -> Option<&Group> {
        self.ranks.iter().find_map(|rank| rank.group(host))
    }

    /// Returns a policy that wins over `policy` on all its hosts and paths, if there is one.
    pub(crate) fn winner_everywhere_over(&self, policy: &CompiledPolicy) -> Option<&PolicyId> {
        let mut winner = None;
        for host in &policy.settings.hosts {
            winner = Some(self.winner_over(policy, host)?);
        }
        winner
    }

    /// Returns a policy that wins over `policy` at `host` on all its paths, if there is one.
    fn winner_over(&self, policy: &CompiledPolicy, host: &HostPattern) -> Option<&PolicyId> {
        let mut more_specific =
            self.ranks.iter().take_while(|r| r.specificity > policy.settings.specificity);
        if let Some(group) = more_specific.find_map(|rank| rank.covers(host)) {
            return group.first.as_ref().map(|rule_set| &rule_set.settings.id);
        }
        let rank =
            self.ranks.iter().find(|rank| rank.specificity == policy.settings.specificity)?;
        let group = rank.group_of(host)?;
        let mut winner = None;
        // A rule for every path wins over `cors` of a policy.
        let root = PathMatch::Prefix(String::new());
        let root = || group.holder(Some(&root));
        for rule_set in &policy.rule_sets {
            let of_rule = rule_set.path.is_none().then(root).flatten();
            let of_slot = || group.holder(rule_set.path.as_ref());
            let holder = &of_rule.or_else(of_slot)?.settings.id;
            if *holder == policy.settings.id {
                return None;
            }
            winner = Some(holder);
        }
        winner
    }
}

// === impl Rank ===

impl Rank {
    fn new(specificity: Specificity) -> Self {
        Self { specificity, exact: HashIndex::default(), subdomains: Trie::default(), any: None }
    }

    fn insert(&mut self, policy: &CompiledPolicy) {
        for host in &policy.settings.hosts {
            let group = match host {
                HostPattern::Any => Some(self.any.get_or_insert_default()),
                HostPattern::Exact(host) => self.exact.entry(host.as_bytes(), Group::default),
                HostPattern::Subdomains(rest) => {
                    self.subdomains.entry(labels(rest.as_bytes()), Group::default)
                }
            };
            if let Some(group) = group {
                policy.rule_sets.iter().for_each(|rule_set| group.insert(rule_set));
            }
        }
    }

    /// Exact beats `*.rest`, longer rests beat shorter ones, and any name beats `*`.
    fn group(&self, host: &[u8]) -> Option<&Group> {
        self.exact.get(host).or_else(|| self.wildcard(host)).or(self.any.as_ref())
    }

    fn wildcard(&self, host: &[u8]) -> Option<&Group> {
        if self.subdomains.is_empty() {
            return None;
        }
        let count = labels(host).count();
        let shorter = self.subdomains.walk(labels(host)).filter(|(depth, _)| *depth < count);
        shorter.last().map(|(_, group)| group)
    }

    /// The group that `host`, as written in a policy, belongs to.
    fn group_of(&self, host: &HostPattern) -> Option<&Group> {
        match host {
            HostPattern::Any => self.any.as_ref(),
            HostPattern::Exact(host) => self.exact.get(host.as_bytes()),
            HostPattern::Subdomains(rest) => {
                let count = labels(rest.as_bytes()).count();
                let mut met = self.subdomains.walk(labels(rest.as_bytes()));
                met.find(|(depth, _)| *depth == count).map(|(_, group)| group)
            }
        }
    }

    /// A group of this rank that covers every host that `host` does.
    fn covers(&self, host: &HostPattern) -> Option<&Group> {
        match host {
            HostPattern::Any => self.any.as_ref(),
            HostPattern::Exact(host) => self.group(host.as_bytes()),
            HostPattern::Subdomains(rest) => {
                let met = self.subdomains.walk(labels(rest.as_bytes()));
                met.last().map(|(_, group)| group).or(self.any.as_ref())
            }
        }
    }
}

fn labels(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    host.rsplit(|&byte| byte == b'.')
}

// === impl Group ===

impl Group {
    /// The first to come keeps its place: rule sets arrive in order of precedence.
    fn insert(&mut self, rule_set: &Arc<RuleSet>) {
        self.first.get_or_insert_with(|| Arc::clone(rule_set));
        if !rule_set.off {
            self.first_enabled.get_or_insert_with(|| Arc::clone(rule_set));
        }
        self.disallowed_requests = self.disallowed_requests.max(rule_set.disallowed_requests);
        match &rule_set.path {
            None => drop(self.everything.get_or_insert_with(|| Arc::clone(rule_set))),
            Some(PathMatch::Exact(path)) => {
                let paths = self.paths.get_or_insert_default();
                paths.exact.entry(path.as_bytes(), || Arc::clone(rule_set));
            }
            Some(PathMatch::Prefix(path)) => {
                let paths = self.paths.get_or_insert_default();
                paths.prefixes.entry(segments(path.as_bytes()), || Arc::clone(rule_set));
            }
        }
    }

    /// Returns the rule set in the place of `path`.
    fn holder(&self, path: Option<&PathMatch>) -> Option<&Arc<RuleSet>> {
        match path {
            None => self.everything.as_ref(),
            Some(PathMatch::Exact(path)) => self.paths.as_ref()?.exact.get(path.as_bytes()),
            Some(PathMatch::Prefix(path)) => {
                let count = segments(path.as_bytes()).count();
                let mut met = self.paths.as_ref()?.prefixes.walk(segments(path.as_bytes()));
                met.find(|(depth, _)| *depth == count).map(|(_, rule_set)| rule_set)
            }
        }
    }

    /// Returns whether a look-up depends on the path.
    pub(crate) fn needs_path(&self) -> bool {
        self.paths.is_some()
    }

    /// Selects the rule set for everything in scope.
    pub(crate) fn everything(&self) -> Option<Selection<'_>> {
        self.everything.as_ref().map(Selection::plain)
    }

    /// Selects the rule set for a path by both of its interpretations.
    pub(crate) fn select(&self, path: &PathInterpretations<'_>) -> Option<Selection<'_>> {
        let literal = self.rule_set(&path.literal);
        let Some(folded) = &path.folded else {
            return literal.map(Selection::plain);
        };
        let other = self.rule_set(&folded.path);
        if folded.dotted {
            let rule_set = literal.or(other).or(self.first_enabled.as_ref())?;
            return Some(Selection::ambiguous(rule_set, self.disallowed_requests));
        }
        match (literal, other) {
            (None, None) => None,
            (Some(rule_set), Some(same)) if Arc::ptr_eq(rule_set, same) => {
                Some(Selection::plain(rule_set))
            }
            (Some(rule_set), Some(other)) => {
                Some(Selection::ambiguous(rule_set, other.disallowed_requests))
            }
            (Some(rule_set), None) | (None, Some(rule_set)) => {
                Some(Selection::ambiguous(rule_set, DisallowedRequests::Forward))
            }
        }
    }

    /// Exact beats prefix, longer prefixes beat shorter ones, and any rule beats `cors`; `None` too where the one that wins leaves requests alone.
    fn rule_set(&self, path: &[u8]) -> Option<&Arc<RuleSet>> {
        let of_rule = self.paths.as_ref().and_then(|paths| paths.rule_set(path));
        let rule_set = of_rule.or(self.everything.as_ref());
        rule_set.filter(|rule_set| !rule_set.off)
    }
}

// === impl Paths ===

impl Paths {
    fn rule_set(&self, path: &[u8]) -> Option<&Arc<RuleSet>> {
        let prefixed = || {
            let met = path.starts_with(b"/").then(|| self.prefixes.walk(segments(path)))?;
            met.last().map(|(_, rule_set)| rule_set)
        };
        self.exact.get(path).or_else(prefixed)
    }
}

/// The segments of an absolute path; the root has none.
fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let rest = path.strip_prefix(b"/");
    rest.into_iter().flat_map(|rest| rest.split(|&byte| byte == b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_prefix_has_no_segments_and_a_trailing_slash_adds_an_empty_one() {
        let count = |path: &str| segments(path.as_bytes()).count();
        assert_eq!((count(""), count("/a"), count("/a/b"), count("/a/")), (0, 1, 2, 2));
    }
}
