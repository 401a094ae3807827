//! Controller: events into the index, a plan out of it, the plan to the publisher, and what came of it to the admin address.

mod cluster;
mod folder;
#[cfg(test)]
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_api::conditions;
use corsward_api::v1alpha1::CorsPolicyStatus;
use corsward_operator_core::bundle::{BundleKey, PublishStatus};
use corsward_operator_core::checked_object::CheckedObject;
use corsward_operator_core::event::{Event, Refreshed};
use corsward_operator_core::index::{Entry, Index, Scope};
use corsward_operator_core::plan::{Plan, Planned, ScopePlan};
use corsward_operator_core::report::Report;
use corsward_operator_core::status::{ConditionType, Reason, RolloutStatus, Status, StatusInputs};
use corsward_operator_core::validation::Domain;
use corsward_policy::{PolicyId, Severity};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use crate::admin::{AdminState, ReportRequest};
use crate::admission_check::AdmissionCheck;
use crate::change_log;
use crate::metrics::ScopeMetrics;

pub(crate) use cluster::ClusterPublisher;
pub(crate) use folder::{FolderPublisher, StateLoad};

/// Interval at which published objects are checked, and repaired if a foreign writer changed them.
const RESYNC_INTERVAL: Duration = Duration::from_secs(5);

/// Everything that changes with an event.
#[derive(Debug)]
pub(crate) struct Controller {
    index: Index,
    plan: Plan,
    /// The publish statuses of each part.
    publish_statuses: BTreeMap<Scope, BTreeMap<BundleKey, PublishStatus>>,
    statuses: BTreeMap<Scope, Vec<Status>>,
    scope_metrics: BTreeMap<Scope, ScopeMetrics>,
    /// Since when policies have waited for what they say to be in force.
    awaited: BTreeMap<PolicyId, Instant>,
    /// Whether what was last published enforces a policy: a switch stops it, or a guardrail suspends it, and its spec stays the same.
    enforced: BTreeMap<PolicyId, bool>,
    publisher: Publisher,
    admin_state: Arc<AdminState>,
    /// The source has said all it has.
    synced: bool,
    /// The publisher has said what is there.
    publisher_synced: bool,
    /// Parts that wait for both.
    waiting: BTreeSet<Scope>,
    /// The time spent on what waits.
    spent: Duration,
}

/// The destination of plans.
#[derive(Debug)]
pub(crate) enum Publisher {
    /// A folder of resource files, written here and now.
    Folder(FolderPublisher),
    /// Objects of a cluster, written by tasks that say what came of it.
    Cluster(ClusterPublisher),
}

/// The parts of which something is new.
#[derive(Debug, Default)]
struct Updated {
    /// Parts whose publication changed, or the right of this replica to write.
    published: BTreeSet<Scope>,
    /// Parts of which only the rollout changed.
    asked: BTreeSet<Scope>,
}

/// The inputs of the controller.
#[derive(Debug)]
pub(crate) struct Requests {
    /// All there is to say.
    pub(crate) reports: Receiver<ReportRequest>,
    /// Admission checks to answer.
    pub(crate) admission_checks: Receiver<AdmissionCheck>,
}

/// All watches of the policies have ended.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the policies are no longer watched: what is published stays as it is; start the operator again, and report what it logged"
)]
pub(crate) struct SourceEnded;

// === impl Controller ===

impl Controller {
    pub(crate) fn new(index: Index, publisher: Publisher, admin_state: Arc<AdminState>) -> Self {
        let publisher_synced = matches!(publisher, Publisher::Folder(_));
        admin_state.metrics.enforces(!index.is_stopped());
        let (plan, publish_statuses, statuses, scope_metrics) = Default::default();
        let (awaited, enforced, waiting) = Default::default();
        let (synced, spent) = (false, Duration::ZERO);
        Self {
            index,
            plan,
            publish_statuses,
            statuses,
            scope_metrics,
            awaited,
            enforced,
            publisher,
            admin_state,
            synced,
            publisher_synced,
            waiting,
            spent,
        }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    ///
    /// Fails if no sender of events is left.
    pub(crate) async fn run(
        mut self,
        mut events: Receiver<Vec<Event>>,
        mut requests: Requests,
        stop: &mut oneshot::Receiver<()>,
    ) -> Result<(), SourceEnded> {
        let mut repair = tokio::time::interval(RESYNC_INTERVAL);
        repair.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut *stop => return Ok(()),
                batch = events.recv() => match batch {
                    Some(batch) => self.handle_batch(batch, &mut events),
                    // Told to stop at the same moment, it was told to stop.
                    None => return stop.try_recv().map_err(|_| SourceEnded),
                },
                Some(reply) = requests.reports.recv() => self.answer_report(reply),
                Some(admission_check) = requests.admission_checks.recv() => self.answer(admission_check),
                _ = repair.tick() => self.repair(),
            }
        }
    }

    /// Takes in everything that waits, then plans once.
    fn handle_batch(&mut self, batch: Vec<Event>, events: &mut Receiver<Vec<Event>>) {
        let began = Instant::now();
        let mut batch = Some(batch);
        let mut seen = Updated::default();
        while let Some(events_of_one) = batch {
            for event in events_of_one {
                self.handle_event(event, &mut seen);
            }
            batch = events.try_recv().ok();
        }
        self.waiting.extend(self.index.take_changed());
        // What could not be listed yet is not empty.
        if self.synced && self.publisher_synced {
            let changed = std::mem::take(&mut self.waiting);
            self.replan(&changed, seen);
        } else {
            self.waiting.extend(seen.published);
            self.waiting.extend(seen.asked);
        }
        self.spent = self.spent.saturating_add(began.elapsed());
        if self.synced && self.publisher_synced {
            self.admin_state.metrics.planned(std::mem::take(&mut self.spent));
        }
    }

    fn handle_event(&mut self, event: Event, seen: &mut Updated) {
        match event {
            Event::Problems(problems) => {
                change_log::problems(&problems, self.index.problems());
                self.index.on(Event::Problems(problems));
            }
            Event::Published(publish_statuses) => {
                self.publisher_synced = true;
                seen.published.extend(
                    publish_statuses.iter().map(|publish_status| scope_of(&publish_status.key)),
                );
                for publish_status in publish_statuses {
                    self.record_publish_status(publish_status);
                }
            }
            Event::Rollouts(told) => {
                if let Publisher::Cluster(cluster) = &mut self.publisher {
                    seen.asked.extend(cluster.record_rollouts(told));
                }
            }
            Event::Refreshed(refreshed) => self.record_refresh(&refreshed),
            Event::Delete(id) => {
                self.awaited.remove(&id);
                self.enforced.remove(&id);
                self.index.on(Event::Delete(id));
            }
            Event::Synced => self.synced = true,
            // A folder is listed whole, each time.
            Event::Reset(objects) => {
                self.synced |= self.index.domain() == Domain::Folder;
                self.index.on(Event::Reset(objects));
                self.awaited.retain(|id, _| self.index.entries().contains_key(id));
                self.enforced.retain(|id, _| self.index.entries().contains_key(id));
            }
            Event::Leading(leading) => {
                self.admin_state.metrics.leads(leading);
                if let Publisher::Cluster(cluster) = &mut self.publisher {
                    cluster.lead(leading);
                }
                seen.published.extend(self.plan.scopes().keys().cloned());
                self.index.on(Event::Leading(leading));
            }
            Event::Enforcement(is_on) => {
                let was_stopped = self.index.is_stopped();
                self.index.on(Event::Enforcement(is_on));
                let is_stopped = self.index.is_stopped();
                change_log::enforcement(was_stopped, is_stopped);
                self.admin_state.metrics.enforces(!is_stopped);
            }
            event => self.index.on(event),
        }
    }

    fn record_publish_status(&mut self, publish_status: PublishStatus) {
        let scope = scope_of(&publish_status.key);
        let of_scope = self.publish_statuses.entry(scope.clone()).or_default();
        if publish_status.digest.is_none() && publish_status.error.is_none() {
            of_scope.remove(&publish_status.key);
            if of_scope.is_empty() {
                self.publish_statuses.remove(&scope);
            }
        } else {
            of_scope.insert(publish_status.key.clone(), publish_status);
        }
    }

    /// Plans the parts that changed, and looks again at those of which something was seen.
    fn replan(&mut self, changed: &BTreeSet<Scope>, seen: Updated) {
        for scope in changed {
            self.plan.update(&self.index, scope);
        }
        let mut scopes: BTreeSet<Scope> = changed.union(&seen.published).cloned().collect();
        for scope in &scopes {
            self.publish(scope);
        }
        if let Publisher::Cluster(cluster) = &mut self.publisher {
            cluster.flush();
        }
        for scope in &scopes {
            self.record_in_force(scope);
            self.assign(scope);
        }
        // What proxies say changes nothing of what they should run.
        scopes.extend(seen.asked);
        self.update_statuses(&scopes);
    }

    /// Hands the plan of a part to the publisher.
    fn publish(&mut self, scope: &Scope) {
        let nothing = ScopePlan::default();
        let plan = self.plan.scope(scope).unwrap_or(&nothing);
        match &mut self.publisher {
            Publisher::Folder(folder) => {
                if let Some(publish_statuses) =
                    folder.publish(plan, &self.index, &self.admin_state.metrics)
                {
                    self.publish_statuses.insert(scope.clone(), publish_statuses);
                }
            }
            Publisher::Cluster(cluster) => {
                let known = self.publish_statuses.get(scope);
                cluster.desire(&self.index, scope, plan, known.into_iter().flatten());
            }
        }
    }

    /// Says what came of the plans of these parts.
    fn update_statuses(&mut self, scopes: &BTreeSet<Scope>) {
        for scope in scopes {
            let statuses = self.statuses_of(scope);
            let previous = self.statuses.remove(scope).unwrap_or_default();
            change_log::statuses(&statuses, &previous, |id| {
                self.index.entries().get(id)?.object.place.as_deref()
            });
            if let Publisher::Cluster(cluster) = &mut self.publisher {
                cluster.report(scope, &self.index, &statuses);
            }
            self.scope_metrics.remove(scope);
            if let Some(plan) = self.plan.scope(scope) {
                self.scope_metrics.insert(scope.clone(), ScopeMetrics::of(&statuses, plan));
                self.statuses.insert(scope.clone(), statuses);
            }
        }
        self.update_dependency_statuses();
        let ready = match &self.publisher {
            Publisher::Folder(folder) => folder.is_ready(),
            Publisher::Cluster(_) => true,
        };
        self.admin_state.set_ready(ready);
        self.admin_state.metrics.stand(self.scope_metrics.values(), self.index.problems());
    }

    /// Says what came of origin sets and guardrails.
    fn update_dependency_statuses(&mut self) {
        let Publisher::Cluster(cluster) = &mut self.publisher else { return };
        let dependencies = self.index.dependencies();
        let exceeded_by = |name: &String| {
            let policies = self.plan.scopes().values().flat_map(|plan| plan.policies.values());
            (name.clone(), policies.filter(|planned| planned.exceeds_one(name)).count())
        };
        let sets: Vec<_> = dependencies.set_keys().cloned().collect();
        let guardrails: Vec<_> = dependencies.guardrail_names().map(exceeded_by).collect();
        cluster.update_dependencies(&self.index, sets.into_iter(), guardrails.into_iter());
    }

    /// Takes into the index what is in force now.
    fn record_in_force(&mut self, scope: &Scope) {
        if self.publisher.kept().is_some() {
            return;
        }
        let Some(plan) = self.plan.scope(scope) else { return };
        for (id, planned) in &plan.policies {
            let entry = self.index.entries().get(id);
            let is_new = entry.is_some_and(|entry| entry.in_force != planned.in_force);
            if self.unpublished(scope, plan, planned).is_some() {
                if is_new {
                    self.awaited.entry(id.clone()).or_insert_with(Instant::now);
                }
                continue;
            }
            self.enforced.insert(id.clone(), is_enforced(&self.index, scope, planned));
            // A guardrail suspends what was in force, and does not make anybody forget it.
            if planned.in_force.is_some() || !planned.suspended {
                self.index.record_in_force(id, planned.in_force.as_ref());
            }
            if let Some(since) = self.awaited.remove(id) {
                self.admin_state.metrics.publishing.propagated(since.elapsed());
            }
        }
    }

    /// Has the proxies of a part asked what they run.
    fn assign(&mut self, scope: &Scope) {
        let Self { index, plan, publish_statuses, publisher, .. } = self;
        let Publisher::Cluster(cluster) = publisher else { return };
        let nothing = ScopePlan::default();
        let plan = plan.scope(scope).unwrap_or(&nothing);
        let publish_statuses = publish_statuses.get(scope);
        let is_pending = |planned: &Planned| unpublished(publish_statuses, plan, planned).is_some();
        cluster.assign(scope, index, plan, publish_statuses, is_pending);
    }

    /// Says that an object was written anew.
    fn record_refresh(&self, refreshed: &Refreshed) {
        if let Publisher::Cluster(cluster) = &self.publisher
            && let Some(plan) = self.plan.scope(&scope_of(&refreshed.key))
        {
            cluster.record_refresh(&self.index, plan, refreshed);
        }
    }

    /// Returns the reason why the plan of a policy is not published yet; `None` if it is.
    fn unpublished(&self, scope: &Scope, plan: &ScopePlan, planned: &Planned) -> Option<String> {
        unpublished(self.publish_statuses.get(scope), plan, planned)
    }

    fn publish_status(&self, scope: &Scope, key: &BundleKey) -> Option<&PublishStatus> {
        self.publish_statuses.get(scope)?.get(key)
    }

    fn statuses_of(&self, scope: &Scope) -> Vec<Status> {
        let Some(plan) = self.plan.scope(scope) else { return Vec::new() };
        let status = |(id, planned): (_, &Planned)| {
            let entry = self.index.entries().get(id)?;
            let first = planned.keys.first();
            let publish_status = first.and_then(|key| self.publish_status(scope, key));
            let is_stale_key = |key: &BundleKey| {
                let publish_status = self.publish_status(scope, key);
                publish_status.is_none_or(|seen| seen.digest.is_none() || seen.error.is_some())
            };
            let in_cluster = self.index.domain() == Domain::Cluster;
            let enforces = self.enforces(id, entry);
            let switches =
                enforces.is_some_and(|it| it != is_enforced(&self.index, scope, planned));
            let inputs = StatusInputs {
                stale: in_cluster && (switches || planned.keys.iter().any(is_stale_key)),
                held: planned.held.as_deref(),
                frozen: plan.frozen,
                off: self.index.why_off(scope),
                unpublished: self.unpublished(scope, plan, planned),
                kept: self.publisher.kept(),
                digest: publish_status.and_then(|publish_status| publish_status.digest.clone()),
                domain: self.index.domain(),
                proxies: match &self.publisher {
                    Publisher::Folder(_) => RolloutStatus::default(),
                    Publisher::Cluster(cluster) => cluster.proxies_of(id, planned),
                },
            };
            Some(Status::of(entry, planned, inputs))
        };
        plan.policies.iter().filter_map(status).collect()
    }

    /// Does what was last published enforce a policy? `None`: that is not known.
    fn enforces(&self, id: &PolicyId, entry: &Entry) -> Option<bool> {
        self.enforced.get(id).copied().or_else(|| {
            // What was published before this operator began is what the status says.
            let status: CorsPolicyStatus = entry.object.record.as_ref()?.status.read()?;
            let kind = ConditionType::Programmed.as_str();
            let programmed = conditions::find(&status.conditions, kind)?;
            Some(programmed.reason != Reason::Off.as_str())
        })
    }

    fn answer_report(&self, reply: ReportRequest) {
        let statuses = self.statuses.values().flatten();
        // Nobody listens any more: the client went away.
        let _ = reply.send(Report::of(&self.index, &self.plan, statuses));
    }

    fn answer(&mut self, admission_check: AdmissionCheck) {
        let AdmissionCheck { object, reply } = admission_check;
        // Before everything has been seen once nothing can be said: whoever asks hears that.
        if !self.synced {
            return;
        }
        let policy = match &object {
            CheckedObject::CorsPolicy(policy) => Some((**policy).clone()),
            CheckedObject::OriginSet { .. } | CheckedObject::ClusterCorsPolicy { .. } => None,
        };
        let mut findings = self.index.validate(object);
        let is_refused = findings.iter().any(|one| one.severity() == Severity::Refusal);
        // What is refused comes to no plan.
        if let Some(policy) = policy.filter(|_| !is_refused) {
            findings.extend(self.plan.beside_others(&mut self.index, policy));
        }
        let _ = reply.send(findings);
    }

    /// Writes objects again that a foreign writer removed or changed, and retries failed or lost writes.
    fn repair(&mut self) {
        let folder = match &mut self.publisher {
            Publisher::Folder(folder) => folder,
            Publisher::Cluster(cluster) => return cluster.send_unseen(Instant::now()),
        };
        let Some(plan) = self.plan.scope(&Scope::Folder) else { return };
        if folder.is_failing() {
            self.publish(&Scope::Folder);
            self.record_in_force(&Scope::Folder);
            self.update_statuses(&[Scope::Folder].into());
        } else {
            folder.repair(plan, &self.admin_state.metrics);
        }
    }
}

// === impl Publisher ===

impl Publisher {
    /// Returns the reason why published objects stay as a foreign writer left them, if they do.
    fn kept(&self) -> Option<&'static str> {
        match self {
            Self::Folder(folder) => folder.kept(),
            Self::Cluster(_) => None,
        }
    }
}

/// Returns the reason why the plan of a policy is not published yet; `None` if it is.
fn unpublished(
    publish_statuses: Option<&BTreeMap<BundleKey, PublishStatus>>,
    plan: &ScopePlan,
    planned: &Planned,
) -> Option<String> {
    planned.keys.iter().find_map(|key| {
        let publish_status = publish_statuses.and_then(|of_scope| of_scope.get(key));
        let digest = publish_status.and_then(|publish_status| publish_status.digest.as_ref());
        let Some(bundle) = plan.bundle(key) else { return planned.held.clone() };
        let error = publish_status.and_then(|publish_status| publish_status.error.as_ref());
        // By its digest it is, and the error says what is wrong with the rest of it.
        if digest == Some(&bundle.digest) && error.is_none() {
            return None;
        }
        Some(match error {
            Some(error) => format!("publishing is tried again: {error}"),
            None => format!("{key} is being published"),
        })
    })
}

/// Should proxies enforce a policy, as far as switches and guardrails go?
fn is_enforced(index: &Index, scope: &Scope, planned: &Planned) -> bool {
    planned.in_force.is_some() && index.why_off(scope).is_none()
}

fn scope_of(key: &BundleKey) -> Scope {
    match key.namespace() {
        Some(namespace) => Scope::Namespace(namespace.to_owned()),
        None => Scope::Folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::file::File;
    use crate::state::StateFile;
    use corsward_operator_core::bundle::Desired;
    use corsward_operator_core::json_text::JsonText;
    use corsward_operator_core::object::{Object, Record};
    use corsward_operator_core::testing::{GOOD, id, object};
    use corsward_policy::validate::NoKnowledge;

    fn controller(dir: &std::path::Path) -> Controller {
        let file = File::new(dir.to_owned(), "filter.wasm".to_owned());
        let state_file = StateFile::new(dir.join("state.json"));
        Controller::new(
            Index::new(Arc::new(NoKnowledge), Domain::Folder),
            Publisher::Folder(FolderPublisher::new(file, state_file, StateLoad::Known)),
            Arc::new(AdminState::default()),
        )
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let mut controller = controller(dir.path());
        let labels = Arc::default();
        let key = BundleKey::Workloads { namespace: "shop".into(), labels };
        for digest in [Some("sha256:0".to_owned()), None] {
            controller.record_publish_status(PublishStatus {
                key: key.clone(),
                digest,
                error: None,
            });
        }
        assert_eq!(controller.publish_statuses, BTreeMap::new());
        controller.awaited.insert(id("api"), Instant::now());
        controller.handle_event(Event::Reset(Vec::new()), &mut Updated::default());
        assert_eq!(controller.awaited, BTreeMap::new());
    }

    #[test]
    fn a_source_that_ends_is_an_error_and_a_stop_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let run = |told_to_stop: bool| {
            let controller = controller(dir.path());
            let (_, events) = tokio::sync::mpsc::channel(1);
            let (_reporter, reports) = tokio::sync::mpsc::channel(1);
            let (_check_sender, admission_checks) = tokio::sync::mpsc::channel(1);
            let requests = Requests { reports, admission_checks };
            let (sender, mut stop) = oneshot::channel();
            if told_to_stop {
                sender.send(()).unwrap();
                return runtime.block_on(controller.run(events, requests, &mut stop)).is_ok();
            }
            let ended = runtime.block_on(controller.run(events, requests, &mut stop));
            drop(sender);
            ended.is_ok()
        };
        assert!(!run(false));
        for _ in 0..16 {
            assert!(run(true), "though the source ends too");
        }
    }

    /// An operator that leads in a cluster, one event after the other.
    struct Leader {
        controller: Controller,
        desired: tokio::sync::watch::Receiver<Arc<Desired>>,
    }

    impl Leader {
        fn new() -> Self {
            let index = Index::new(Arc::new(NoKnowledge), Domain::Cluster);
            let (publisher, desired) = tokio::sync::watch::channel(Arc::default());
            let (writer, _) = tokio::sync::mpsc::unbounded_channel();
            let (object_events, _) = crate::events::channel();
            let cluster = ClusterPublisher::new(publisher, writer, object_events, None);
            let controller = Controller::new(
                index,
                Publisher::Cluster(cluster),
                Arc::new(AdminState::default()),
            );
            Self { controller, desired }
        }

        /// Takes in these events, and says why the policy `api` is in force or not.
        fn after(&mut self, batch: Vec<Event>) -> &'static str {
            let (_, mut events) = tokio::sync::mpsc::channel(1);
            self.controller.handle_batch(batch, &mut events);
            let statuses = &self.controller.statuses[&Scope::Namespace("shop".into())];
            statuses[0].condition(ConditionType::Programmed).unwrap().reason.as_str()
        }

        /// All that is wanted, as seen in the cluster.
        fn published(&self) -> Vec<PublishStatus> {
            let desired = self.desired.borrow();
            let seen = desired.bundles.iter().map(|(key, bundle)| PublishStatus {
                key: (**key).clone(),
                digest: Some(bundle.digest.clone()),
                error: None,
            });
            seen.collect()
        }
    }

    fn policy(status: &serde_json::Value) -> Event {
        let record = Record { uid: "u".into(), created: None, status: JsonText::of(status) };
        let object = Object { generation: Some(1), record: Some(record), ..object("api", &GOOD) };
        Event::Apply(object.into())
    }

    #[test]
    fn what_a_switch_changes_is_said_when_it_is_published() {
        let mut leader = Leader::new();
        let nothing = serde_json::Value::Null;
        let begin = vec![
            policy(&nothing),
            Event::Synced,
            Event::Leading(true),
            Event::Published(Vec::new()),
        ];
        assert_eq!(leader.after(begin), "Reconciling", "it is new");
        let on = leader.published();
        assert_eq!(leader.after(vec![Event::Published(on)]), "Published");
        assert_eq!(leader.after(vec![Event::Enforcement(false)]), "Reconciling", "switched off");
        let off = leader.published();
        assert_eq!(leader.after(vec![Event::Published(off)]), "Off");
        assert_eq!(leader.after(vec![Event::Enforcement(true)]), "Reconciling", "switched on");
        let on = leader.published();
        assert_eq!(leader.after(vec![Event::Published(on)]), "Published");
    }

    #[test]
    fn what_was_switched_while_no_operator_ran_is_said_when_it_is_published() {
        let mut before = Leader::new();
        let status = |reason: &str| {
            serde_json::json!({
                "inForce": { "generation": 1, "digest": "d", "spec": *GOOD },
                "conditions": [{ "type": "Programmed", "status": "False", "reason": reason, "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z" }],
            })
        };
        let begin = |reason: &str, is_on: bool, published: &[PublishStatus]| {
            let enforcement = Event::Enforcement(is_on);
            vec![
                policy(&status(reason)),
                enforcement,
                Event::Synced,
                Event::Leading(true),
                Event::Published(published.to_vec()),
            ]
        };
        before.after(begin("Off", false, &[]));
        let off = before.published();
        before.after(vec![Event::Enforcement(true)]);
        let on = before.published();
        for (why, reason, published, is_on, want) in [
            ("it stays off", "Off", &off, false, "Off"),
            ("it stays on", "Published", &on, true, "Published"),
            ("it was switched on", "Off", &off, true, "Reconciling"),
            ("it was switched off", "Published", &on, false, "Reconciling"),
        ] {
            let mut leader = Leader::new();
            assert_eq!(leader.after(begin(reason, is_on, published)), want, "{why}");
            let published = leader.published();
            let settled = if is_on { "Published" } else { "Off" };
            assert_eq!(leader.after(vec![Event::Published(published)]), settled, "{why}");
        }
    }
}
