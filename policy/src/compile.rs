//! Compilation: valid policies become what one proxy runs. Total: a [`Policy`] always compiles.

use std::sync::Arc;

use crate::compiled::{Compiled, CompiledCors, CompiledPolicy, RuleSet, Settings};
use crate::draft::{Mode, UpstreamOrigin};
use crate::policy::{Cors, Policy, Rule};
use crate::scope::HostPattern;
use crate::workload::{Narrowing, Workload};

/// Compiles policies that are for every request of every proxy that gets them. Their order does not matter; `Off` policies
/// are left out.
#[must_use]
pub fn compile(policies: &[&Policy]) -> Compiled {
    compile_for(&policies.iter().map(|policy| (*policy, &[][..])).collect::<Vec<_>>())
}

/// Compiles policies each of which is only for the proxies that are one of its workloads, and only for that workload's port
/// where it has one; a policy without workloads is for all.
#[must_use]
pub fn compile_for(policies: &[(&Policy, &[Workload])]) -> Compiled {
    let mut in_force = policies.to_vec();
    in_force.retain(|(policy, _)| policy.mode != Mode::Off);
    // GEP-713: the older policy is established; then the name decides.
    in_force.sort_by_key(|(policy, _)| (policy.created.unwrap_or(i64::MAX), &policy.id));
    let compile = |(policy, workloads)| compile_policy(policy, narrowings(workloads));
    Compiled::new(in_force.into_iter().map(compile).collect())
}

/// Narrows to the workloads; a workload without labels and port covers all others, so the result is empty.
fn narrowings(workloads: &[Workload]) -> Vec<Narrowing> {
    let narrowings = sorted(workloads.iter().map(Narrowing::of));
    if narrowings.iter().any(Narrowing::is_everything) { Vec::new() } else { narrowings }
}

fn compile_policy(policy: &Policy, workloads: Vec<Narrowing>) -> CompiledPolicy {
    let Policy {
        id,
        hostnames,
        cors,
        rules,
        disallowed_requests,
        trusted_origins,
        mode,
        on_failure,
        success_status,
        upstream_cors_headers,
        upstream_origin,
        diagnostics,
        specificity,
        created: _,
        dangers: _,
    } = policy;
    let every_host = hostnames.is_empty().then_some(HostPattern::Any);
    let settings = Arc::new(Settings {
        id: id.clone(),
        specificity: *specificity,
        hosts: sorted(hostnames.iter().cloned().chain(every_host)),
        dry_run: *mode == Mode::DryRun,
        on_failure: *on_failure,
        success_status: *success_status,
        upstream_cors_headers: *upstream_cors_headers,
        diagnostics: *diagnostics,
    });
    let shared = cors.as_ref().map(|cors| Arc::new(compile_cors(cors)));
    let everything = shared.iter().map(|cors| {
        let trusted = sorted(trusted_origins.iter().cloned());
        let (settings, cors) = (Arc::clone(&settings), Arc::clone(cors));
        let rule_set = RuleSet::new(settings, None, cors, *disallowed_requests, trusted);
        RuleSet { removes_origin: *upstream_origin == UpstreamOrigin::Remove, ..rule_set }
    });
    let narrower = sorted_rules(rules).into_iter().filter_map(|rule| {
        if rule.off {
            return Some(RuleSet::left_alone(Arc::clone(&settings), Some(rule.path.clone())));
        }
        let own = rule.cors.as_ref().map(|cors| Arc::new(compile_cors(cors)));
        let cors = own.or_else(|| shared.clone())?;
        let trusted = rule.trusted_origins.as_ref().unwrap_or(trusted_origins);
        let upstream_origin = rule.upstream_origin.unwrap_or(*upstream_origin);
        let rule_set = RuleSet::new(
            Arc::clone(&settings),
            Some(rule.path.clone()),
            cors,
            rule.disallowed_requests.unwrap_or(*disallowed_requests),
            sorted(trusted.iter().cloned()),
        );
        Some(RuleSet { removes_origin: upstream_origin == UpstreamOrigin::Remove, ..rule_set })
    });
    let rule_sets = everything.chain(narrower).map(Arc::new).collect();
    CompiledPolicy { settings, rule_sets, workloads }
}

fn compile_cors(cors: &Cors) -> CompiledCors {
    let mut source = cors.clone();
    source.origins = sorted(source.origins);
    source.regexes.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    source.regexes.dedup();
    CompiledCors::new(source)
}

fn sorted_rules(rules: &[Rule]) -> Vec<&Rule> {
    let mut sorted: Vec<&Rule> = rules.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    sorted
}

/// Returns the items sorted and unique: equal policies compile to equal bytes, in any order of their lists.
fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items.dedup();
    items
}
