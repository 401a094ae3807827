//! Precedence between two policies of one proxy: whether rules alone keep another policy from the paths beside them.
//!
//! Only policies of the most specific target and hostname compete for a path: if none of their rule sets matches, the proxy does
//! nothing.

use crate::draft::Mode;
use crate::policy::Policy;
use crate::scope::{HostPattern, PathMatch};

/// The reason why one policy takes precedence over another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// Its target is closer.
    CloserTarget,
    /// Its hostname is more specific.
    NarrowerHost,
}

/// Returns the reason why `rules`, a policy without `cors` of its own, keeps `other` from paths beside its rules in a proxy that
/// has both; `None` if it does not.
#[must_use]
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

/// Returns whether a policy has rules and no `cors` for other paths.
#[must_use]
pub fn has_rules_alone(policy: &Policy) -> bool {
    let is_root = |path: &PathMatch| matches!(path, PathMatch::Prefix(path) if path.is_empty());
    policy.cors.is_none() && !policy.rules.iter().any(|rule| is_root(&rule.path))
}

/// Returns whether `other` covers every path at each hostname of `rules`, so that no path beside its rules is left open.
#[must_use]
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
