//! Compilation: valid policies become what one proxy runs. Total: a [`Policy`] always compiles.

use std::sync::Arc;

use crate::compiled::{Compiled, CompiledCors, CompiledPolicy, RuleSet, Settings};
use crate::draft::{DisallowedRequests, Mode, UpstreamOrigin};
use crate::pattern::OriginPattern;
use crate::policy::{Cors, Policy, Rule};
use crate::scope::{HostPattern, PathMatch};
use crate::workload::{Narrowing, Workload};

/// Compiles policies that are for every request of every proxy that gets them. Their order does not matter; `Off` policies
/// are left out.
pub fn compile(policies: &[&Policy]) -> Compiled {
    compile_for(&policies.iter().map(|policy| (*policy, &[][..])).collect::<Vec<_>>())
}

/// Compiles policies each of which is only for the proxies that are one of its workloads, and only for that workload's port
/// where it has one; a policy without workloads is for all.
pub fn compile_for(policies: &[(&Policy, &[Workload])]) -> Compiled {
    Compiled::new(arrange(policies).into_iter().map(compile_policy).collect())
}

/// A policy in the order in which it is compiled and written: its lists sorted, each entry once, and each rule with what it takes
/// from the policy. Look-up tables come later.
pub(crate) struct Arranged {
    pub(crate) settings: Settings,
    pub(crate) workloads: Vec<Narrowing>,
    pub(crate) blocks: Vec<ArrangedBlock>,
}

/// The block for everything in scope, or a rule.
pub(crate) struct ArrangedBlock {
    pub(crate) path: Option<PathMatch>,
    pub(crate) off: bool,
    pub(crate) cors: Arc<Cors>,
    pub(crate) disallowed_requests: DisallowedRequests,
    pub(crate) trusted_origins: Vec<OriginPattern>,
    pub(crate) removes_origin: bool,
}

/// Arranges policies in order of precedence; `Off` policies are left out.
pub(crate) fn arrange(policies: &[(&Policy, &[Workload])]) -> Vec<Arranged> {
    let mut in_force = policies.to_vec();
    in_force.retain(|(policy, _)| policy.mode != Mode::Off);
    // GEP-713: the older policy is established; then the name decides.
    in_force.sort_by_key(|(policy, _)| (policy.created.unwrap_or(i64::MAX), &policy.id));
    let arrange = |(policy, workloads)| arrange_policy(policy, narrowings(workloads));
    in_force.into_iter().map(arrange).collect()
}

/// Narrows to the workloads; a workload without labels and port covers all others, so the result is empty.
fn narrowings(workloads: &[Workload]) -> Vec<Narrowing> {
    let narrowings = sorted(workloads.iter().map(Narrowing::of));
    if narrowings.iter().any(Narrowing::is_everything) { Vec::new() } else { narrowings }
}

fn arrange_policy(policy: &Policy, workloads: Vec<Narrowing>) -> Arranged {
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
    let settings = Settings {
        id: id.clone(),
        specificity: *specificity,
        hosts: sorted(hostnames.iter().cloned().chain(every_host)),
        dry_run: *mode == Mode::DryRun,
        on_failure: *on_failure,
        success_status: *success_status,
        upstream_cors_headers: *upstream_cors_headers,
        diagnostics: *diagnostics,
    };
    let shared = cors.as_ref().map(|cors| Arc::new(arrange_cors(cors)));
    let everything = shared.iter().map(|cors| ArrangedBlock {
        path: None,
        off: false,
        cors: Arc::clone(cors),
        disallowed_requests: *disallowed_requests,
        trusted_origins: sorted(trusted_origins.iter().cloned()),
        removes_origin: *upstream_origin == UpstreamOrigin::Remove,
    });
    let narrower = sorted_rules(rules).into_iter().filter_map(|rule| {
        let path = Some(rule.path.clone());
        if rule.off {
            return Some(ArrangedBlock::left_alone(path));
        }
        let own = rule.cors.as_ref().map(|cors| Arc::new(arrange_cors(cors)));
        let trusted = rule.trusted_origins.as_ref().unwrap_or(trusted_origins);
        let upstream_origin = rule.upstream_origin.unwrap_or(*upstream_origin);
        Some(ArrangedBlock {
            path,
            off: false,
            cors: own.or_else(|| shared.clone())?,
            disallowed_requests: rule.disallowed_requests.unwrap_or(*disallowed_requests),
            trusted_origins: sorted(trusted.iter().cloned()),
            removes_origin: upstream_origin == UpstreamOrigin::Remove,
        })
    });
    let blocks = everything.chain(narrower).collect();
    Arranged { settings, workloads, blocks }
}

fn compile_policy(arranged: Arranged) -> CompiledPolicy {
    let Arranged { settings, workloads, blocks } = arranged;
    let settings = Arc::new(settings);
    let mut first: Option<(Arc<Cors>, Arc<CompiledCors>)> = None;
    let rule_set = |block: ArrangedBlock| {
        let ArrangedBlock { path, off, cors, disallowed_requests, trusted_origins, removes_origin } =
            block;
        let settings = Arc::clone(&settings);
        if off {
            return RuleSet::left_alone(settings, path);
        }
        let known = first.as_ref().filter(|(source, _)| Arc::ptr_eq(source, &cors));
        let compiled = known.map(|(_, compiled)| Arc::clone(compiled));
        let compiled = compiled.unwrap_or_else(|| Arc::new(CompiledCors::new(Cors::clone(&cors))));
        first.get_or_insert_with(|| (cors, Arc::clone(&compiled)));
        let rule_set = RuleSet::new(settings, path, compiled, disallowed_requests, trusted_origins);
        RuleSet { removes_origin, ..rule_set }
    };
    let rule_sets = blocks.into_iter().map(rule_set).map(Arc::new).collect();
    CompiledPolicy { settings, rule_sets, workloads }
}

fn arrange_cors(cors: &Cors) -> Cors {
    let mut arranged = cors.clone();
    arranged.origins = sorted(arranged.origins);
    arranged.regexes.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    arranged.regexes.dedup();
    arranged
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

// === impl ArrangedBlock ===

impl ArrangedBlock {
    /// A block that leaves its requests and their responses alone.
    fn left_alone(path: Option<PathMatch>) -> Self {
        Self {
            path,
            off: true,
            cors: Arc::default(),
            disallowed_requests: DisallowedRequests::Forward,
            trusted_origins: Vec::new(),
            removes_origin: false,
        }
    }
}
