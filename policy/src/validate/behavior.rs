//! Behavior: what the fields that say how requests are treated mean together.

use super::report::{Field, Report};
use crate::draft::{DisallowedRequests, Mode, OnFailure, UpstreamCorsHeaders, UpstreamOrigin};
use crate::finding::{BehaviorReason, Place};
use crate::pattern::OriginPattern;
use crate::policy::{Cors, Policy, Rule};

pub(super) fn check(policy: &Policy, covers_any_host: bool, spec: &Field, report: &mut Report) {
    check_rejection(policy, covers_any_host, spec, report);
    check_any_origin(policy, spec, report);
    check_trusted_origins(policy, spec, report);
    check_upstream_origin(policy, spec, report);
    match (policy.on_failure, policy.upstream_cors_headers) {
        (OnFailure::Forward, UpstreamCorsHeaders::Replace) => {
            let field = spec.child("preflight").child("onFailure");
            report.add(&field, BehaviorReason::ForwardWithReplace);
        }
        (OnFailure::Explain | OnFailure::Reject | OnFailure::Ignore, UpstreamCorsHeaders::Keep) => {
            report.add(&spec.child("upstreamCorsHeaders"), BehaviorReason::KeepWithoutForward);
        }
        (OnFailure::Forward, UpstreamCorsHeaders::Keep)
        | (
            OnFailure::Explain | OnFailure::Reject | OnFailure::Ignore,
            UpstreamCorsHeaders::Replace,
        ) => {}
    }
}

/// The general notes about rejection, once each.
fn check_rejection(policy: &Policy, covers_any_host: bool, spec: &Field, report: &mut Report) {
    let rule_that_rejects = policy.rules.iter().position(|rule| rejects(policy, rule));
    let field = match rule_that_rejects {
        _ if is_reject(policy.disallowed_requests) => spec.clone(),
        Some(at) => spec.child("rules").at(at),
        None => return,
    };
    report.add(&field.child("disallowedRequests"), BehaviorReason::RejectFailsOpen);
    if covers_any_host {
        report.add(&spec.child("hostnames"), BehaviorReason::RejectWithoutHostnames);
    }
    let rejects_everywhere = is_reject(policy.disallowed_requests)
        && policy.cors.as_ref().is_some_and(|cors| !is_static(cors))
        && policy.rules.iter().all(|rule| rejects(policy, rule));
    if rejects_everywhere {
        report.add(&spec.child("disallowedRequests"), BehaviorReason::RejectWithoutSignIn);
    }
}

/// A static `*` leaves little to reject.
fn check_any_origin(policy: &Policy, spec: &Field, report: &mut Report) {
    let here = || BehaviorReason::RejectUnderAnyOrigin(Place::Here);
    if is_reject(policy.disallowed_requests) && policy.cors.as_ref().is_some_and(is_static) {
        report.add(&spec.child("disallowedRequests"), here());
    }
    for (at, rule) in policy.rules.iter().enumerate() {
        let field = spec.child("rules").at(at);
        let own_word = field.child("disallowedRequests");
        let cors = rule.cors.as_ref().or(policy.cors.as_ref());
        if !rejects(policy, rule) || !cors.is_some_and(is_static) {
            continue;
        }
        if rule.disallowed_requests.is_some() {
            report.add(&own_word, here());
        } else if rule.cors.is_some() {
            let of_the_rule = BehaviorReason::RejectUnderAnyOrigin(Place::At(own_word.to_string()));
            report.add(&field.child("cors").child("allowOrigins"), of_the_rule);
        }
    }
}

fn check_trusted_origins(policy: &Policy, spec: &Field, report: &mut Report) {
    let anything_rejects = is_reject(policy.disallowed_requests)
        || policy.rules.iter().any(|rule| rejects(policy, rule) && rule.trusted_origins.is_none());
    if !policy.trusted_origins.is_empty() && !anything_rejects {
        report.add(&spec.child("trustedOrigins"), BehaviorReason::TrustedOriginsUnused);
    }
    for (at, rule) in policy.rules.iter().enumerate() {
        let trusted = rule.trusted_origins.as_ref().is_some_and(|trusted| !trusted.is_empty());
        if trusted && !rule.off && !rejects(policy, rule) {
            let field = spec.child("rules").at(at).child("trustedOrigins");
            report.add(&field, BehaviorReason::TrustedOriginsUnused);
        }
    }
}

/// Reports the checks that need an `Origin` which the upstream does not see, once, and the settings that keep it from
/// being removed.
fn check_upstream_origin(policy: &Policy, spec: &Field, report: &mut Report) {
    let removes = |said: Option<UpstreamOrigin>| said == Some(UpstreamOrigin::Remove);
    let rules = spec.child("rules");
    let own = removes(Some(policy.upstream_origin)).then(|| spec.clone());
    let of_rules = policy.rules.iter().enumerate();
    let of_rules = of_rules.filter(|(_, rule)| !rule.off && removes(rule.upstream_origin));
    let saying: Vec<Field> = own.into_iter().chain(of_rules.map(|(at, _)| rules.at(at))).collect();
    let excepts =
        policy.rules.iter().any(|rule| rule.upstream_origin == Some(UpstreamOrigin::Keep));
    for (at, field) in saying.iter().enumerate() {
        let field = field.child("upstreamOrigin");
        if at == 0 && !excepts && policy.mode != Mode::Off {
            report.add(&field, BehaviorReason::OriginIsMissed);
        }
        if policy.upstream_cors_headers == UpstreamCorsHeaders::Keep {
            report.add(&field, BehaviorReason::NothingToKeep);
        }
        if at == 0 && policy.mode == Mode::DryRun {
            report.add(&field, BehaviorReason::RehearsedRemoval);
        }
    }
}

fn rejects(policy: &Policy, rule: &Rule) -> bool {
    !rule.off && is_reject(rule.disallowed_requests.unwrap_or(policy.disallowed_requests))
}

fn is_reject(disallowed_requests: DisallowedRequests) -> bool {
    disallowed_requests == DisallowedRequests::Reject
}

/// Is `*` answered to every request?
fn is_static(cors: &Cors) -> bool {
    !cors.credentials && cors.origins.contains(&OriginPattern::Any)
}
