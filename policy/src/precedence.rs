//! Precedence between two policies of one proxy: whether rules alone keep the other policy from the paths beside
//! them.
//!
//! Only policies of the most specific target and hostname compete for a path: if none of their rule sets matches, the proxy does
//! nothing.

use std::collections::HashMap;

use crate::draft::{Mode, Specificity};
use crate::policy::Policy;
use crate::scope::{HostPattern, PathMatch};

/// The reason why one policy takes precedence over the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// Its target is closer.
    CloserTarget,
    /// Its hostname is more specific.
    NarrowerHost,
}

/// Policies by their hosts, so that those which one competes with are found without a look at all of them.
#[derive(Debug)]
pub struct Rivals<'p> {
    policies: Vec<&'p Policy>,
    /// The places in `policies`, in ascending order.
    by_host: HashMap<(Mode, Specificity, HostKey<'p>), Vec<usize>>,
}

/// The key of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum HostKey<'p> {
    /// Independent of the host.
    Whatever,
    /// Any host.
    Any,
    /// All hosts below this one.
    Subdomains(&'p str),
    /// This one.
    Exact(&'p str),
    /// It is below this one, or all hosts below it are.
    Below(&'p str),
}

/// Returns the reason why `rules`, a policy without `cors` of its own, keeps `other` from paths beside its rules in a proxy that
/// has both; `None` if it does not.
pub fn switches_off(rules: &Policy, other: &Policy) -> Option<Precedence> {
    // Policies that are rehearsed compete with each other alone.
    let compete = rules.mode == other.mode && rules.mode != Mode::Off;
    if !compete || !has_rules_alone(rules) || !says_more(other, rules) {
        return None;
    }
    let mine = hosts(rules);
    let theirs = hosts(other);
    if rules.specificity > other.specificity {
        let meet = |a: &HostPattern| theirs.iter().any(|b| covers(a, b) || covers(b, a));
        return mine.iter().any(meet).then_some(Precedence::CloserTarget);
    }
    let is_narrower = |host: &HostPattern| {
        // For the same hostname both compete by path.
        !theirs.contains(host) && theirs.iter().any(|broad| covers(broad, host))
    };
    let is_first = rules.specificity == other.specificity && mine.iter().any(is_narrower);
    is_first.then_some(Precedence::NarrowerHost)
}

/// Returns the most specific pattern of a policy that covers a host; `None` if none does.
pub fn narrowest_host<'p>(policy: &'p Policy, host: &HostPattern) -> Option<&'p HostPattern> {
    let covering = hosts(policy).iter().filter(|pattern| covers(pattern, host));
    covering.reduce(|one, other| if covers(one, other) { other } else { one })
}

/// Returns whether a policy has rules and no `cors` for other paths.
pub fn has_rules_alone(policy: &Policy) -> bool {
    let is_root = |path: &PathMatch| matches!(path, PathMatch::Prefix(path) if path.is_empty());
    policy.cors.is_none() && !policy.rules.iter().any(|rule| is_root(&rule.path))
}

/// Returns whether `other` covers every path at each hostname of `rules`, so that no path beside its rules is left open.
pub fn completes(other: &Policy, rules: &Policy) -> bool {
    let theirs = hosts(other);
    other.mode == rules.mode
        && other.cors.is_some()
        && other.specificity == rules.specificity
        && hosts(rules).iter().all(|host| theirs.contains(host))
}

/// Returns whether `other` covers a path that `rules` has no rule for.
fn says_more(other: &Policy, rules: &Policy) -> bool {
    let has_rule = |path: &PathMatch| rules.rules.iter().any(|rule| includes(&rule.path, path));
    other.cors.is_some() || other.rules.iter().any(|rule| !has_rule(&rule.path))
}

// === impl Rivals ===

impl<'p> Rivals<'p> {
    /// Those policies, by the place at which they come.
    pub fn new(policies: impl IntoIterator<Item = &'p Policy>) -> Self {
        let policies: Vec<&Policy> = policies.into_iter().collect();
        let mut by_host: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, policy) in policies.iter().enumerate() {
            let mut add = |key| {
                let places = by_host.entry((policy.mode, policy.specificity, key)).or_default();
                if places.last() != Some(&at) {
                    places.push(at);
                }
            };
            add(HostKey::Whatever);
            for host in hosts(policy) {
                add(HostKey::of(host));
                match host {
                    HostPattern::Any => {}
                    HostPattern::Subdomains(rest) => {
                        add(HostKey::Below(rest));
                        parents(rest).for_each(|parent| add(HostKey::Below(parent)));
                    }
                    HostPattern::Exact(host) => {
                        parents(host).for_each(|parent| add(HostKey::Below(parent)));
                    }
                }
            }
        }
        Self { policies, by_host }
    }

    /// Returns the places of the policies that [`completes`] finds to complete `rules`.
    pub fn completing<'r>(&'r self, rules: &'r Policy) -> impl Iterator<Item = usize> + 'r {
        let places = |host| self.at(rules.mode, rules.specificity, HostKey::of(host));
        let fewest = hosts(rules).iter().map(places).min_by_key(|places| places.len());
        let is_one = |at: &usize| self.policies.get(*at).is_some_and(|it| completes(it, rules));
        fewest.unwrap_or_default().iter().copied().filter(is_one)
    }

    /// Returns the first policy but `rules` itself that [`switches_off`] finds to be kept from paths, with the reason, among those
    /// whose place `is_before` admits; once it does not, it admits no later one.
    pub fn first_switched_off<'r>(
        &'r self,
        rules: &'r Policy,
        is_before: impl Fn(usize) -> bool,
    ) -> Option<(usize, Precedence)> {
        let mut first: Option<(usize, Precedence)> = None;
        let mut look = |places: &[usize]| {
            for &at in places {
                if !is_before(at) || first.is_some_and(|(known, _)| known <= at) {
                    return;
                }
                let policy = self.policies.get(at).filter(|it| !std::ptr::eq(**it, rules));
                if let Some(why) = policy.and_then(|policy| switches_off(rules, policy)) {
                    first = Some((at, why));
                    return;
                }
            }
        };
        let specificities = [Specificity::Cluster, Specificity::Namespace, Specificity::Workload];
        for specificity in specificities.into_iter().filter(|it| *it <= rules.specificity) {
            let at = |key| self.at(rules.mode, specificity, key);
            for host in hosts(rules) {
                broader(host).for_each(|key| look(at(key)));
                if specificity < rules.specificity {
                    look(at(HostKey::of(host)));
                    match host {
                        HostPattern::Any => look(at(HostKey::Whatever)),
                        HostPattern::Subdomains(rest) => look(at(HostKey::Below(rest))),
                        HostPattern::Exact(_) => {}
                    }
                }
            }
        }
        first
    }

    fn at<'r>(&'r self, mode: Mode, specificity: Specificity, key: HostKey<'r>) -> &'r [usize] {
        self.by_host.get(&(mode, specificity, key)).map(Vec::as_slice).unwrap_or_default()
    }
}

// === impl HostKey ===

impl<'p> HostKey<'p> {
    fn of(host: &'p HostPattern) -> Self {
        match host {
            HostPattern::Any => Self::Any,
            HostPattern::Subdomains(rest) => Self::Subdomains(rest),
            HostPattern::Exact(host) => Self::Exact(host),
        }
    }
}

/// The hosts that `host` is below.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    let dots = host.match_indices('.').filter(|(at, _)| *at > 0);
    dots.filter_map(|(at, dot)| host.get(at.saturating_add(dot.len())..))
}

/// The patterns that cover every host of `host`, without that pattern itself.
fn broader(host: &HostPattern) -> impl Iterator<Item = HostKey<'_>> {
    let name = match host {
        HostPattern::Any => None,
        HostPattern::Subdomains(name) | HostPattern::Exact(name) => Some(name.as_str()),
    };
    let any = name.map(|_| HostKey::Any);
    any.into_iter().chain(name.into_iter().flat_map(parents).map(HostKey::Subdomains))
}

fn hosts(policy: &Policy) -> &[HostPattern] {
    const ANY: &[HostPattern] = &[HostPattern::Any];
    if policy.hostnames.is_empty() { ANY } else { &policy.hostnames }
}

/// Returns whether `broad` covers every host of `narrow`.
fn covers(broad: &HostPattern, narrow: &HostPattern) -> bool {
    let is_below = |host: &str, rest: &str| {
        host.strip_suffix(rest).is_some_and(|labels| labels.ends_with('.') && labels.len() > 1)
    };
    match (broad, narrow) {
        (HostPattern::Any, _) => true,
        (HostPattern::Subdomains(rest), HostPattern::Exact(host)) => is_below(host, rest),
        (HostPattern::Subdomains(rest), HostPattern::Subdomains(other)) => {
            other == rest || is_below(other, rest)
        }
        (HostPattern::Exact(one), HostPattern::Exact(other)) => one == other,
        (HostPattern::Subdomains(_), HostPattern::Any)
        | (HostPattern::Exact(_), HostPattern::Any | HostPattern::Subdomains(_)) => false,
    }
}

/// Returns whether `broad` covers every path of `narrow`.
fn includes(broad: &PathMatch, narrow: &PathMatch) -> bool {
    match (broad, narrow) {
        (PathMatch::Prefix(prefix), PathMatch::Prefix(path) | PathMatch::Exact(path)) => {
            let rest = path.strip_prefix(prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        (PathMatch::Exact(one), PathMatch::Exact(other)) => one == other,
        (PathMatch::Exact(_), PathMatch::Prefix(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::{CorsDraft, Draft, PathType, RuleDraft};
    use crate::validate::{NoKnowledge, validate};

    /// Policies of each specificity and mode, with each of those hosts, with `cors`, and with rules alone.
    fn policies() -> Vec<Policy> {
        const HOSTS: [&[&str]; 9] = [
            &[],
            &["*"],
            &["a.example"],
            &["*.a.example"],
            &["b.a.example"],
            &["*.b.a.example", "b.a.example"],
            &["a.example", "*.a.example"],
            &["*.example"],
            &["c.example", "xa.example"],
        ];
        let cors = || CorsDraft {
            allow_origins: vec!["https://a.example".to_owned()],
            ..CorsDraft::default()
        };
        let rule = |path: &str| RuleDraft {
            path_type: PathType::PathPrefix,
            path_value: path.to_owned(),
            mode: Mode::Active,
            cors: Some(cors()),
            disallowed_requests: None,
            trusted_origins: None,
            upstream_origin: None,
        };
        let mut policies = Vec::new();
        for hosts in HOSTS {
            for specificity in [Specificity::Cluster, Specificity::Namespace, Specificity::Workload]
            {
                for mode in [Mode::Active, Mode::DryRun, Mode::Off] {
                    for paths in [&[][..], &["/a"], &["/a", "/b"]] {
                        let draft = Draft {
                            hostnames: hosts.iter().map(|&host| host.to_owned()).collect(),
                            cors: paths.is_empty().then(cors),
                            rules: paths.iter().map(|path| rule(path)).collect(),
                            specificity,
                            mode,
                            ..Draft::default()
                        };
                        policies.push(validate(&draft, &NoKnowledge).policy.unwrap());
                    }
                }
            }
        }
        policies
    }

    #[test]
    fn what_rivals_find_is_what_a_look_at_all_finds() {
        let policies = policies();
        let half = policies.len() / 2;
        for ordered in [policies.iter().collect(), policies.iter().rev().collect::<Vec<_>>()] {
            let rivals = Rivals::new(ordered.iter().copied());
            for rules in &policies {
                let all = || ordered.iter().enumerate();
                let want: Vec<usize> =
                    all().filter(|(_, it)| completes(it, rules)).map(|(at, _)| at).collect();
                assert_eq!(rivals.completing(rules).collect::<Vec<_>>(), want, "{rules:?}");
                for end in [half, ordered.len()] {
                    let others = all().take(end).filter(|(_, it)| !std::ptr::eq(**it, rules));
                    let mut found =
                        others.filter_map(|(at, it)| Some((at, switches_off(rules, it)?)));
                    let first = rivals.first_switched_off(rules, |at| at < end);
                    assert_eq!(first, found.next(), "{rules:?}");
                }
            }
        }
    }
}
