//! Rules: each by itself, then each against the others.

use std::collections::HashMap;

use super::analysis::Analysis;
use super::cors::Place;
use super::paths::Taken;
use super::report::{Field, Report};
use super::{cors, origins};
use crate::draft::{DisallowedRequests, Mode, RuleDraft, UpstreamOrigin};
use crate::finding::RuleReason;
use crate::limits::MAX_PLACES;
use crate::limits::MAX_RULES;
use crate::pattern::OriginPattern;
use crate::policy::{Cors, Policy, Rule};
use crate::scope::{HostPattern, PathMatch};

pub(super) fn validate(
    list: &[RuleDraft],
    field: &Field,
    hosts: &[HostPattern],
    policy_cors: Option<&Cors>,
    analysis: &mut Analysis<'_>,
    report: &mut Report,
) -> Vec<Rule> {
    let knowledge = analysis.knowledge;
    let policy_allows =
        policy_cors.is_some_and(|cors| !cors.origins.is_empty() || !cors.regexes.is_empty());
    let mut rules = Vec::new();
    let mut seen: HashMap<PathMatch, usize> = HashMap::new();
    let list = report.bounded_to(MAX_RULES, list, field);
    let taken = Taken::of(list, field, hosts);
    for (at, draft) in list.iter().enumerate() {
        let entry = field.at(at);
        let RuleDraft {
            path_type,
            path_value,
            mode,
            cors,
            disallowed_requests,
            trusted_origins,
            upstream_origin,
        } = draft;
        let off = *mode == Mode::Off;
        let has_cors = cors.is_some() || policy_cors.is_some();
        if !has_cors && !off {
            report.add(&entry, RuleReason::WithoutCors);
        }
        check_mode(draft, has_cors, &entry, report);
        let cors = cors.as_ref().map(|cors| {
            let place = match policy_allows {
                _ if off => Place::Unused,
                true => Place::BesideAllowed,
                false => Place::Alone,
            };
            cors::validate(cors, &entry.child("cors"), place, analysis, report)
        });
        let trusted_field = entry.child("trustedOrigins");
        let trusted_origins = trusted_origins
            .as_ref()
            .map(|trusted| origins::trusted(trusted, &trusted_field, knowledge, report));
        let path_field = entry.child("path");
        if let Some(reason) = taken.refusal(draft) {
            report.add(&path_field.child("value"), reason);
        }
        // A path in another syntax can be read as a literal one, and an earlier release accepted it as that.
        let Ok(path) = PathMatch::parse(*path_type, path_value) else { continue };
        if let Some(first) = seen.get(&path) {
            let (value, first) = (path_value.clone(), field.at(*first).to_string());
            report.add(&path_field, RuleReason::SamePath { value, first });
        }
        seen.entry(path.clone()).or_insert(at);
        let (disallowed_requests, upstream_origin) = (*disallowed_requests, *upstream_origin);
        rules.push(Rule { path, off, cors, disallowed_requests, trusted_origins, upstream_origin });
    }
    rules
}

/// A rule that leaves requests alone says nothing else, and none is rehearsed by itself.
fn check_mode(draft: &RuleDraft, has_cors: bool, entry: &Field, report: &mut Report) {
    let said = [
        ("cors", draft.cors.is_some()),
        ("disallowedRequests", draft.disallowed_requests.is_some()),
        ("trustedOrigins", draft.trusted_origins.is_some()),
        ("upstreamOrigin", draft.upstream_origin.is_some()),
    ];
    match draft.mode {
        Mode::Active => {}
        Mode::DryRun => report.add(&entry.child("mode"), RuleReason::DryRun),
        Mode::Off => {
            for (name, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
                report.add(&entry.child(name), RuleReason::BesideOff { has_cors });
            }
        }
    }
}

/// A table has a place for each rule on each host.
pub(super) fn check_places(policy: &Policy, spec: &Field, report: &mut Report) {
    let (hosts, rules) = (policy.hostnames.len().max(1), policy.rules.len());
    if hosts.saturating_mul(rules.saturating_add(1)) > MAX_PLACES {
        report
            .add(&spec.child("rules"), RuleReason::TooManyPlaces { hosts, rules, max: MAX_PLACES });
    }
}

/// The settings in force at a rule, or at the policy itself.
#[derive(PartialEq, Eq)]
enum Effect<'p> {
    LeftAlone,
    Judged {
        cors: &'p Cors,
        disallowed_requests: DisallowedRequests,
        trusted_origins: &'p [OriginPattern],
        upstream_origin: UpstreamOrigin,
    },
}

/// A rule that changes nothing, or leaves nothing to the policy's own block.
pub(super) fn check_each_is_needed(policy: &Policy, spec: &Field, report: &mut Report) {
    let rules_field = spec.child("rules");
    let prefixes: HashMap<&str, usize> = policy
        .rules
        .iter()
        .enumerate()
        .filter_map(|(at, rule)| match &rule.path {
            PathMatch::Prefix(prefix) => Some((prefix.as_str(), at)),
            PathMatch::Exact(_) => None,
        })
        .collect();
    for (at, rule) in policy.rules.iter().enumerate() {
        let next = next_prefix(&rule.path, &prefixes);
        let (other, same) = match next.and_then(|at| policy.rules.get(at).map(|rule| (at, rule))) {
            Some((at, rule)) => (Some(rule), rules_field.at(at).to_string()),
            None => (None, spec.to_string()),
        };
        let effect = Effect::of(policy, Some(rule));
        if effect.is_some() && effect == Effect::of(policy, other) {
            report.add(&rules_field.at(at), RuleReason::Redundant { same });
        }
    }
    let root = prefixes.get("").and_then(|at| policy.rules.get(*at).map(|rule| (*at, rule)));
    let none_inherits = policy.rules.iter().all(|rule| rule.off || rule.cors.is_some());
    match root.filter(|_| policy.cors.is_some() && none_inherits) {
        Some((at, rule)) if rule.off => {
            report.add(&rules_field.at(at), RuleReason::LeavesAllAlone);
        }
        Some((at, _)) => {
            let by = rules_field.at(at).to_string();
            report.add(&spec.child("cors"), RuleReason::CorsShadowed { by });
        }
        None => {}
    }
}

/// The prefix rule that would answer for `path` if its own were not there.
fn next_prefix(path: &PathMatch, prefixes: &HashMap<&str, usize>) -> Option<usize> {
    let start = match path {
        PathMatch::Exact(path) => Some(path.strip_suffix('/').unwrap_or(path)),
        PathMatch::Prefix(path) => parent(path),
    };
    std::iter::successors(start, |path| parent(path)).find_map(|path| prefixes.get(path).copied())
}

/// The path without its last segment.
fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

// === impl Effect ===

impl<'p> Effect<'p> {
    /// That of `rule`, or of the policy outside its rules; `None` where there is no `cors`.
    fn of(policy: &'p Policy, rule: Option<&'p Rule>) -> Option<Self> {
        let Some(rule) = rule else {
            return Some(Self::Judged {
                cors: policy.cors.as_ref()?,
                disallowed_requests: policy.disallowed_requests,
                trusted_origins: &policy.trusted_origins,
                upstream_origin: policy.upstream_origin,
            });
        };
        let Rule { path: _, off, cors, disallowed_requests, trusted_origins, upstream_origin } =
            rule;
        if *off {
            return Some(Self::LeftAlone);
        }
        Some(Self::Judged {
            cors: cors.as_ref().or(policy.cors.as_ref())?,
            disallowed_requests: disallowed_requests.unwrap_or(policy.disallowed_requests),
            trusted_origins: trusted_origins.as_ref().unwrap_or(&policy.trusted_origins),
            upstream_origin: upstream_origin.unwrap_or(policy.upstream_origin),
        })
    }
}
