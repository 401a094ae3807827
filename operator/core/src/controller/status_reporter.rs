//! Status reporter: the statuses as an API server holds them, the Events that are due, and what was sent and not seen since.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use corsward_api::v1alpha1::{
    self, ClusterCorsPolicyStatus, CorsPolicyStatus, GuardrailInForce, InForce, MAX_FINDINGS,
    OriginSetStatus, OriginSetSummary, Proxies, ResourceStatus, Summary,
};
use corsward_policy::{Finding, PolicyId};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{self, Time};

use crate::change_log::LogLine;
use crate::cluster_state::{Key, RawObject};
use crate::command::{Command, ObjectEvent, StatusWrite};
use crate::event::{Moment, Refreshed};
use crate::finding::PlacementReason;
use crate::guardrails::GuardrailState;
use crate::index::{Index, PolicyInForce, Scope};
use crate::json_text::JsonText;
use crate::object::ValidatedObject;
use crate::plan::ScopePlan;
use crate::resource_ref::{ResourceKind, ResourceRef};
use crate::status::{self, Condition, ConditionType, Reason, RolloutStatus, Status, refusal};

/// Most policies of one object whose authors are told that it was written anew.
const MAX_EVENTS: usize = 10;
/// A status that was sent so long ago and not seen since is sent again: it may have been taken for that of an object that is gone, or written
/// over by what a former leader still had on its way.
const RESEND_DELAY: Duration = Duration::from_secs(30);
/// Each time it takes twice as long, up to this: an API server that refuses a field, or leaves it out, goes on doing so.
const MAX_RESEND_DELAY: Duration = Duration::from_mins(5);

/// The statuses on their way, and the commands that send them.
#[derive(Debug, Default)]
pub(super) struct StatusReporter {
    /// Statuses that were sent and not seen yet, and what was seen when they were.
    sent: BTreeMap<ResourceRef, Sent>,
    /// The policies whose status the API server shows as it should be, and that status: it is not made and compared again as long as nothing
    /// is new.
    settled: BTreeMap<PolicyId, JsonText>,
    leading: bool,
    commands: Vec<Command>,
}

#[derive(Debug)]
struct Sent {
    status: JsonText,
    instead_of: JsonText,
    at: Instant,
    /// Time in which the watch should show it.
    delay: Duration,
}

// === impl StatusReporter ===

impl StatusReporter {
    /// This replica writes from now on, or does not any more.
    pub(super) fn lead(&mut self, leading: bool) {
        self.leading = leading;
        // What the last leader sent may never have arrived.
        self.sent.clear();
        self.settled.clear();
    }

    /// Does this replica write?
    pub(super) fn is_leading(&self) -> bool {
        self.leading
    }

    /// The commands since the last call.
    pub(super) fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// Tells the authors of the policies in an object that it was written anew.
    pub(super) fn record_refresh(
        &mut self,
        index: &Index,
        plan: &ScopePlan,
        refreshed: &Refreshed,
    ) {
        let Refreshed { key, pods } = refreshed;
        let pods = pods.join(", ");
        let note = format!(
            "the object `{key}` was touched, so that proxies that run no filter fetch its module again: {pods}"
        );
        let state = plan.policies.iter().filter(|(_, planned)| planned.keys.contains(key));
        for (id, _) in state.take(MAX_EVENTS) {
            let record = index.entries().get(id).and_then(|entry| entry.object.record.as_ref());
            let Some(record) = record else { continue };
            self.commands.push(Command::RecordEvent(ObjectEvent {
                resource: policy(id, &record.uid),
                warning: true,
                reason: "FilterMissing".to_owned(),
                action: "Refresh".to_owned(),
                note: note.clone(),
            }));
        }
    }

    /// Has the statuses of a part's policies written where they differ from what is there. `previous`: what they were before.
    pub(super) fn report(
        &mut self,
        scope: &Scope,
        index: &Index,
        (statuses, previous): (&[Status], &[Status]),
        now: Moment,
    ) {
        if !self.leading {
            return;
        }
        let namespace = scope.namespace().map(str::to_owned);
        let first = first(ResourceKind::CorsPolicy, namespace);
        let is_meant =
            |sent: &ResourceRef| (sent.kind, &sent.namespace) == (first.kind, &first.namespace);
        self.forget(index, &first, is_meant);
        let policies = |namespace: String| PolicyId { namespace, name: String::new() };
        let namespace = scope.namespace().unwrap_or_default();
        let policies = policies(namespace.to_owned())..policies(format!("{namespace}\0"));
        let is_gone = |id: &PolicyId, _: &mut JsonText| status::find(statuses, id).is_none();
        self.settled.extract_if(policies, is_gone).for_each(drop);
        for status in statuses {
            self.report_one(index, status, previous, now);
        }
    }

    fn report_one(&mut self, index: &Index, status: &Status, previous: &[Status], now: Moment) {
        let Some(record) =
            index.entries().get(&status.policy).and_then(|entry| entry.object.record.as_ref())
        else {
            return;
        };
        let is_known = status::find(previous, &status.policy) == Some(status);
        if is_known && self.settled.get(&status.policy) == Some(&record.status) {
            return;
        }
        let resource = policy(&status.policy, &record.uid);
        // What was sent of the same status has arrived.
        let is_there = |sent: &Sent| sent.status == record.status;
        if is_known && self.sent.get(&resource).is_some_and(is_there) {
            self.sent.remove(&resource);
            self.settled.insert(status.policy.clone(), record.status.clone());
            return;
        }
        let news = |known: &CorsPolicyStatus| object_event(&resource, status, known);
        let new = |known: &CorsPolicyStatus, now: &Time| {
            let mut new = policy_status(status, now);
            // What is about something else (it is not published any more, it is off) is news.
            if status.awaits_proxies() {
                keep_proxies(&mut new, known);
            }
            new
        };
        let news = self.write(&resource, new, &record.status, news, now);
        if news.is_none() && !self.sent.contains_key(&resource) {
            self.settled.insert(status.policy.clone(), record.status.clone());
        } else {
            self.settled.remove(&status.policy);
        }
        if let Some(object_event) = news.flatten() {
            self.commands.push(Command::RecordEvent(object_event));
        }
    }

    /// Has the statuses of origin sets and guardrails written where they differ from what is there. `exceeded_by`: how many policies exceed
    /// a guardrail.
    pub(super) fn update_dependencies(
        &mut self,
        index: &Index,
        exceeded_by: impl Fn(&str) -> usize,
        now: Moment,
    ) {
        if !self.leading {
            return;
        }
        for kind in [ResourceKind::OriginSet, ResourceKind::ClusterCorsPolicy] {
            self.forget(index, &first(kind, None), |sent| sent.kind == kind);
        }
        for (key, validated) in index.origin_sets().validated() {
            let origins = index.origin_sets().origins().get(key);
            let origins = origins.and_then(|origins| Some(origins.as_ref()?.len()));
            let RawObject { uid, status: observed, .. } = &validated.object;
            let (namespace, name, uid) =
                (Some(key.namespace.clone()), key.name.clone(), uid.clone());
            let resource = ResourceRef { kind: ResourceKind::OriginSet, namespace, name, uid };
            let status = |_: &OriginSetStatus, now: &Time| set_status(validated, origins, now);
            self.write(&resource, status, observed, |_| (), now);
        }
        for (name, state) in index.guardrails().all() {
            let exceeded_by = exceeded_by(name);
            let RawObject { uid, status: observed, .. } = &state.validated.object;
            let (kind, name, uid) = (ResourceKind::ClusterCorsPolicy, name.clone(), uid.clone());
            let resource = ResourceRef { kind, namespace: None, name, uid };
            let status =
                |_: &ClusterCorsPolicyStatus, now: &Time| guardrail_status(state, exceeded_by, now);
            self.write(&resource, status, observed, |_| (), now);
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
                self.commands.push(Command::Log(LogLine::StatusResent(resource.clone())));
                let write = StatusWrite { resource: resource.clone(), status: sent.status.clone() };
                self.commands.push(Command::WriteStatus(write));
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
        now: Moment,
    ) -> Option<N> {
        // A different writer came in between: what was sent is not there any more.
        let pending = self
            .sent
            .remove(resource)
            .filter(|sent| sent.status != *observed && sent.instead_of == *observed);
        let known_text = pending.as_ref().map_or(observed, |sent| &sent.status);
        let known: S = known_text.read().unwrap_or_default();
        let mut new = new(&known, &Time(now.timestamp));
        keep_times(new.conditions_mut(), known.conditions());
        let status = JsonText::serialize(&new);
        if status == *known_text {
            self.sent.extend(pending.map(|sent| (resource.clone(), sent)));
            return None;
        }
        let news = news(&known);
        let write = StatusWrite { resource: resource.clone(), status: status.clone() };
        self.commands.push(Command::WriteStatus(write));
        let (instead_of, at, delay) = (observed.clone(), now.instant, RESEND_DELAY);
        self.sent.insert(resource.clone(), Sent { status, instead_of, at, delay });
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
            let validated = index.origin_sets().validated().get(&Key { namespace, name });
            validated.map(|validated| &*validated.object.uid)
        }
        ResourceKind::ClusterCorsPolicy => {
            let state = index.guardrails().all().get(&name);
            state.map(|state| &*state.validated.object.uid)
        }
    };
    known == Some(uid)
}

/// The first object of a kind, or of a namespace, in the order of references.
fn first(kind: ResourceKind, namespace: Option<String>) -> ResourceRef {
    ResourceRef { kind, namespace, name: String::new(), uid: String::new() }
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
        let before = condition_of(&known.conditions, kind.into());
        before.is_none_or(|before| before.reason != <&str>::from(reason))
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
        reason: <&str>::from(condition.reason).to_owned(),
        action: action.to_owned(),
        note,
    })
}

/// The status of a policy, whose conditions flip at `now`.
pub(crate) fn policy_status(status: &Status, now: &Time) -> CorsPolicyStatus {
    let Status {
        policy: _,
        observed_generation,
        conditions,
        in_force,
        suspended,
        // Of the configuration, which changes with every neighbour.
        digest: _,
        findings,
        overridden_by: _,
        targets,
        origins,
        proxies,
    } = status;
    let in_short = Summary {
        targets: targets.clone(),
        origins: origins.map(number),
        proxies: proxies_in_short(proxies),
    };
    CorsPolicyStatus {
        observed_generation: Some(*observed_generation),
        conditions: conditions
            .iter()
            .map(|one| condition(one, *observed_generation, now))
            .collect(),
        in_force: in_force.as_ref().map(revision),
        suspended: suspended.as_ref().map(revision),
        proxies: of_proxies(proxies),
        findings: findings_list(findings),
        summary: Some(in_short),
    }
}

fn revision(in_force: &PolicyInForce) -> InForce {
    let digest = in_force.digest.to_string();
    InForce { generation: in_force.generation, digest, spec: in_force.spec.clone() }
}

/// The number of proxies and their states.
fn of_proxies(proxies: &RolloutStatus) -> Option<Proxies> {
    let unknown = |matched| Proxies { matched: number(matched), ..Proxies::default() };
    match proxies {
        RolloutStatus::Unseen { matched } => matched.map(unknown),
        RolloutStatus::Asking { matched } => Some(unknown(*matched)),
        RolloutStatus::Asked(rollout) if rollout.is_silent() => Some(unknown(rollout.matched)),
        RolloutStatus::Asked(rollout) => Some(Proxies {
            matched: number(rollout.matched),
            current: Some(number(rollout.current)),
            rejected: Some(number(rollout.rejected)),
        }),
    }
}

/// The same, in few words.
fn proxies_in_short(proxies: &RolloutStatus) -> Option<String> {
    match proxies {
        RolloutStatus::Unseen { matched } => matched.map(|matched| format!("?/{matched}")),
        RolloutStatus::Asking { matched } => Some(format!("?/{matched}")),
        RolloutStatus::Asked(rollout) => Some(rollout.summary()),
    }
}

/// Keeps the proxy counts of `known` while the proxies are asked, if the generation and the spec in force are unchanged, so that the
/// status does not flap.
fn keep_proxies(status: &mut CorsPolicyStatus, known: &CorsPolicyStatus) -> Option<()> {
    if status.observed_generation != known.observed_generation
        || status.in_force.is_none()
        || status.in_force != known.in_force
    {
        return None;
    }
    let programmed = ConditionType::Programmed.into();
    let validated = condition_of(&known.conditions, programmed)?;
    let about_proxies =
        [Reason::Programmed, Reason::PartiallyProgrammed, Reason::NotProgrammed, Reason::Published];
    if !about_proxies.iter().any(|about| <&str>::from(about) == validated.reason) {
        return None;
    }
    let (proxies, in_short) = (known.proxies?, known.summary.as_ref()?.proxies.clone()?);
    let condition = status.conditions.iter_mut().find(|condition| condition.type_ == programmed)?;
    condition.clone_from(validated);
    status.proxies = Some(proxies);
    status.summary.get_or_insert_default().proxies = Some(in_short);
    Some(())
}

/// The status of an `OriginSet`. `origins`: how many it has.
fn set_status(validated: &ValidatedObject, origins: Option<usize>, now: &Time) -> OriginSetStatus {
    let summary = origins.map(|origins| OriginSetSummary { origins: Some(number(origins)) });
    OriginSetStatus {
        observed_generation: Some(validated.object.generation),
        conditions: vec![accepted(validated, "the origins are valid", now)],
        findings: findings_list(&validated.findings),
        summary,
    }
}

/// The status of a `ClusterCorsPolicy`. `exceeded_by`: how many policies exceed it.
fn guardrail_status(
    state: &GuardrailState,
    exceeded_by: usize,
    now: &Time,
) -> ClusterCorsPolicyStatus {
    let GuardrailState { validated, in_force } = state;
    let in_force = in_force.as_ref().map(|(generation, spec, _)| GuardrailInForce {
        generation: *generation,
        spec: JsonText::of(spec),
    });
    ClusterCorsPolicyStatus {
        observed_generation: Some(validated.object.generation),
        conditions: vec![accepted(validated, "the guardrails are valid", now)],
        in_force,
        findings: findings_list(&validated.findings),
        exceeded_by: Some(number(exceeded_by)),
    }
}

fn accepted(validated: &ValidatedObject, valid: &str, now: &Time) -> v1::Condition {
    let ValidatedObject { accepted, findings, .. } = validated;
    let accepted = Condition {
        kind: ConditionType::Accepted,
        holds: *accepted,
        reason: if *accepted { Reason::Accepted } else { Reason::Invalid },
        message: if *accepted { valid.to_owned() } else { refusal(findings.iter()) },
    };
    condition(&accepted, validated.object.generation, now)
}

fn findings_list(findings: &[Finding]) -> Vec<v1alpha1::Finding> {
    let count = findings.len();
    if count <= MAX_FINDINGS {
        return findings.iter().map(finding).collect();
    }
    let shown = MAX_FINDINGS.saturating_sub(1);
    let cut_off = Finding::new("spec", PlacementReason::CutOff { count, shown });
    findings.iter().take(shown).chain([&cut_off]).map(finding).collect()
}

fn condition(condition: &Condition, observed_generation: i64, now: &Time) -> v1::Condition {
    let Condition { kind, holds, reason, message } = condition;
    v1::Condition {
        type_: <&str>::from(kind).to_owned(),
        status: if *holds { "True" } else { "False" }.to_owned(),
        reason: <&str>::from(reason).to_owned(),
        message: message.clone(),
        observed_generation: Some(observed_generation),
        last_transition_time: now.clone(),
    }
}

fn finding(finding: &Finding) -> v1alpha1::Finding {
    v1alpha1::Finding {
        code: finding.code().to_owned(),
        field: finding.field.clone(),
        message: finding.message(),
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The condition of that type.
pub(super) fn condition_of<'c>(
    conditions: &'c [v1::Condition],
    kind: &str,
) -> Option<&'c v1::Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Keeps the transition time of each condition whose `status` is the same among those `observed`. So a status that says nothing new
/// equals the observed one.
fn keep_times(conditions: &mut [v1::Condition], observed: &[v1::Condition]) {
    for condition in conditions {
        let known = condition_of(observed, &condition.type_);
        if let Some(known) = known.filter(|known| known.status == condition.status) {
            condition.last_transition_time = known.last_transition_time.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use corsward_policy::validate::NoKnowledge;
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::object::{Object, Record};
    use crate::publish::istio::REACH;
    use crate::testing::{GOOD, carry_out, id, object};

    fn now() -> Moment {
        Moment { instant: Instant::now(), timestamp: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn what_was_sent_of_an_object_that_is_gone_is_forgotten() {
        let (mut index, mut reporter) = fixture();
        let (scope, statuses) = (Scope::Namespace("shop".into()), carry_out(&mut index).statuses);
        for why in ["it is sent", "it is on its way"] {
            reporter.report(&scope, &index, (&statuses, &[]), now());
            assert_eq!(reporter.sent.len(), 1, "{why}");
        }
        index.delete(&id("api"));
        reporter.report(&scope, &index, (&[], &statuses), now());
        assert!(reporter.sent.is_empty());
    }

    #[test]
    fn what_was_sent_and_is_never_seen_is_sent_again_as_it_was_and_ever_less_often() {
        let (mut index, mut reporter) = fixture();
        let (scope, statuses) = (Scope::Namespace("shop".into()), carry_out(&mut index).statuses);
        let begun = now();
        reporter.report(&scope, &index, (&statuses, &[]), begun);
        let first = writes(&mut reporter).remove(0);
        let mut sent = Vec::new();
        for second in 0..1800 {
            reporter.send_unseen(begun.instant.checked_add(Duration::from_secs(second)).unwrap());
            for again in writes(&mut reporter) {
                assert_eq!(again, first);
                sent.push(second);
            }
        }
        assert_eq!(sent, [30, 90, 210, 450, 750, 1050, 1350, 1650]);

        index.apply(Object {
            record: Some(Record { status: first.status, ..record() }),
            ..object("api", &GOOD)
        });
        reporter.report(&scope, &index, (&statuses, &[]), begun);
        reporter.send_unseen(begun.instant.checked_add(Duration::from_hours(1)).unwrap());
        assert_eq!(writes(&mut reporter), [], "it is seen");
    }

    #[test]
    fn a_settled_status_is_written_again_where_something_else_stands() {
        let (mut index, mut reporter) = fixture();
        let (scope, statuses) = (Scope::Namespace("shop".into()), carry_out(&mut index).statuses);
        let report = |reporter: &mut StatusReporter, index: &Index, (new, old): (&[_], &[_])| {
            reporter.report(&scope, index, (new, old), now());
            writes(reporter).len()
        };
        reporter.report(&scope, &index, (&statuses, &[]), now());
        let first = writes(&mut reporter).remove(0).status;
        let shows = |status: &JsonText| Object {
            record: Some(Record { status: status.clone(), ..record() }),
            ..object("api", &GOOD)
        };
        for why in ["it is seen", "it is as it was"] {
            index.apply(shows(&first));
            assert_eq!(report(&mut reporter, &index, (&statuses, &statuses)), 0, "{why}");
        }
        index.apply(shows(&JsonText::default()));
        assert_eq!(report(&mut reporter, &index, (&statuses, &statuses)), 1, "it was taken away");
        index.apply(shows(&first));
        assert_eq!(report(&mut reporter, &index, (&statuses, &statuses)), 0, "it is seen again");
        let mut news = statuses.clone();
        news[0].targets = Some("Service/other".to_owned());
        assert_eq!(report(&mut reporter, &index, (&news, &statuses)), 1, "it says something else");
        reporter.lead(true);
        assert_eq!(report(&mut reporter, &index, (&news, &news)), 1, "another leader wrote");
        index.delete(&id("api"));
        assert_eq!(report(&mut reporter, &index, (&[], &news)), 0, "it is gone");
        index.apply(shows(&JsonText::default()));
        assert_eq!(report(&mut reporter, &index, (&news, &[])), 1, "it is made anew");
    }

    fn writes(reporter: &mut StatusReporter) -> Vec<StatusWrite> {
        let writes = reporter.take_commands().into_iter().filter_map(|command| match command {
            Command::WriteStatus(write) => Some(write),
            _ => None,
        });
        writes.collect()
    }

    fn record() -> Record {
        Record { uid: "u".to_owned(), created: None, status: JsonText::default() }
    }

    /// A policy without a status, and a replica that leads.
    fn fixture() -> (Index, StatusReporter) {
        let mut index = Index::new(Arc::new(NoKnowledge), REACH.unseen());
        index.apply(Object { record: Some(record()), ..object("api", &GOOD) });
        let mut reporter = StatusReporter::default();
        reporter.lead(true);
        (index, reporter)
    }

    #[test]
    fn more_findings_than_a_status_holds_are_cut_off_and_counted() {
        for (count, shown, last) in [(100, 100, "CORS-W522"), (101, 100, "CORS-W536")] {
            let findings: Vec<_> =
                std::iter::repeat_with(|| Finding::new("spec", PlacementReason::LastGoodInForce))
                    .take(count)
                    .collect();
            let list = findings_list(&findings);
            assert_eq!((list.len(), list[shown - 1].code.as_str()), (shown, last));
        }
    }

    #[test]
    fn while_proxies_are_asked_what_they_said_of_the_same_policy_stays() {
        let status = |generation: i64, digest: &str, reason: &str, proxies: &str| {
            let time = "2026-01-01T00:00:00Z";
            let condition = |kind: &str, reason: &str| {
                json!({
                    "type": kind, "status": "True", "reason": reason, "message": reason,
                    "lastTransitionTime": time,
                })
            };
            let status = json!({
                "observedGeneration": generation,
                "conditions": [condition("Accepted", "Accepted"), condition("Programmed", reason)],
                "inForce": {"generation": generation, "digest": digest, "spec": {}},
                "proxies": {"matched": 2},
                "summary": {"proxies": proxies},
            });
            serde_json::from_value::<CorsPolicyStatus>(status).unwrap()
        };
        let asking = |generation, digest| status(generation, digest, "Reconciling", "?/2");
        let validated = status(1, "d", "PartiallyProgrammed", "1/2");
        for (why, new, known, kept) in [
            ("the same policy", asking(1, "d"), validated.clone(), true),
            ("another spec", asking(2, "d"), validated.clone(), false),
            ("another configuration", asking(1, "e"), validated, false),
            ("nothing was known of them", asking(1, "d"), asking(1, "d"), false),
            ("it was stopped", asking(1, "d"), status(1, "d", "Off", "?/2"), false),
            ("it is new", asking(1, "d"), CorsPolicyStatus::default(), false),
        ] {
            let mut status = new.clone();
            keep_proxies(&mut status, &known);
            assert_eq!(status, if kept { known } else { new }, "{why}");
        }
    }

    fn condition(kind: &str, status: &str, message: &str, time: &str) -> v1::Condition {
        v1::Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: "Because".to_owned(),
            message: message.to_owned(),
            last_transition_time: Time(time.parse().unwrap()),
            observed_generation: None,
        }
    }

    #[test]
    fn a_transition_time_moves_only_when_the_status_flips() {
        let (then, now) = ("2026-01-01T00:00:00Z", "2026-02-02T02:02:02Z");
        let accepted = |status, message, time| condition("Accepted", status, message, time);
        for (why, observed, want) in [
            ("nothing was there", vec![], now),
            ("the same", vec![accepted("True", "fine", then)], then),
            ("other words for the same", vec![accepted("True", "well", then)], then),
            ("it flips", vec![accepted("False", "bad", then)], now),
            (
                "another one has that status",
                vec![condition("Programmed", "True", "fine", then)],
                now,
            ),
            (
                "another one comes first",
                vec![condition("Programmed", "True", "fine", now), accepted("True", "fine", then)],
                then,
            ),
        ] {
            let mut new = [accepted("True", "fine", now)];
            keep_times(&mut new, &observed);
            assert_eq!(new, [accepted("True", "fine", want)], "{why}");
        }
    }
}
