//! Metrics: what a monitoring system wants to know of the operator.

pub mod admission;
pub mod publishing;
pub mod source;
pub mod writer;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::metrics::publishing::Publishing;
use crate::plan::{Plan, ScopePlan};
use crate::source::Problem;
use crate::status::{ConditionType, Status};

/// A label: its name and its value, both from closed sets.
type Label = [(&'static str, &'static str); 1];

/// Every metric of the operator.
#[derive(Debug)]
pub struct Metrics {
    /// What a publisher of a cluster counts.
    pub publishing: Publishing,
    registry: Registry,
    policies: Family<Label, Gauge>,
    attachments: Gauge,
    attachment_bytes: Gauge,
    plan_seconds: Histogram,
    publishes: Family<Label, Counter>,
    source_problems: Gauge,
    held_back: Gauge,
    leader: Gauge,
    last_good_age: Gauge,
    last_good_since: Mutex<Option<Instant>>,
    /// Watches of an API server.
    pub watches: source::Watches,
    /// Statuses that are written to an API server.
    pub status_writes: writer::StatusWrites,
    /// The webhook's.
    pub admission: admission::Admission,
}

/// What became of a publication.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It was written.
    Written,
    /// It was there already.
    Unchanged,
    /// It could not be written.
    Failed,
    /// It was not to be published.
    Held,
}

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        let seconds = [0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
        let mut metrics = Self {
            registry: Registry::with_prefix("corsward"),
            publishing: Publishing::default(),
            policies: Family::default(),
            attachments: Gauge::default(),
            attachment_bytes: Gauge::default(),
            plan_seconds: Histogram::new(seconds),
            publishes: Family::default(),
            source_problems: Gauge::default(),
            held_back: Gauge::default(),
            leader: Gauge::default(),
            last_good_age: Gauge::default(),
            last_good_since: Mutex::new(None),
            watches: source::Watches::default(),
            status_writes: writer::StatusWrites::default(),
            admission: admission::Admission::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Takes in how long it took to judge what changed, to compile it and to compute statuses.
    pub fn planned(&self, took: Duration) {
        self.plan_seconds.observe(took.as_secs_f64());
    }

    /// Takes in how things stand, and what is wrong outside of policies.
    pub fn stand<'s>(
        &self,
        statuses: impl Iterator<Item = &'s Status> + Clone,
        plan: &Plan,
        problems: &[Problem],
    ) {
        let holding = |kind| move |status: &&Status| status.holds(kind);
        self.set("accepted", statuses.clone().filter(holding(ConditionType::Accepted)));
        self.set("programmed", statuses.clone().filter(holding(ConditionType::Programmed)));
        let refused = |status: &&Status| !status.holds(ConditionType::Accepted);
        self.set("refused", statuses.clone().filter(refused));
        self.set("overridden", statuses.clone().filter(|status| status.overridden_by.is_some()));
        let mut last_good = statuses.clone().filter(|status| status.is_last_good());
        self.set("last_good", last_good.clone());
        let mut since = self.last_good_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = last_good.next().and_then(|_| since.or_else(|| Some(Instant::now())));
        let held_back = statuses.filter(|status| status.is_held_back()).count();
        self.held_back.set(i64::try_from(held_back).unwrap_or(i64::MAX));
        self.source_problems.set(i64::try_from(problems.len()).unwrap_or(i64::MAX));
        let attachments = || plan.scopes().values().flat_map(ScopePlan::attachments);
        let bytes = attachments().map(|(_, held)| held.compiled.len()).sum::<usize>();
        self.attachments.set(i64::try_from(attachments().count()).unwrap_or(i64::MAX));
        self.attachment_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Takes in what became of a publication.
    pub fn published(&self, fate: Fate) {
        self.publishes.get_or_create(&[("result", fate.as_str())]).inc();
    }

    /// Takes in whether this replica writes.
    pub fn leads(&self, leading: bool) {
        self.leader.set(i64::from(leading));
    }

    /// All of it, as Prometheus reads it.
    #[must_use]
    pub fn encode(&self) -> String {
        let since = self.last_good_since.lock().unwrap_or_else(PoisonError::into_inner);
        let age = since.map_or(0, |since| since.elapsed().as_secs());
        self.last_good_age.set(i64::try_from(age).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn set<'s>(&self, state: &'static str, statuses: impl Iterator<Item = &'s Status>) {
        let count = i64::try_from(statuses.count()).unwrap_or(i64::MAX);
        self.policies.get_or_create(&[("state", state)]).set(count);
    }

    fn register(&mut self) {
        let Self { registry, .. } = self;
        self.watches.register(registry);
        self.status_writes.register(registry);
        self.admission.register(registry);
        self.publishing.register(registry);
        registry.register("policies", "Policies by what is true of them", self.policies.clone());
        registry.register(
            "attachments",
            "Sets of proxies that get the same bytes",
            self.attachments.clone(),
        );
        registry.register_with_unit(
            "attachments",
            "Configuration over all attachments",
            Unit::Bytes,
            self.attachment_bytes.clone(),
        );
        registry.register_with_unit(
            "plan",
            "Judging what changed, compiling it and computing statuses",
            Unit::Seconds,
            self.plan_seconds.clone(),
        );
        registry.register(
            "publishes",
            "Attempts to publish, by what became of them",
            self.publishes.clone(),
        );
        registry.register(
            "source_problems",
            "What is wrong outside of policies, such as files that cannot be read",
            self.source_problems.clone(),
        );
        registry.register("leader", "1 on the replica that writes", self.leader.clone());
        registry.register(
            "held_back",
            "Policies that are accepted and not in force as written, for they cannot be published",
            self.held_back.clone(),
        );
        registry.register_with_unit(
            "last_good_age",
            "For how long some policy has been in force in an older version than its author wrote",
            Unit::Seconds,
            self.last_good_age.clone(),
        );
    }
}

// === impl Fate ===

impl Fate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Held => "held",
        }
    }
}
