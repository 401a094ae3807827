//! Compilation: valid policies become what one proxy runs. Total: a [`Policy`] always compiles.

use std::sync::Arc;

use crate::compiled::{Block, Compiled, CompiledCors, CompiledPolicy, Head};
use crate::draft::Mode;
use crate::policy::{Cors, Policy, Rule};
use crate::scope::HostPattern;

/// Compiles the policies of one proxy. Their order does not matter; `Off` policies are left out.
#[must_use]
pub fn compile(policies: &[&Policy]) -> Compiled {
    let mut in_force: Vec<&Policy> =
        policies.iter().copied().filter(|policy| policy.mode != Mode::Off).collect();
    // GEP-713: the older policy is established; then the name decides.
    in_force.sort_by_key(|policy| (policy.created.unwrap_or(i64::MAX), &policy.id));
    Compiled::new(in_force.into_iter().map(compile_policy).collect())
}

fn compile_policy(policy: &Policy) -> CompiledPolicy {
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
        diagnostics,
        closeness,
        created: _,
    } = policy;
    let every_host = hostnames.is_empty().then_some(HostPattern::Any);
    let head = Arc::new(Head {
        id: id.clone(),
        closeness: *closeness,
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
        Block::new(Arc::clone(&head), None, Arc::clone(cors), *disallowed_requests, trusted)
    });
    let narrower = sorted_rules(rules).into_iter().filter_map(|rule| {
        let own = rule.cors.as_ref().map(|cors| Arc::new(compile_cors(cors)));
        let cors = own.or_else(|| shared.clone())?;
        let trusted = rule.trusted_origins.as_ref().unwrap_or(trusted_origins);
        Some(Block::new(
            Arc::clone(&head),
            Some(rule.path.clone()),
            cors,
            rule.disallowed_requests.unwrap_or(*disallowed_requests),
            sorted(trusted.iter().cloned()),
        ))
    });
    CompiledPolicy { blocks: everything.chain(narrower).map(Arc::new).collect(), head }
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

/// Sorted and unique: equal policies compile to equal bytes, in whatever order their lists were written.
fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items.dedup();
    items
}
