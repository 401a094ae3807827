//! Metrics: a bounded set of names, each defined once. Under proxy-wasm Envoy exports them as `wasmcustom.<name>`.
//!
//! Names are for ever (Envoy never forgets one), so nothing that a client sends is part of a name. `docs/stats-tags.md` has
//! the rules that turn them into Prometheus labels.

use std::sync::Arc;

use corsward_policy::wire;
use corsward_policy::{
    Compiled, Outcome, PolicyId, Refusal, RequestKind, ShadowComparison, Verdict,
};

use crate::host::{Host, MetricKind, PluginHost};

/// A configuration with more policies is not counted by policy.
const MAX_COUNTED_POLICIES: usize = 64;

/// Most policies that are ever counted: their names outlive them.
const MAX_POLICIES_EVER: usize = 256;

const KINDS: [RequestKind; 2] = [RequestKind::Preflight, RequestKind::Actual];

const COMPARISONS: [ShadowComparison; 3] =
    [ShadowComparison::Agree, ShadowComparison::OursOnly, ShadowComparison::UpstreamOnly];

/// The metrics of one [`Engine`](crate::Engine).
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    counters: Counters,
    /// The digest that each plugin instance runs. There may be several for a moment, and there is one gauge.
    // INVARIANT: in the order in which they came into force, each instance once.
    in_force: Vec<(u32, u64)>,
}

/// The counters of requests. A configuration keeps those that were defined when it came into force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    fixed: Option<Arc<Fixed>>,
    // INVARIANT: in the order of the ids, each once.
    policies: Vec<Arc<PolicyCounters>>,
}

/// The metrics that do not depend on a configuration.
#[derive(Debug)]
struct Fixed {
    accepted: Option<u32>,
    refused: Option<u32>,
    digest: Option<u32>,
    heartbeats: Option<u32>,
    decisions: Decisions,
    shadow_decisions: Decisions,
    shadow_comparisons: Vec<(ShadowComparison, u32)>,
}

/// A counter for each kind and outcome that can occur.
#[derive(Debug)]
struct Decisions(Vec<(RequestKind, Outcome, u32)>);

/// The counters of one policy.
#[derive(Debug)]
struct PolicyCounters {
    id: PolicyId,
    /// By the outcome's label.
    verdicts: Vec<(&'static str, u32)>,
    shadow_comparisons: Vec<(ShadowComparison, u32)>,
}

// === impl Metrics ===

impl Metrics {
    /// Counts an accepted configuration, and defines the metrics of its policies.
    pub(crate) fn accepted(&mut self, host: &impl PluginHost, compiled: &Compiled) {
        increment(host, self.counters.define(host).accepted);
        if compiled.policies().nth(MAX_COUNTED_POLICIES).is_none() {
            compiled.policies().for_each(|id| self.counters.define_policy(host, id));
        }
    }

    /// Counts a configuration that could not be used.
    pub(crate) fn refused(&mut self, host: &impl PluginHost) {
        increment(host, self.counters.define(host).refused);
    }

    /// Records that the plugin instance `plugin` runs the configuration of this digest. Returns the counters of its
    /// requests.
    pub(crate) fn in_force(&mut self, host: &impl Host, plugin: u32, digest: u64) -> Counters {
        self.in_force.retain(|(known, _)| *known != plugin);
        self.in_force.push((plugin, digest));
        self.record_digest(host);
        self.counters.clone()
    }

    /// Removes the plugin instance `plugin`: the gauge then has the digest of a remaining one.
    pub(crate) fn retired(&mut self, host: &impl Host, plugin: u32) {
        self.in_force.retain(|(known, _)| *known != plugin);
        self.record_digest(host);
    }

    /// Counts a heartbeat.
    pub(crate) fn alive(&self, host: &impl Host) {
        increment(host, self.counters.fixed.as_ref().and_then(|fixed| fixed.heartbeats));
    }

    /// Sets the gauge. Without an instance it stays: a second engine of the process, such as that of a newer module, may
    /// have set it.
    fn record_digest(&self, host: &impl Host) {
        let gauge = self.counters.fixed.as_ref().and_then(|fixed| fixed.digest);
        if let (Some(gauge), Some((_, digest))) = (gauge, self.in_force.last()) {
            host.record(gauge, *digest);
        }
    }
}

// === impl Counters ===

impl Counters {
    /// Counts the verdict about a CORS request.
    pub(crate) fn decided(&self, host: &impl Host, verdict: &Verdict<'_>) {
        increment(host, self.fixed.as_ref().and_then(|fixed| fixed.decisions.of(verdict)));
        increment(host, self.of_policy(verdict).and_then(|counters| counters.of(verdict)));
    }

    /// Counts the verdict of a `DryRun` policy.
    pub(crate) fn shadow_decided(&self, host: &impl Host, verdict: &Verdict<'_>) {
        increment(host, self.fixed.as_ref().and_then(|fixed| fixed.shadow_decisions.of(verdict)));
        increment(host, self.of_policy(verdict).and_then(|counters| counters.of(verdict)));
    }

    /// Counts a comparison of a shadow verdict with the upstream's own answer.
    pub(crate) fn shadow_compared(
        &self,
        host: &impl Host,
        verdict: &Verdict<'_>,
        comparison: ShadowComparison,
    ) {
        let of_all = self.fixed.as_ref().map(|fixed| &fixed.shadow_comparisons);
        let of_policy = self.of_policy(verdict).map(|counters| &counters.shadow_comparisons);
        for counters in [of_all, of_policy].into_iter().flatten() {
            increment(host, find(counters, &comparison));
        }
    }

    /// Returns the metrics that do not depend on a configuration, and defines them the first time.
    fn define(&mut self, host: &impl PluginHost) -> &Fixed {
        self.fixed.get_or_insert_with(|| Arc::new(Fixed::define(host)))
    }

    fn define_policy(&mut self, host: &impl PluginHost, id: &PolicyId) {
        if let Err(place) = self.place(id)
            && self.policies.len() < MAX_POLICIES_EVER
        {
            self.policies.insert(place, Arc::new(PolicyCounters::define(host, id)));
        }
    }

    fn of_policy(&self, verdict: &Verdict<'_>) -> Option<&PolicyCounters> {
        let place = self.place(verdict.policy()).ok()?;
        self.policies.get(place).map(|counters| &**counters)
    }

    fn place(&self, id: &PolicyId) -> Result<usize, usize> {
        self.policies.binary_search_by(|known| known.id.cmp(id))
    }
}

// === impl Fixed ===

impl Fixed {
    fn define(host: &impl PluginHost) -> Self {
        // Announces what the filter reads, so that a publisher never sends what an old filter cannot run.
        for version in wire::VERSIONS {
            let gauge = format!("corsward.wire.v{version}");
            if let Some(gauge) = host.define_metric(MetricKind::Gauge, &gauge) {
                host.record(gauge, 1);
            }
        }
        Self {
            accepted: host.define_metric(MetricKind::Counter, "corsward.config.accepted"),
            refused: host.define_metric(MetricKind::Counter, "corsward.config.refused"),
            digest: host.define_metric(MetricKind::Gauge, "corsward.config.digest"),
            heartbeats: host.define_metric(MetricKind::Counter, "corsward.heartbeats"),
            decisions: Decisions::define(host, "corsward.decisions"),
            // A name of its own: under one name a sum would count a request with a shadow verdict twice.
            shadow_decisions: Decisions::define(host, "corsward.shadow_decisions"),
            shadow_comparisons: define_comparisons(host, "corsward.shadow_comparisons"),
        }
    }
}

// === impl Decisions ===

impl Decisions {
    fn define(host: &impl PluginHost, prefix: &str) -> Self {
        let mut counters = Vec::new();
        for kind in KINDS {
            for outcome in outcomes().filter(|outcome| can_occur(kind, *outcome)) {
                let (kind_label, verdict) = (kind.label(), outcome.label());
                let reason = outcome.refusal().map_or("none", Refusal::label);
                let name = format!("{prefix}.kind.{kind_label}.verdict.{verdict}.reason.{reason}");
                if let Some(id) = host.define_metric(MetricKind::Counter, &name) {
                    counters.push((kind, outcome, id));
                }
            }
        }
        Self(counters)
    }

    fn of(&self, verdict: &Verdict<'_>) -> Option<u32> {
        let mut counters = self.0.iter();
        let same = |(kind, outcome, _): &&(RequestKind, Outcome, u32)| {
            *kind == verdict.kind && *outcome == verdict.outcome
        };
        counters.find(same).map(|(.., id)| *id)
    }
}

// === impl PolicyCounters ===

impl PolicyCounters {
    fn define(host: &impl PluginHost, id: &PolicyId) -> Self {
        let PolicyId { namespace, name } = id;
        // A namespace has no dot and a name may have some: `verdict` and `shadow_comparisons` end it in the tag regexes.
        let prefix =
            format!("corsward.policy.{}.{}", segment(namespace, None), segment(name, Some('.')));
        let mut verdicts = Vec::new();
        for outcome in outcomes().map(Outcome::label) {
            if find(&verdicts, &outcome).is_none() {
                let name = format!("{prefix}.verdict.{outcome}");
                verdicts
                    .extend(host.define_metric(MetricKind::Counter, &name).map(|id| (outcome, id)));
            }
        }
        let shadow_comparisons = define_comparisons(host, &format!("{prefix}.shadow_comparisons"));
        Self { id: id.clone(), verdicts, shadow_comparisons }
    }

    fn of(&self, verdict: &Verdict<'_>) -> Option<u32> {
        find(&self.verdicts, &verdict.outcome.label())
    }
}

fn define_comparisons(host: &impl PluginHost, prefix: &str) -> Vec<(ShadowComparison, u32)> {
    let define = |comparison| {
        let name = format!("{prefix}.{}", label(comparison));
        Some((comparison, host.define_metric(MetricKind::Counter, &name)?))
    };
    COMPARISONS.into_iter().filter_map(define).collect()
}

fn outcomes() -> impl Iterator<Item = Outcome> {
    [Outcome::Allowed, Outcome::SameOrigin, Outcome::Trusted]
        .into_iter()
        .chain(Refusal::ALL.into_iter().map(Outcome::Refused))
        .chain(Refusal::ALL.into_iter().map(Outcome::Rejected))
}

/// Only a preflight asks about a method and headers.
fn can_occur(kind: RequestKind, outcome: Outcome) -> bool {
    match outcome.refusal() {
        Some(Refusal::Method | Refusal::Header | Refusal::TooLong) => {
            kind == RequestKind::Preflight
        }
        _ => true,
    }
}

const fn label(comparison: ShadowComparison) -> &'static str {
    match comparison {
        ShadowComparison::Agree => "agree",
        ShadowComparison::OursOnly => "ours_only",
        ShadowComparison::UpstreamOnly => "upstream_only",
    }
}

/// A part of a metric's name: what Kubernetes lets into a name, and `_` for the rest.
fn segment(text: &str, also: Option<char>) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || c == '-' || also == Some(c);
    text.chars().map(|c| if keep(c) { c } else { '_' }).collect()
}

fn find<K: PartialEq>(counters: &[(K, u32)], key: &K) -> Option<u32> {
    counters.iter().find(|(candidate, _)| candidate == key).map(|(_, id)| *id)
}

fn increment(host: &impl Host, metric: Option<u32>) {
    if let Some(metric) = metric {
        host.increment(metric);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Fake};

    #[test]
    fn names_are_bounded_and_each_is_defined_once() {
        let (fake, mut metrics) = (Fake::default(), Metrics::default());
        let compiled = fake::compiled(&[fake::draft("shop", "api")]);
        metrics.accepted(&fake, &compiled);
        metrics.accepted(&fake, &compiled);
        assert_eq!(fake.metric("corsward.config.accepted"), Some(2));
        assert_eq!(fake.metric("corsward.wire.v1"), Some(1));
        let of = |part: &str| fake.metric_names().iter().filter(|name| name.contains(part)).count();
        assert_eq!(of("corsward.decisions.kind.preflight."), 17);
        assert_eq!(of("corsward.decisions.kind.actual."), 11);
        assert_eq!(of("corsward.policy.shop.api.verdict."), 5);
        assert_eq!(of("corsward.policy.shop.api.shadow_comparisons."), 3);
    }

    #[test]
    fn many_policies_are_not_counted_one_by_one() {
        let drafts = |count: usize| -> Vec<_> {
            (0..count).map(|number| fake::draft("shop", &format!("p{number}"))).collect()
        };
        for (count, counted) in [(MAX_COUNTED_POLICIES, true), (MAX_COUNTED_POLICIES + 1, false)] {
            let (fake, mut metrics) = (Fake::default(), Metrics::default());
            metrics.accepted(&fake, &fake::compiled(&drafts(count)));
            let some = fake.metric_names().iter().any(|name| name.contains("corsward.policy."));
            assert_eq!(some, counted, "{count} policies");
        }
    }

    #[test]
    fn policies_that_come_and_go_do_not_fill_the_proxy_with_names() {
        let (fake, mut metrics) = (Fake::default(), Metrics::default());
        for number in 0..2 * MAX_POLICIES_EVER {
            let compiled = fake::compiled(&[fake::draft("shop", &format!("p{number}"))]);
            metrics.accepted(&fake, &compiled);
        }
        let names = fake.metric_names();
        let verdicts = names.iter().filter(|name| name.ends_with(".verdict.allowed"));
        assert_eq!(verdicts.count(), MAX_POLICIES_EVER);
    }

    #[test]
    fn a_name_is_what_kubernetes_allows() {
        for (why, text, also, want) in [
            ("as it is", "shop-1", None, "shop-1"),
            ("a namespace is one segment", "a.b", None, "a_b"),
            ("a policy's name may have dots", "a.b", Some('.'), "a.b"),
            ("anything else", "a b\"é\n", Some('.'), "a_b___"),
        ] {
            assert_eq!(segment(text, also), want, "{why}");
        }
    }
}
