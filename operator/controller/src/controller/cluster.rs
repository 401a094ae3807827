//! The publisher into a cluster: what should be published, statuses and Events, each handed to the task that writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_api::conditions;
use corsward_api::v1alpha1::{
    ClusterCorsPolicyStatus, CorsPolicyStatus, OriginSetStatus, ResourceStatus,
};
use corsward_operator_core::bundle::{BundleKey, Desired, PublishStatus};
use corsward_operator_core::cluster_state::Key;
use corsward_operator_core::desired::DesiredBundles;
use corsward_operator_core::event::{Refreshed, RolloutUpdate};
use corsward_operator_core::index::{Index, Scope};
use corsward_operator_core::json_text::JsonText;
use corsward_operator_core::plan::{Planned, ScopePlan};
use corsward_operator_core::rollout_counts::Rollout;
use corsward_operator_core::status::{ConditionType, Reason, RolloutStatus, Status, resource};
use corsward_policy::PolicyId;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::sync::{mpsc, watch};
use tracing::debug;

use crate::events::{EventSender, ObjectEvent};
use crate::rollout::tracker::Tracker;
use crate::writer::{ResourceKind, ResourceRef, StatusWrite};

/// Most policies of one object whose authors are told that it was written anew.
const MAX_EVENTS: usize = 10;
/// A status that was sent so long ago and not seen since is sent again: it may have been taken for that of an object that is gone, or written
/// over by what a former leader still had on its way.
const RESEND_DELAY: Duration = Duration::from_secs(30);
/// Each time it takes twice as long, up to this: an API server that refuses a field, or leaves it out, goes on doing so.
const MAX_RESEND_DELAY: Duration = Duration::from_mins(5);

/// The tasks that write into a cluster, as the loop sees them.
#[derive(Debug)]
pub(crate) struct ClusterPublisher {
    desired: DesiredBundles,
    /// Statuses that were sent and not seen yet, and what was seen when they were.
    sent: BTreeMap<ResourceRef, Sent>,
    leading: bool,
    desired_sender: watch::Sender<Arc<Desired>>,
    writer: mpsc::UnboundedSender<StatusWrite>,
    object_events: EventSender,
    /// The proxies, where they are asked.
    tracker: Option<Tracker>,
}

#[derive(Debug)]
struct Sent {
    status: JsonText,
    instead_of: JsonText,
    at: Instant,
    /// Time in which the watch should show it.
    delay: Duration,
}

// === impl ClusterPublisher ===

impl ClusterPublisher {
    pub(crate) fn new(
        desired_sender: watch::Sender<Arc<Desired>>,
        writer: mpsc::UnboundedSender<StatusWrite>,
        object_events: EventSender,
        tracker: Option<Tracker>,
    ) -> Self {
        let (desired, sent, leading) = Default::default();
        Self { desired, sent, leading, desired_sender, writer, object_events, tracker }
    }

    /// This replica writes from now on, or does not any more.
    pub(super) fn lead(&mut self, leading: bool) {
        self.leading = leading;
        // What the last leader sent may never have arrived.
        self.sent.clear();
        if let Some(tracker) = &mut self.tracker {
            tracker.rest();
        }
    }

    /// Takes in what should be published in a part.
    pub(super) fn desire<'k>(
        &mut self,
        index: &Index,
        scope: &Scope,
        plan: &ScopePlan,
        known: impl Iterator<Item = (&'k BundleKey, &'k PublishStatus)>,
    ) {
        self.desired.desire(index, scope, plan, known);
    }

    /// Tells the publisher, if there is anything new.
    pub(super) fn flush(&mut self) {
        if let Some(desired) = self.desired.take_changed() {
            self.desired_sender.send_replace(desired);
        }
    }

    /// Has proxies asked whether they run what is published. `is_pending`: is a newer configuration on its way that holds the policy?
    pub(super) fn assign(
        &mut self,
        scope: &Scope,
        index: &Index,
        plan: &ScopePlan,
        publish_statuses: Option<&BTreeMap<BundleKey, PublishStatus>>,
        is_pending: impl Fn(&Planned) -> bool,
    ) {
        if let Some(tracker) = self.tracker.as_mut().filter(|_| self.leading) {
            tracker.assign(
                scope,
                index,
                plan,
                (publish_statuses, self.desired.desired()),
                is_pending,
            );
        }
    }

    /// Takes in how policies stand, and says in which parts.
    pub(super) fn record_rollouts(&mut self, updates: Vec<RolloutUpdate>) -> BTreeSet<Scope> {
        self.tracker.as_mut().map(|tracker| tracker.record_rollouts(updates)).unwrap_or_default()
    }

    /// The knowledge about the proxies of a policy.
    pub(super) fn proxies_of(&self, id: &PolicyId, planned: &Planned) -> RolloutStatus {
        // What is in force nowhere is for no proxy.
        let matched = planned.matched.filter(|_| planned.in_force.is_some());
        let tracker = self.tracker.as_ref().filter(|_| self.leading && planned.in_force.is_some());
        let Some((tracker, matched)) = tracker.zip(matched) else {
            return RolloutStatus::Unseen { matched };
        };
        match tracker.rollout(id) {
            Some(rollout) => RolloutStatus::Asked(rollout.clone()),
            // There is nobody to ask.
            None if matched == 0 => RolloutStatus::Asked(Rollout::default()),
            None => RolloutStatus::Asking { matched },
        }
    }

    /// Tells the authors of the policies in an object that it was written anew.
    pub(super) fn record_refresh(&self, index: &Index, plan: &ScopePlan, refreshed: &Refreshed) {
        let Refreshed { key, pods } = refreshed;
        let pods = pods.join(", ");
        let note = format!(
            "the object `{key}` was touched, so that proxies that run no filter fetch its module again: {pods}"
        );
        let state = plan.policies.iter().filter(|(_, planned)| planned.keys.contains(key));
        for (id, _) in state.take(MAX_EVENTS) {
            let record = index.entries().get(id).and_then(|entry| entry.object.record.as_ref());
            let Some(record) = record else { continue };
            self.object_events.send(ObjectEvent {
                resource: policy(id, &record.uid),
                warning: true,
                reason: "FilterMissing".to_owned(),
                action: "Refresh".to_owned(),
                note: note.clone(),
            });
        }
    }

    /// Has the statuses of a part's policies written where they differ from what is there.
    pub(super) fn report(&mut self, scope: &Scope, index: &Index, statuses: &[Status]) {
        if !self.leading {
            return;
        }
        let namespace = scope.namespace().map(str::to_owned);
        let (kind, name, uid) = (ResourceKind::CorsPolicy, String::new(), String::new());
        let first = ResourceRef { kind, namespace, name, uid };
        self.forget(index, &first, |sent| (sent.kind, &sent.namespace) == (kind, &first.namespace));
        for status in statuses {
            self.report_one(index, status);
        }
    }

    fn report_one(&mut self, index: &Index, status: &Status) {
        let Some(record) =
            index.entries().get(&status.policy).and_then(|entry| entry.object.record.as_ref())
        else {
            return;
        };
        let resource = policy(&status.policy, &record.uid);
        let news = |known: &CorsPolicyStatus| object_event(&resource, status, known);
        let new = |known: &CorsPolicyStatus, now: &Time| {
            let mut new = resource::of(status, now);
            // What is about something else (it is not published any more, it is off) is news.
            if status.awaits_proxies() {
                resource::keep_proxies(&mut new, known);
            }
            new
        };
        let news = self.write(&resource, new, &record.status, news);
        if let Some(object_event) = news.flatten() {
            self.object_events.send(object_event);
        }
    }

    /// Has the statuses of these sets and guardrails written where they differ from what is there.
    pub(super) fn update_dependencies(
        &mut self,
        index: &Index,
        sets: impl Iterator<Item = Key>,
        guardrails: impl Iterator<Item = (String, usize)>,
    ) {
        if !self.leading {
            return;
        }
        let dependencies = index.dependencies();
        for kind in [ResourceKind::OriginSet, ResourceKind::ClusterCorsPolicy] {
            let (namespace, name, uid) = Default::default();
            let first = ResourceRef { kind, namespace, name, uid };
            self.forget(index, &first, |sent| sent.kind == kind);
        }
        for key in sets {
            let Some(validated) = dependencies.set(&key) else { continue };
            let origins =
                dependencies.sets().get(&key).and_then(|origins| Some(origins.as_ref()?.len()));
            let resource = ResourceRef {
                kind: ResourceKind::OriginSet,
                uid: validated.object().uid.clone(),
                namespace: Some(key.namespace),
                name: key.name,
            };
            let status =
                |_: &OriginSetStatus, now: &Time| resource::of_set(validated, origins, now);
            self.write(&resource, status, &validated.object().status, |_| ());
        }
        for (name, exceeded_by) in guardrails {
            let Some(state) = dependencies.guardrail(&name) else { continue };
            let resource = ResourceRef {
                kind: ResourceKind::ClusterCorsPolicy,
                uid: state.validated.object().uid.clone(),
                namespace: None,
                name,
            };
            let status = |_: &ClusterCorsPolicyStatus, now: &Time| {
                resource::of_guardrail(state, exceeded_by, now)
            };
            self.write(&resource, status, &state.validated.object().status, |_| ());
        }
    }

    /// Forgets what was sent of objects that are gone, from `first` on as far as they are meant.
    fn forget(
        &mut self,
        index: &Index,
        first: &ResourceRef,
        is_meant: impl Fn(&ResourceRef) -> bool,
    ) {
        let meant =
            self.sent.range(first..).map(|(sent, _)| sent).take_while(|sent| is_meant(sent));
        let gone: Vec<_> = meant.filter(|sent| !is_there(index, sent)).cloned().collect();
        for resource in &gone {
            self.sent.remove(resource);
        }
    }

    /// Sends again, as it was, what was sent and not seen since.
    pub(super) fn send_unseen(&mut self, now: Instant) {
        for (resource, sent) in &mut self.sent {
            if now.saturating_duration_since(sent.at) >= sent.delay {
                sent.at = now;
                sent.delay = sent.delay.saturating_mul(2).min(MAX_RESEND_DELAY);
                debug!(%resource, "the watch does not show a written status: sent again");
                let write = StatusWrite { resource: resource.clone(), status: sent.status.clone() };
                // Whoever writes has ended, and so does everything else.
                let _ = self.writer.send(write);
            }
        }
    }

    /// Has the status written that `new` makes of what is known, unless `observed` says the same or that very status is on its way;
    /// what `news` makes of what was known before.
    fn write<S: ResourceStatus, N>(
        &mut self,
        resource: &ResourceRef,
        new: impl FnOnce(&S, &Time) -> S,
        observed: &JsonText,
        news: impl FnOnce(&S) -> N,
    ) -> Option<N> {
        // Somebody else wrote in between: what was sent is not there any more.
        let pending = self
            .sent
            .remove(resource)
            .filter(|sent| sent.status != *observed && sent.instead_of == *observed);
        let known_text = pending.as_ref().map_or(observed, |sent| &sent.status);
        let known: S = known_text.read().unwrap_or_default();
        let mut new = new(&known, &Time(Timestamp::now()));
        conditions::keep_times(new.conditions_mut(), known.conditions());
        let status = JsonText::serialize(&new);
        if status == *known_text {
            self.sent.extend(pending.map(|sent| (resource.clone(), sent)));
            return None;
        }
        let news = news(&known);
        let write = StatusWrite { resource: resource.clone(), status: status.clone() };
        if self.writer.send(write).is_ok() {
            let (instead_of, at, delay) = (observed.clone(), Instant::now(), RESEND_DELAY);
            let sent = Sent { status, instead_of, at, delay };
            self.sent.insert(resource.clone(), sent);
        }
        Some(news)
    }
}

/// Is that very object there?
fn is_there(index: &Index, resource: &ResourceRef) -> bool {
    let ResourceRef { kind, namespace, name, uid } = resource;
    let (namespace, name) = (namespace.clone().unwrap_or_default(), name.clone());
    let known = match kind {
        ResourceKind::CorsPolicy => {
            let entry = index.entries().get(&PolicyId { namespace, name });
            entry.and_then(|entry| entry.object.uid())
        }
        ResourceKind::OriginSet => {
            let validated = index.dependencies().set(&Key { namespace, name });
            validated.map(|validated| &*validated.object().uid)
        }
        ResourceKind::ClusterCorsPolicy => {
            let state = index.dependencies().guardrail(&name);
            state.map(|state| &*state.validated.object().uid)
        }
    };
    known == Some(uid)
}

/// A policy as an object.
fn policy(id: &PolicyId, uid: &str) -> ResourceRef {
    ResourceRef {
        kind: ResourceKind::CorsPolicy,
        namespace: Some(id.namespace.clone()),
        name: id.name.clone(),
        uid: uid.to_owned(),
    }
}

/// The Event about a policy that had the status `known` before.
fn object_event(
    resource: &ResourceRef,
    status: &Status,
    known: &CorsPolicyStatus,
) -> Option<ObjectEvent> {
    let accepted = status.condition(ConditionType::Accepted)?;
    let programmed = status.condition(ConditionType::Programmed)?;
    let is_new = |kind: ConditionType, reason: Reason| {
        let before = conditions::find(&known.conditions, kind.as_str());
        before.is_none_or(|before| before.reason != reason.as_str())
    };
    let is_edited = known.observed_generation != Some(status.observed_generation);
    let (condition, warning) = if !accepted.holds {
        let is_news = is_edited || is_new(accepted.kind, accepted.reason);
        (is_news.then_some(accepted)?, true)
    } else if !programmed.reason.is_transient() && is_new(programmed.kind, programmed.reason) {
        let partly = programmed.reason == Reason::PartiallyProgrammed;
        (programmed, partly || (!programmed.holds && programmed.reason != Reason::Off))
    } else {
        return None;
    };
    let mut note = condition.message.clone();
    if !accepted.holds {
        note = format!("{note}; {}", programmed.message);
    }
    let action = if accepted.holds { "Publish" } else { "Validate" };
    Some(ObjectEvent {
        resource: resource.clone(),
        warning,
        reason: condition.reason.as_str().to_owned(),
        action: action.to_owned(),
        note,
    })
}

#[cfg(test)]
mod tests {
    use corsward_policy::validate::NoKnowledge;

    use super::*;
    use crate::events;
    use corsward_operator_core::object::{Object, Record};
    use corsward_operator_core::testing::{GOOD, carry_out, id, object};
    use corsward_operator_core::validation::Domain;

    #[test]
    fn what_was_sent_of_an_object_that_is_gone_is_forgotten() {
        let (mut index, mut cluster, _writes) = stand();
        let (scope, statuses) = (Scope::Namespace("shop".into()), carry_out(&mut index).statuses);
        for why in ["it is sent", "it is on its way"] {
            cluster.report(&scope, &index, &statuses);
            assert_eq!(cluster.sent.len(), 1, "{why}");
        }
        index.delete(&id("api"));
        cluster.report(&scope, &index, &[]);
        assert!(cluster.sent.is_empty());
    }

    #[test]
    fn what_was_sent_and_is_never_seen_is_sent_again_as_it_was_and_ever_less_often() {
        let (mut index, mut cluster, mut writes) = stand();
        let (scope, statuses) = (Scope::Namespace("shop".into()), carry_out(&mut index).statuses);
        cluster.report(&scope, &index, &statuses);
        let first = writes.try_recv().unwrap();
        let begun = Instant::now();
        let mut sent = Vec::new();
        for second in 0..1800 {
            cluster.send_unseen(begun.checked_add(Duration::from_secs(second)).unwrap());
            while let Ok(again) = writes.try_recv() {
                assert_eq!(again, first);
                sent.push(second);
            }
        }
        assert_eq!(sent, [30, 90, 210, 450, 750, 1050, 1350, 1650]);

        index.apply(Object {
            record: Some(Record { status: first.status, ..record() }),
            ..object("api", &GOOD)
        });
        cluster.report(&scope, &index, &statuses);
        cluster.send_unseen(begun.checked_add(Duration::from_hours(1)).unwrap());
        assert!(writes.try_recv().is_err(), "it is seen");
    }

    fn record() -> Record {
        Record { uid: "u".to_owned(), created: None, status: JsonText::default() }
    }

    /// A policy that was never told anything, and a replica that leads.
    fn stand() -> (Index, ClusterPublisher, mpsc::UnboundedReceiver<StatusWrite>) {
        let mut index = Index::new(Arc::new(NoKnowledge), Domain::Cluster);
        index.apply(Object { record: Some(record()), ..object("api", &GOOD) });
        let (desired_sender, _) = watch::channel(Arc::default());
        let (writer, statuses) = mpsc::unbounded_channel();
        let (object_events, _) = events::channel();
        let mut cluster = ClusterPublisher::new(desired_sender, writer, object_events, None);
        cluster.lead(true);
        (index, cluster, statuses)
    }
}
