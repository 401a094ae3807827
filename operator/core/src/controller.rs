//! Controller: events into the index, a plan out of it, and the commands that follow. Only this state machine issues commands: the
//! executor of `operator/controller`, the crate with IO, carries them out and sends the results as events.

mod last_good;
pub(crate) mod status_reporter;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use corsward_api::v1alpha1::CorsPolicyStatus;
use corsward_policy::draft::Mode;
use corsward_policy::{Finding, PolicyId};

use self::last_good::LastGood;
use self::status_reporter::{StatusReporter, condition_of};
use crate::bundle::{BundleKey, PublishStatus};
use crate::capabilities::{Capabilities, Memory, Reach, Replicas};
use crate::change_log::{self, LogLine};
use crate::command::{Command, Measurement};
use crate::event::{Event, Moment, Refreshed, Rollout};
use crate::index::{Entry, Index, Scope};
use crate::object::CheckedObject;
use crate::plan::{DesiredBundles, Plan, Planned, ScopePlan};
use crate::report::Report;
use crate::rollout::tracker::Tracker;
use crate::scope_metrics::ScopeMetrics;
use crate::status::{ConditionType, Reason, RolloutStatus, Status, StatusInputs, Unpublished};

/// Everything that changes with an event.
#[derive(Debug)]
pub struct Controller {
    index: Index,
    plan: Plan,
    /// The publish statuses of each part.
    publish_statuses: BTreeMap<Scope, BTreeMap<BundleKey, PublishStatus>>,
    statuses: BTreeMap<Scope, Vec<Status>>,
    scope_metrics: BTreeMap<Scope, ScopeMetrics>,
    /// Since when policies have waited for what they say to be in force.
    awaited: BTreeMap<PolicyId, Instant>,
    publisher: Capabilities,
    desired: DesiredBundles,
    /// The proxies, where their pods are known.
    tracker: Option<Tracker>,
    reporter: StatusReporter,
    last_good: LastGood,
    /// The source has said all it has.
    synced: bool,
    /// The publisher has said what is there.
    publisher_synced: bool,
    /// Parts that wait for both.
    waiting: BTreeSet<Scope>,
    /// Parts that wait for the answer of a publisher that answers at once.
    unanswered: BTreeSet<Scope>,
    ready: bool,
    /// The number of policies in the last publication that were enforced or in `DryRun`, for one place.
    published_policies: Option<usize>,
    commands: Vec<Command>,
}

/// The parts of which something is new.
#[derive(Debug, Default)]
struct Updated {
    /// Parts whose publication changed, or the right of this replica to write.
    published: BTreeSet<Scope>,
    /// Parts of which only the rollout changed, or the status that an API server shows.
    asked: BTreeSet<Scope>,
}

// === impl Controller ===

impl Controller {
    /// A controller of the objects in `index`, with a publisher of these capabilities and a memory of this kind. The index has the reach of
    /// the publisher.
    pub fn new(index: Index, publisher: Capabilities, memory: Memory) -> Self {
        debug_assert_eq!(index.reach(), publisher.reach, "one reach for both");
        debug_assert!(
            memory == Memory::Statuses || publisher.reach == Reach::One,
            "a state holds one part"
        );
        let commands = vec![Command::Measure(Measurement::Enforcing(!index.is_stopped()))];
        Self {
            index,
            plan: Plan::default(),
            publish_statuses: BTreeMap::new(),
            statuses: BTreeMap::new(),
            scope_metrics: BTreeMap::new(),
            awaited: BTreeMap::new(),
            publisher,
            desired: DesiredBundles::default(),
            tracker: publisher.reach.pods().map(Tracker::new),
            reporter: StatusReporter::default(),
            last_good: LastGood::new(memory),
            synced: false,
            publisher_synced: false,
            waiting: BTreeSet::new(),
            unanswered: BTreeSet::new(),
            ready: false,
            published_policies: None,
            commands,
        }
    }

    /// Takes in a batch of events, plans once, and returns what must be done, in this order.
    pub fn handle(&mut self, batch: Vec<Event>, now: Moment) -> Vec<Command> {
        let mut updated = Updated::default();
        for event in batch {
            self.handle_event(event, &mut updated);
        }
        self.waiting.extend(self.index.take_changed());
        updated.asked.extend(std::mem::take(&mut self.index.restated));
        // What could not be listed yet is not empty.
        if self.is_synced() {
            let changed = std::mem::take(&mut self.waiting);
            self.replan(&changed, updated, now);
        } else {
            self.waiting.extend(updated.published);
            self.waiting.extend(updated.asked);
        }
        std::mem::take(&mut self.commands)
    }

    /// Sends again what was sent and not seen since: time has passed without an event.
    pub fn tick(&mut self, now: Moment) -> Vec<Command> {
        self.reporter.send_unseen(&self.index, now.instant);
        self.reporter.take_commands()
    }

    /// Have the source and the publisher said all they have?
    pub fn is_synced(&self) -> bool {
        self.synced && self.publisher_synced
    }

    /// Everything there is to say.
    pub fn report(&self) -> Report {
        Report::of(&self.index, &self.plan, self.statuses.values().flatten())
    }

    /// The findings about an object that is not there yet. `None`: before everything has been seen once nothing can be said.
    pub fn check(&mut self, object: CheckedObject) -> Option<Vec<Finding>> {
        if !self.synced {
            return None;
        }
        let mut findings = self.index.validate(&object);
        let is_refused = findings.iter().any(Finding::is_refusal);
        // What is refused comes to no plan.
        if let CheckedObject::CorsPolicy(policy) = object
            && !is_refused
        {
            findings.extend(self.plan.beside_others(&mut self.index, *policy));
        }
        Some(findings)
    }

    fn handle_event(&mut self, event: Event, updated: &mut Updated) {
        match event {
            Event::Problems(problems) => {
                let lines = change_log::problems(&problems, &self.index.problems);
                self.commands.extend(lines.into_iter().map(Command::Log));
                self.index.report(problems);
            }
            Event::Published(publish_statuses) => {
                self.publisher_synced = true;
                updated.published.append(&mut self.unanswered);
                self.record_published(publish_statuses, updated);
            }
            Event::Rollouts(rollouts) => {
                if let Some(tracker) = &mut self.tracker {
                    updated.asked.extend(tracker.record_rollouts(rollouts));
                }
            }
            Event::Refreshed(refreshed) => self.record_refresh(&refreshed),
            Event::Delete(id) => {
                self.awaited.remove(&id);
                self.index.delete(&id);
            }
            Event::Synced => self.synced = true,
            Event::Reset(objects) => {
                self.index.reset(objects);
                self.awaited.retain(|id, _| self.index.entries().contains_key(id));
            }
            Event::Leading(leading) => self.lead(leading, updated),
            Event::Enforcement(is_on) => {
                let was_stopped = self.index.is_stopped();
                self.index.switch(is_on);
                let is_stopped = self.index.is_stopped();
                if was_stopped != is_stopped {
                    self.commands.push(Command::Log(LogLine::Enforcement(!is_stopped)));
                }
                self.commands.push(Command::Measure(Measurement::Enforcing(!is_stopped)));
            }
            Event::Apply(object) => self.index.apply(*object),
            Event::ClusterState(change) => self.index.change(change),
        }
    }

    /// This replica writes from now on, or does not any more.
    fn lead(&mut self, leading: bool, updated: &mut Updated) {
        self.commands.push(Command::Measure(Measurement::Leading(leading)));
        self.reporter.lead(leading);
        if self.publisher.replicas == Replicas::Leader
            && let Some(tracker) = &mut self.tracker
        {
            self.commands.push(Command::PollProxies(tracker.rest()));
        }
        updated.published.extend(self.plan.scopes().keys().cloned());
        self.index.leading = leading;
    }

    fn record_published(&mut self, publish_statuses: Vec<PublishStatus>, updated: &mut Updated) {
        if !publish_statuses.is_empty() && publish_statuses.iter().all(|one| one.error.is_none()) {
            self.last_good.is_lost = false;
        }
        self.last_good.is_served |= publish_statuses.iter().any(|one| one.error.is_none());
        for publish_status in publish_statuses {
            updated.published.insert(scope_of(&publish_status.key));
            self.record_publish_status(publish_status);
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
    fn replan(&mut self, changed: &BTreeSet<Scope>, updated: Updated, now: Moment) {
        for scope in changed {
            self.plan.update(&self.index, scope);
            self.withhold(scope);
        }
        let mut scopes: BTreeSet<Scope> = changed.union(&updated.published).cloned().collect();
        for scope in &scopes {
            self.desire(scope);
        }
        if let Some(desired) = self.desired.take_changed() {
            let awaits_answer = self.publisher.answers_at_once && !desired.bundles.is_empty();
            self.commands.push(Command::Publish(desired));
            if awaits_answer {
                self.unanswered.extend(scopes);
                self.unanswered.extend(updated.asked);
                return;
            }
        }
        for scope in &scopes {
            self.record_in_force(scope, now);
            self.assign(scope);
        }
        // What proxies say changes nothing of what they should run.
        scopes.extend(updated.asked);
        self.update_statuses(&scopes, now);
    }

    /// Checks whether the plan of a part may be published, and says so where no status does.
    fn withhold(&mut self, scope: &Scope) {
        if self.last_good.has_statuses() {
            return;
        }
        let Some(plan) = self.plan.scope(scope) else { return };
        self.last_good.check(plan, &self.index);
        let withheld = self.last_good.withheld();
        // Proxies have what was published before.
        self.last_good.is_served |= withheld.is_some();
        if let Some(why) = withheld.or(plan.why_not_all()) {
            self.commands.push(Command::Log(LogLine::Withheld(why.to_owned())));
            self.commands.push(Command::Measure(Measurement::Withheld));
        }
    }

    /// Takes the plan of a part into the desired state.
    fn desire(&mut self, scope: &Scope) {
        let nothing = ScopePlan::default();
        let plan = self.plan.scope(scope).unwrap_or(&nothing);
        let is_one = self.publisher.reach == Reach::One;
        // One place keeps the configuration that it has until there is another.
        let is_kept = is_one && plan.bundles().next().is_none();
        if is_kept || self.last_good.withheld().is_some() {
            return;
        }
        // Remembered first: an operator that stops in between publishes at the next start what was accepted, and takes nothing back.
        let state = self.last_good.news(&self.index, plan);
        self.commands.extend(state.map(|state| Command::Remember(Box::new(state))));
        let known = self.publish_statuses.get(scope);
        self.desired.desire(&self.index, scope, plan, known.into_iter().flatten());
    }

    /// Says what came of the plans of these parts.
    fn update_statuses(&mut self, scopes: &BTreeSet<Scope>, now: Moment) {
        for scope in scopes {
            let statuses = self.statuses_of(scope);
            let previous = self.statuses.remove(scope).unwrap_or_default();
            let lines = change_log::statuses(&statuses, &previous, |id| {
                self.index.entries().get(id)?.object.place.as_deref()
            });
            self.commands.extend(lines.into_iter().map(Command::Log));
            self.reporter.report(&self.index, (&statuses, &previous), now);
            self.commands.extend(self.reporter.take_commands());
            self.scope_metrics.remove(scope);
            if let Some(plan) = self.plan.scope(scope) {
                self.scope_metrics.insert(scope.clone(), ScopeMetrics::of(&statuses, plan));
                self.statuses.insert(scope.clone(), statuses);
            }
        }
        let plan = &self.plan;
        let exceeded_by =
            |name: &str| plan.scopes().values().map(|plan| plan.exceeding(name)).sum();
        self.reporter.update_dependencies(&self.index, exceeded_by, now);
        self.commands.extend(self.reporter.take_commands());
        let is_ready = self.last_good.is_served || self.publisher.reach != Reach::One;
        if std::mem::replace(&mut self.ready, is_ready) != is_ready {
            self.commands.push(Command::SetReady(is_ready));
        }
        let mut totals = ScopeMetrics::default();
        for scope_metrics in self.scope_metrics.values() {
            totals.add(scope_metrics);
        }
        let totals = Measurement::Totals(totals, self.index.problems.len());
        self.commands.push(Command::Measure(totals));
    }

    /// Takes into the index what is in force now.
    fn record_in_force(&mut self, scope: &Scope, now: Moment) {
        if self.last_good.withheld().is_some() {
            return;
        }
        let Some(plan) = self.plan.scope(scope) else { return };
        for (id, planned) in &plan.policies {
            let entry = self.index.entries().get(id);
            let is_new = entry.is_some_and(|entry| entry.in_force != planned.in_force);
            if unpublished(self.publish_statuses.get(scope), plan, planned).is_some() {
                if is_new {
                    self.awaited.entry(id.clone()).or_insert(now.instant);
                }
                continue;
            }
            let enforced = is_enforced(&self.index, scope, planned);
            if let Some(entry) = self.index.entry_mut(id) {
                entry.enforced = Some(enforced);
                // A guardrail suspends what was in force, and does not make anybody forget it.
                if planned.in_force.is_some() || !planned.suspended {
                    entry.in_force.clone_from(&planned.in_force);
                }
            }
            if let Some(since) = self.awaited.remove(id) {
                let took = now.instant.saturating_duration_since(since);
                self.commands.push(Command::Measure(Measurement::Propagated(took)));
            }
        }
        self.log_nothing_in_force(scope);
    }

    /// Logs that no policy is in force in the one place, when that is new.
    fn log_nothing_in_force(&mut self, scope: &Scope) {
        if self.publisher.reach != Reach::One {
            return;
        }
        let Some(plan) = self.plan.scope(scope) else { return };
        let is_unpublished =
            |key: &BundleKey| self.publish_status(scope, key).is_none_or(|one| one.error.is_some());
        let is_published =
            plan.bundles().next().is_some() && !plan.bundles().any(|(key, _)| is_unpublished(key));
        if !is_published {
            return;
        }
        let in_force = plan.policies.values().filter_map(|planned| planned.in_force.as_ref());
        let is_off = self.index.why_off(scope).is_some();
        let count = in_force.filter(|in_force| in_force.policy.mode() != Mode::Off).count();
        let count = if is_off { 0 } else { count };
        if count == 0 && self.published_policies != Some(0) {
            self.commands.push(Command::Log(LogLine::NothingInForce));
        }
        self.published_policies = Some(count);
    }

    /// Has the proxies of a part report what they run.
    fn assign(&mut self, scope: &Scope) {
        if !self.hears_proxies() {
            return;
        }
        let Self { index, plan, publish_statuses, desired, tracker, commands, .. } = self;
        let Some(tracker) = tracker else { return };
        let nothing = ScopePlan::default();
        let plan = plan.scope(scope).unwrap_or(&nothing);
        let publish_statuses = publish_statuses.get(scope);
        let is_pending = |planned: &Planned| unpublished(publish_statuses, plan, planned).is_some();
        let published = (publish_statuses, desired.desired());
        let command = tracker.assign(scope, index, plan, published, is_pending);
        commands.extend(command.map(Command::PollProxies));
    }

    /// Does this replica learn what proxies run?
    fn hears_proxies(&self) -> bool {
        self.reporter.is_leading() || self.publisher.replicas == Replicas::All
    }

    /// The knowledge about the proxies of a policy.
    fn proxies_of(&self, id: &PolicyId, planned: &Planned) -> RolloutStatus {
        // What is in force nowhere is for no proxy.
        let matched = planned.matched.filter(|_| planned.in_force.is_some());
        let tracker = self.tracker.as_ref();
        let tracker = tracker.filter(|_| self.hears_proxies() && planned.in_force.is_some());
        let Some((tracker, matched)) = tracker.zip(matched) else {
            return RolloutStatus::Unseen { matched };
        };
        match tracker.rollout(id) {
            Some(rollout) => RolloutStatus::Asked(rollout.clone()),
            // There is no proxy to ask.
            None if matched == 0 => RolloutStatus::Asked(Rollout::default()),
            None => RolloutStatus::Asking { matched },
        }
    }

    /// Says that an object was written anew.
    fn record_refresh(&mut self, refreshed: &Refreshed) {
        if let Some(plan) = self.plan.scope(&scope_of(&refreshed.key)) {
            self.reporter.record_refresh(&self.index, plan, refreshed);
            self.commands.extend(self.reporter.take_commands());
        }
    }

    fn publish_status(&self, scope: &Scope, key: &BundleKey) -> Option<&PublishStatus> {
        self.publish_statuses.get(scope)?.get(key)
    }

    fn statuses_of(&self, scope: &Scope) -> Vec<Status> {
        let Some(plan) = self.plan.scope(scope) else { return Vec::new() };
        let publish_statuses = self.publish_statuses.get(scope);
        let status = |(id, planned): (_, &Planned)| {
            let entry = self.index.entries().get(id)?;
            let first = planned.keys.first();
            let publish_status = |key: &BundleKey| publish_statuses?.get(key);
            let is_stale_key = |key: &BundleKey| {
                publish_status(key).is_none_or(|seen| seen.digest.is_none() || seen.error.is_some())
            };
            let in_cluster = self.publisher.reach != Reach::One;
            let enforces = enforces(entry);
            let switches =
                enforces.is_some_and(|it| it != is_enforced(&self.index, scope, planned));
            let inputs = StatusInputs {
                stale: in_cluster && (switches || planned.keys.iter().any(is_stale_key)),
                held: planned.held.as_deref(),
                frozen: plan.frozen,
                off: self.index.why_off(scope),
                unpublished: unpublished(publish_statuses, plan, planned),
                kept: self.last_good.withheld(),
                digest: first.and_then(|key| publish_status(key)?.digest.clone()),
                reach: self.publisher.reach,
                proxies: self.proxies_of(id, planned),
            };
            Some(Status::of(entry, planned, inputs))
        };
        // They are kept until the next change.
        let mut statuses = Vec::with_capacity(plan.policies.len());
        statuses.extend(plan.policies.iter().filter_map(status));
        statuses
    }
}

/// Returns the reason why the plan of a policy is not published yet; `None` if it is.
fn unpublished<'p>(
    publish_statuses: Option<&'p BTreeMap<BundleKey, PublishStatus>>,
    plan: &ScopePlan,
    planned: &'p Planned,
) -> Option<Unpublished<'p>> {
    planned.keys.iter().find_map(|key| {
        let publish_status = publish_statuses.and_then(|of_scope| of_scope.get(key));
        let digest = publish_status.and_then(|publish_status| publish_status.digest.as_ref());
        let Some(bundle) = plan.bundle(key) else {
            return planned.held.as_deref().map(Unpublished::Held);
        };
        let error = publish_status.and_then(|publish_status| publish_status.error.as_deref());
        // By its digest it is, and the error says what is wrong with the rest of it.
        if digest == Some(&bundle.digest) && error.is_none() {
            return None;
        }
        Some(error.map_or(Unpublished::Pending(key), Unpublished::Failed))
    })
}

/// Does what was last published enforce a policy? `None`: that is not known.
fn enforces(entry: &Entry) -> Option<bool> {
    entry.enforced.or_else(|| {
        // What was published before this operator began is what the status says.
        let status: CorsPolicyStatus = entry.object.record.as_ref()?.status.read()?;
        let kind = ConditionType::Programmed.into();
        let programmed = condition_of(&status.conditions, kind)?;
        Some(programmed.reason != <&str>::from(Reason::Off))
    })
}

/// Should proxies enforce a policy, as far as switches and guardrails go?
fn is_enforced(index: &Index, scope: &Scope, planned: &Planned) -> bool {
    planned.in_force.is_some() && index.why_off(scope).is_none()
}

fn scope_of(key: &BundleKey) -> Scope {
    match key.namespace() {
        Some(namespace) => Scope::Namespace(namespace.to_owned()),
        None => Scope::All,
    }
}

#[cfg(test)]
mod tests;
