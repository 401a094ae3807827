//! The loop: events into the index, a plan out of it, the plan to the outlet, and what came of it to the board.

mod cluster;
mod folder;
#[cfg(test)]
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_policy::{PolicyId, Severity};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use crate::admin::{Board, ReportRequest};
use crate::attachment::{AttachmentKey, Sighting};
use crate::index::{Entry, Index, Scope};
use crate::inquiry::{Inquiry, ReviewedObject};
use crate::journal;
use crate::metrics::Tally;
use crate::plan::{Plan, Planned, ScopePlan};
use crate::proxies::Touched;
use crate::report::Report;
use crate::review::Domain;
use crate::source::Event;
use crate::status::{Circumstances, ConditionType, Proxies, Reason, Status};

pub(crate) use cluster::Cluster;
pub(crate) use folder::{Folder, Memory};

/// How often what was published is looked at again, and repaired where somebody changed it.
const REPAIR: Duration = Duration::from_secs(5);

/// Everything that changes with an event.
#[derive(Debug)]
pub(crate) struct Operator {
    index: Index,
    plan: Plan,
    /// What is known of the attachments of each part.
    sightings: BTreeMap<Scope, BTreeMap<AttachmentKey, Sighting>>,
    statuses: BTreeMap<Scope, Vec<Status>>,
    tallies: BTreeMap<Scope, Tally>,
    /// Since when policies have waited for what they say to be in force.
    awaited: BTreeMap<PolicyId, Instant>,
    /// Whether what was last published enforces a policy: a switch stops it, or a guardrail suspends it, and its spec stays the same.
    enforced: BTreeMap<PolicyId, bool>,
    outlet: Outlet,
    board: Arc<Board>,
    /// The source has said all it has.
    synced: bool,
    /// The publisher has said what is there.
    sighted: bool,
    /// Parts that wait for both.
    waiting: BTreeSet<Scope>,
    /// The time spent on what waits.
    spent: Duration,
}

/// Where plans go.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// A folder of resource files, written here and now.
    Folder(Folder),
    /// Objects of a cluster, written by tasks that say what came of it.
    Cluster(Cluster),
}

/// The parts of which something is new.
#[derive(Debug, Default)]
struct Seen {
    /// What is published of them, or whether this replica writes.
    published: BTreeSet<Scope>,
    /// How their proxies stand, and nothing else.
    asked: BTreeSet<Scope>,
}

/// What others ask of the loop.
#[derive(Debug)]
pub(crate) struct Questions {
    /// All there is to say.
    pub(crate) reports: Receiver<ReportRequest>,
    /// What would be said.
    pub(crate) inquiries: Receiver<Inquiry>,
}

/// Nobody watches the policies any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the policies are no longer watched: what is published stays as it is; start the operator again, and report what it logged"
)]
pub(crate) struct SourceEnded;

// === impl Operator ===

impl Operator {
    pub(crate) fn new(index: Index, outlet: Outlet, board: Arc<Board>) -> Self {
        let sighted = matches!(outlet, Outlet::Folder(_));
        board.metrics.enforces(!index.is_stopped());
        let (plan, sightings, statuses, tallies) = Default::default();
        let (awaited, enforced, waiting) = Default::default();
        let (synced, spent) = (false, Duration::ZERO);
        Self {
            index,
            plan,
            sightings,
            statuses,
            tallies,
            awaited,
            enforced,
            outlet,
            board,
            synced,
            sighted,
            waiting,
            spent,
        }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    ///
    /// Where nobody sends events any more.
    pub(crate) async fn run(
        mut self,
        mut events: Receiver<Vec<Event>>,
        mut questions: Questions,
        stop: &mut oneshot::Receiver<()>,
    ) -> Result<(), SourceEnded> {
        let mut repair = tokio::time::interval(REPAIR);
        repair.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut *stop => return Ok(()),
                batch = events.recv() => match batch {
                    Some(batch) => self.on(batch, &mut events),
                    // Told to stop at the same moment, it was told to stop.
                    None => return stop.try_recv().map_err(|_| SourceEnded),
                },
                Some(reply) = questions.reports.recv() => self.answer_report(reply),
                Some(inquiry) = questions.inquiries.recv() => self.answer(inquiry),
                _ = repair.tick() => self.repair(),
            }
        }
    }

    /// Takes in everything that waits, then plans once.
    fn on(&mut self, batch: Vec<Event>, events: &mut Receiver<Vec<Event>>) {
        let began = Instant::now();
        let mut batch = Some(batch);
        let mut seen = Seen::default();
        while let Some(events_of_one) = batch {
            for event in events_of_one {
                self.take(event, &mut seen);
            }
            batch = events.try_recv().ok();
        }
        let touched = self.index.take_touched();
        self.waiting.extend(touched);
        // What could not be listed yet is not empty.
        if self.synced && self.sighted {
            let touched = std::mem::take(&mut self.waiting);
            self.replan(&touched, seen);
        } else {
            self.waiting.extend(seen.published);
            self.waiting.extend(seen.asked);
        }
        self.spent = self.spent.saturating_add(began.elapsed());
        if self.synced && self.sighted {
            self.board.metrics.planned(std::mem::take(&mut self.spent));
        }
    }

    fn take(&mut self, event: Event, seen: &mut Seen) {
        match event {
            Event::Problems(problems) => {
                journal::problems(&problems, self.index.problems());
                self.index.on(Event::Problems(problems));
            }
            Event::Published(sightings) => {
                self.sighted = true;
                seen.published.extend(sightings.iter().map(|sighting| scope_of(&sighting.key)));
                for sighting in sightings {
                    self.sight(sighting);
                }
            }
            Event::Standings(told) => {
                if let Outlet::Cluster(cluster) = &mut self.outlet {
                    seen.asked.extend(cluster.stand(told));
                }
            }
            Event::Touched(touched) => self.tell_of_touch(&touched),
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
                self.board.metrics.leads(leading);
                if let Outlet::Cluster(cluster) = &mut self.outlet {
                    cluster.lead(leading);
                }
                seen.published.extend(self.plan.scopes().keys().cloned());
                self.index.on(Event::Leading(leading));
            }
            Event::Enforcement(is_on) => {
                let was_stopped = self.index.is_stopped();
                self.index.on(Event::Enforcement(is_on));
                let is_stopped = self.index.is_stopped();
                journal::enforcement(was_stopped, is_stopped);
                self.board.metrics.enforces(!is_stopped);
            }
            event => self.index.on(event),
        }
    }

    fn sight(&mut self, sighting: Sighting) {
        let scope = scope_of(&sighting.key);
        let of_scope = self.sightings.entry(scope.clone()).or_default();
        if sighting.digest.is_none() && sighting.error.is_none() {
            of_scope.remove(&sighting.key);
            if of_scope.is_empty() {
                self.sightings.remove(&scope);
            }
        } else {
            of_scope.insert(sighting.key.clone(), sighting);
        }
    }

    /// Plans the parts that were touched, and looks again at those of which something was seen.
    fn replan(&mut self, touched: &BTreeSet<Scope>, seen: Seen) {
        for scope in touched {
            self.plan.update(&self.index, scope);
        }
        let mut scopes: BTreeSet<Scope> = touched.union(&seen.published).cloned().collect();
        for scope in &scopes {
            self.publish(scope);
        }
        if let Outlet::Cluster(cluster) = &mut self.outlet {
            cluster.flush();
        }
        for scope in &scopes {
            self.settle(scope);
            self.assign(scope);
        }
        // What proxies say changes nothing of what they should run.
        scopes.extend(seen.asked);
        self.tell(&scopes);
    }

    /// Hands the plan of a part to the outlet.
    fn publish(&mut self, scope: &Scope) {
        let nothing = ScopePlan::default();
        let plan = self.plan.scope(scope).unwrap_or(&nothing);
        match &mut self.outlet {
            Outlet::Folder(folder) => {
                if let Some(sightings) = folder.publish(plan, &self.index, &self.board.metrics) {
                    self.sightings.insert(scope.clone(), sightings);
                }
            }
            Outlet::Cluster(cluster) => {
                let known = self.sightings.get(scope);
                cluster.desire(&self.index, scope, plan, known.into_iter().flatten());
            }
        }
    }

    /// Says what came of the plans of these parts.
    fn tell(&mut self, scopes: &BTreeSet<Scope>) {
        for scope in scopes {
            let statuses = self.statuses_of(scope);
            let previous = self.statuses.remove(scope).unwrap_or_default();
            journal::statuses(&statuses, &previous, |id| {
                self.index.entries().get(id)?.object.place.as_deref()
            });
            if let Outlet::Cluster(cluster) = &mut self.outlet {
                cluster.report(scope, &self.index, &statuses);
            }
            self.tallies.remove(scope);
            if let Some(plan) = self.plan.scope(scope) {
                self.tallies.insert(scope.clone(), Tally::of(&statuses, plan));
                self.statuses.insert(scope.clone(), statuses);
            }
        }
        self.tell_of_neighbors();
        let ready = match &self.outlet {
            Outlet::Folder(folder) => folder.is_ready(),
            Outlet::Cluster(_) => true,
        };
        self.board.set_ready(ready);
        self.board.metrics.stand(self.tallies.values(), self.index.problems());
    }

    /// Says what came of origin sets and guardrails.
    fn tell_of_neighbors(&mut self) {
        let Outlet::Cluster(cluster) = &mut self.outlet else { return };
        let neighbors = self.index.neighbors();
        let exceeded_by = |name: &String| {
            let policies = self.plan.scopes().values().flat_map(|plan| plan.policies.values());
            (name.clone(), policies.filter(|planned| planned.exceeds_one(name)).count())
        };
        let sets: Vec<_> = neighbors.set_keys().cloned().collect();
        let guardrails: Vec<_> = neighbors.guardrail_names().map(exceeded_by).collect();
        cluster.report_neighbors(&self.index, sets.into_iter(), guardrails.into_iter());
    }

    /// Takes into the index what is in force now.
    fn settle(&mut self, scope: &Scope) {
        if self.outlet.kept().is_some() {
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
                self.index.settle(id, planned.in_force.as_ref());
            }
            if let Some(since) = self.awaited.remove(id) {
                self.board.metrics.publishing.propagated(since.elapsed());
            }
        }
    }

    /// Has the proxies of a part asked what they run.
    fn assign(&mut self, scope: &Scope) {
        let Self { index, plan, sightings, outlet, .. } = self;
        let Outlet::Cluster(cluster) = outlet else { return };
        let nothing = ScopePlan::default();
        let plan = plan.scope(scope).unwrap_or(&nothing);
        let sightings = sightings.get(scope);
        let is_pending = |planned: &Planned| unpublished(sightings, plan, planned).is_some();
        cluster.assign(scope, index, plan, sightings, is_pending);
    }

    /// Says that an object was written anew.
    fn tell_of_touch(&self, touched: &Touched) {
        if let Outlet::Cluster(cluster) = &self.outlet
            && let Some(plan) = self.plan.scope(&scope_of(&touched.key))
        {
            cluster.tell_of_touch(&self.index, plan, touched);
        }
    }

    /// Why what is planned for a policy is not published yet; nothing where it is.
    fn unpublished(&self, scope: &Scope, plan: &ScopePlan, planned: &Planned) -> Option<String> {
        unpublished(self.sightings.get(scope), plan, planned)
    }

    fn statuses_of(&self, scope: &Scope) -> Vec<Status> {
        let Some(plan) = self.plan.scope(scope) else { return Vec::new() };
        let sightings = self.sightings.get(scope);
        let status = |(id, planned): (_, &Planned)| {
            let entry = self.index.entries().get(id)?;
            let first = planned.keys.first();
            let sighting = first.and_then(|key| sightings?.get(key));
            let is_astray = |key: &AttachmentKey| {
                let sighting = sightings.and_then(|sightings| sightings.get(key));
                sighting.is_none_or(|seen| seen.digest.is_none() || seen.error.is_some())
            };
            let in_cluster = self.index.domain() == Domain::Cluster;
            let enforces = self.enforces(id, entry);
            let switches =
                enforces.is_some_and(|it| it != is_enforced(&self.index, scope, planned));
            let circumstances = Circumstances {
                astray: in_cluster && (switches || planned.keys.iter().any(is_astray)),
                held: planned.held.as_deref(),
                frozen: plan.frozen,
                off: self.index.why_off(scope),
                unpublished: self.unpublished(scope, plan, planned),
                kept: self.outlet.kept(),
                digest: sighting.and_then(|sighting| sighting.digest.clone()),
                domain: self.index.domain(),
                proxies: match &self.outlet {
                    Outlet::Folder(_) => Proxies::default(),
                    Outlet::Cluster(cluster) => cluster.proxies_of(id, planned),
                },
            };
            Some(Status::of(entry, planned, circumstances))
        };
        plan.policies.iter().filter_map(status).collect()
    }

    /// Does what was last published enforce a policy? `None`: that is not known.
    fn enforces(&self, id: &PolicyId, entry: &Entry) -> Option<bool> {
        self.enforced.get(id).copied().or_else(|| {
            // What was published before this operator began is what the status says.
            let status = entry.object.record.as_ref()?.status.value();
            let mut conditions = status.get("conditions")?.as_array()?.iter();
            let kind = ConditionType::Programmed.as_str();
            let programmed = conditions.find(|one| one["type"] == kind)?;
            Some(programmed["reason"] != Reason::Off.as_str())
        })
    }

    fn answer_report(&self, reply: ReportRequest) {
        let statuses = self.statuses.values().flatten();
        // Nobody listens any more: the client went away.
        let _ = reply.send(Report::of(&self.index, &self.plan, statuses));
    }

    fn answer(&mut self, inquiry: Inquiry) {
        let Inquiry { object, reply } = inquiry;
        // Before everything has been seen once nothing can be said: whoever asks hears that.
        if !self.synced {
            return;
        }
        let policy = match &object {
            ReviewedObject::CorsPolicy(policy) => Some((**policy).clone()),
            ReviewedObject::OriginSet { .. } | ReviewedObject::ClusterCorsPolicy { .. } => None,
        };
        let mut findings = self.index.judge(object);
        let is_refused = findings.iter().any(|one| one.severity() == Severity::Refusal);
        // What is refused comes to no plan.
        if let Some(policy) = policy.filter(|_| !is_refused) {
            findings.extend(self.plan.beside_others(&mut self.index, policy));
        }
        let _ = reply.send(findings);
    }

    /// What somebody else removed or changed is written again; what failed or was lost is sent again.
    fn repair(&mut self) {
        let folder = match &mut self.outlet {
            Outlet::Folder(folder) => folder,
            Outlet::Cluster(cluster) => return cluster.send_unseen(Instant::now()),
        };
        let Some(plan) = self.plan.scope(&Scope::Folder) else { return };
        if folder.is_failing() {
            self.publish(&Scope::Folder);
            self.settle(&Scope::Folder);
            self.tell(&[Scope::Folder].into());
        } else {
            folder.repair(plan, &self.board.metrics);
        }
    }
}

// === impl Outlet ===

impl Outlet {
    /// Why what is published stays as somebody left it, if it does.
    fn kept(&self) -> Option<&'static str> {
        match self {
            Self::Folder(folder) => folder.kept(),
            Self::Cluster(_) => None,
        }
    }
}

/// Why what is planned for a policy is not published yet; nothing where it is.
fn unpublished(
    sightings: Option<&BTreeMap<AttachmentKey, Sighting>>,
    plan: &ScopePlan,
    planned: &Planned,
) -> Option<String> {
    planned.keys.iter().find_map(|key| {
        let sighting = sightings.and_then(|sightings| sightings.get(key));
        let digest = sighting.and_then(|sighting| sighting.digest.as_ref());
        let Some(attachment) = plan.attachment(key) else { return planned.held.clone() };
        let error = sighting.and_then(|sighting| sighting.error.as_ref());
        // By its digest it is, and the error says what is wrong with the rest of it.
        if digest == Some(&attachment.digest) && error.is_none() {
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

fn scope_of(key: &AttachmentKey) -> Scope {
    match key.namespace() {
        Some(namespace) => Scope::Namespace(namespace.to_owned()),
        None => Scope::Folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::Desired;
    use crate::compact::Compact;
    use crate::object::{Object, Record};
    use crate::publish::file::File;
    use crate::state::StateFile;
    use crate::testing::{GOOD, id, object};
    use corsward_policy::validate::NoJudge;

    fn operator(dir: &std::path::Path) -> Operator {
        let file = File::new(dir.to_owned(), "filter.wasm".to_owned());
        let state_file = StateFile::new(dir.join("state.json"));
        Operator::new(
            Index::new(Arc::new(NoJudge), Domain::Folder),
            Outlet::Folder(Folder::new(file, state_file, Memory::Known)),
            Arc::new(Board::default()),
        )
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let mut operator = operator(dir.path());
        let labels = Arc::default();
        let key = AttachmentKey::Workloads { namespace: "shop".into(), labels };
        for digest in [Some("sha256:0".to_owned()), None] {
            operator.sight(Sighting { key: key.clone(), digest, error: None });
        }
        assert_eq!(operator.sightings, BTreeMap::new());
        operator.awaited.insert(id("api"), Instant::now());
        operator.take(Event::Reset(Vec::new()), &mut Seen::default());
        assert_eq!(operator.awaited, BTreeMap::new());
    }

    #[test]
    fn a_source_that_ends_is_an_error_and_a_stop_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let run = |told_to_stop: bool| {
            let operator = operator(dir.path());
            let (_, events) = tokio::sync::mpsc::channel(1);
            let (_reporter, reports) = tokio::sync::mpsc::channel(1);
            let (_inquirer, inquiries) = tokio::sync::mpsc::channel(1);
            let questions = Questions { reports, inquiries };
            let (sender, mut stop) = oneshot::channel();
            if told_to_stop {
                sender.send(()).unwrap();
                return runtime.block_on(operator.run(events, questions, &mut stop)).is_ok();
            }
            let ended = runtime.block_on(operator.run(events, questions, &mut stop));
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
        operator: Operator,
        desired: tokio::sync::watch::Receiver<Arc<Desired>>,
    }

    impl Leader {
        fn new() -> Self {
            let index = Index::new(Arc::new(NoJudge), Domain::Cluster);
            let (publisher, desired) = tokio::sync::watch::channel(Arc::default());
            let (writer, _) = tokio::sync::mpsc::unbounded_channel();
            let (notices, _) = crate::events::channel();
            let cluster = Cluster::new(publisher, writer, notices, None);
            let operator =
                Operator::new(index, Outlet::Cluster(cluster), Arc::new(Board::default()));
            Self { operator, desired }
        }

        /// Takes in these events, and says why the policy `api` is in force or not.
        fn after(&mut self, batch: Vec<Event>) -> &'static str {
            let (_, mut events) = tokio::sync::mpsc::channel(1);
            self.operator.on(batch, &mut events);
            let statuses = &self.operator.statuses[&Scope::Namespace("shop".into())];
            statuses[0].condition(ConditionType::Programmed).unwrap().reason.as_str()
        }

        /// All that is wanted, as seen in the cluster.
        fn published(&self) -> Vec<Sighting> {
            let desired = self.desired.borrow();
            let seen = desired.attachments.iter().map(|(key, attachment)| Sighting {
                key: (**key).clone(),
                digest: Some(attachment.digest.clone()),
                error: None,
            });
            seen.collect()
        }
    }

    fn policy(status: &serde_json::Value) -> Event {
        let record = Record { uid: "u".into(), created: None, status: Compact::of(status) };
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
                "inForce": { "generation": 1, "spec": *GOOD },
                "conditions": [{ "type": "Programmed", "status": "False", "reason": reason }],
            })
        };
        let begin = |reason: &str, is_on: bool, published: &[Sighting]| {
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
