//! Status reporter: the statuses as an API server holds them, the Events that are due, and what was sent and not seen since.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use corsward_api::v1alpha1::{
    self, ClusterCorsPolicyStatus, CorsPolicyStatus, GuardrailInForce, InForce, MAX_FINDINGS,
    OriginSetStatus, OriginSetSummary, Proxies, Summary,
};
use corsward_policy::{Finding, PolicyId};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{self, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change_log::LogLine;
use crate::cluster_state::{Key, RawObject};
use crate::command::{Command, ObjectEvent, StatusWrite};
use crate::event::{Moment, Refreshed, Rollout};
use crate::finding::PlacementReason;
use crate::guardrails::GuardrailState;
use crate::index::{Index, PolicyInForce};
use crate::json_text::JsonText;
use crate::object::ValidatedObject;
use crate::plan::ScopePlan;
use crate::resource_ref::{ResourceKind, ResourceRef};
use crate::scope_metrics::count;
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
        index: &Index,
        (statuses, previous): (&[Status], &[Status]),
        now: Moment,
    ) {
        if !self.leading {
            return;
        }
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
        let has_arrived = |sent: &Sent| sent.status == record.status;
        if is_known && self.sent.get(&resource).is_some_and(has_arrived) {
            self.sent.remove(&resource);
            self.settled.insert(status.policy.clone(), record.status.clone());
            return;
        }
        let new = |known: &CorsPolicyStatus, now: &Time| {
            let mut new = policy_status(status, (&known.conditions, now));
            // What is about something else (it is not published any more, it is off) is news.
            if status.awaits_proxies() {
                keep_proxies(&mut new, known);
            }
            new
        };
        let known = self.write(&resource, new, &record.status, now);
        if known.is_none() && !self.sent.contains_key(&resource) {
            self.settled.insert(status.policy.clone(), record.status.clone());
        } else {
            self.settled.remove(&status.policy);
        }
        let event = known.and_then(|known| object_event(&resource, status, &known));
        self.commands.extend(event.map(Command::RecordEvent));
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
        for (key, validated) in &index.origin_sets.validated {
            let origins = index.origin_sets.origins.get(key);
            let origins = origins.and_then(|origins| Some(origins.as_ref()?.len()));
            let RawObject { uid, status: observed, .. } = &validated.object;
            let kind = ResourceKind::OriginSet;
            let resource = ResourceRef::new(kind, Some(&key.namespace), &key.name, uid);
            let status = |known: &OriginSetStatus, now: &Time| {
                set_status(validated, origins, (&known.conditions, now))
            };
            self.write(&resource, status, observed, now);
        }
        for (name, state) in index.guardrails.all() {
            let exceeded_by = exceeded_by(name);
            let RawObject { uid, status: observed, .. } = &state.validated.object;
            let resource = ResourceRef::new(ResourceKind::ClusterCorsPolicy, None, name, uid);
            let status = |known: &ClusterCorsPolicyStatus, now: &Time| {
                guardrail_status(state, exceeded_by, (&known.conditions, now))
            };
            self.write(&resource, status, observed, now);
        }
    }

    /// Forgets what is known of objects that are gone, and sends again, as it was, what was sent of the others and not seen since.
    pub(super) fn send_unseen(&mut self, index: &Index, now: Instant) {
        self.sent.retain(|resource, _| is_there(index, resource));
        self.settled.retain(|id, _| index.entries().contains_key(id));
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
    /// returns what was known before.
    fn write<S: Serialize + DeserializeOwned + Default>(
        &mut self,
        resource: &ResourceRef,
        new: impl FnOnce(&S, &Time) -> S,
        observed: &JsonText,
        now: Moment,
    ) -> Option<S> {
        // A different writer came in between: what was sent is not there any more.
        let pending = self
            .sent
            .remove(resource)
            .filter(|sent| sent.status != *observed && sent.instead_of == *observed);
        let known_text = pending.as_ref().map_or(observed, |sent| &sent.status);
        let known: S = known_text.read().unwrap_or_default();
        let status = JsonText::of(&new(&known, &Time(now.timestamp)));
        if status == *known_text {
            self.sent.extend(pending.map(|sent| (resource.clone(), sent)));
            return None;
        }
        let write = StatusWrite { resource: resource.clone(), status: status.clone() };
        self.commands.push(Command::WriteStatus(write));
        let (instead_of, at, delay) = (observed.clone(), now.instant, RESEND_DELAY);
        self.sent.insert(resource.clone(), Sent { status, instead_of, at, delay });
        Some(known)
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
            let validated = index.origin_sets.validated.get(&Key { namespace, name });
            validated.map(|validated| &*validated.object.uid)
        }
        ResourceKind::ClusterCorsPolicy => {
            let state = index.guardrails.all().get(&name);
            state.map(|state| &*state.validated.object.uid)
        }
    };
    known == Some(uid)
}

/// A policy as an object.
fn policy(PolicyId { namespace, name }: &PolicyId, uid: &str) -> ResourceRef {
    ResourceRef::new(ResourceKind::CorsPolicy, Some(namespace), name, uid)
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

/// The known conditions, and the time at which others flip.
type Times<'t> = (&'t [v1::Condition], &'t Time);

/// The status of a policy.
pub(crate) fn policy_status(status: &Status, times: Times<'_>) -> CorsPolicyStatus {
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
    let (targets, origins) = (targets.clone(), origins.map(count));
    let (proxies, in_short) = of_proxies(proxies);
    CorsPolicyStatus {
        observed_generation: Some(*observed_generation),
        conditions: conditions
            .iter()
            .map(|one| condition(one, *observed_generation, times))
            .collect(),
        in_force: in_force.as_ref().map(revision),
        suspended: suspended.as_ref().map(revision),
        proxies,
        findings: findings_list(findings),
        summary: Some(Summary { targets, origins, proxies: in_short }),
    }
}

fn revision(in_force: &PolicyInForce) -> InForce {
    let digest = in_force.digest.to_string();
    InForce { generation: in_force.generation, digest, spec: in_force.spec.clone() }
}

/// The number of proxies and their states, and the same in few words.
fn of_proxies(proxies: &RolloutStatus) -> (Option<Proxies>, Option<String>) {
    let unseen = |matched: usize| {
        let proxies = Proxies { matched: count(matched), ..Proxies::default() };
        (Some(proxies), Some(format!("?/{matched}")))
    };
    match proxies {
        RolloutStatus::Unseen { matched: None } => (None, None),
        RolloutStatus::Unseen { matched: Some(matched) } | RolloutStatus::Asking { matched } => {
            unseen(*matched)
        }
        RolloutStatus::Asked(rollout) if rollout.is_silent() => unseen(rollout.matched),
        RolloutStatus::Asked(Rollout { matched, current, rejected, .. }) => {
            let in_short = format!("{current}/{matched}");
            let (matched, current) = (count(*matched), Some(count(*current)));
            let proxies = Proxies { matched, current, rejected: Some(count(*rejected)) };
            (Some(proxies), Some(in_short))
        }
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
fn set_status(
    validated: &ValidatedObject,
    origins: Option<usize>,
    times: Times<'_>,
) -> OriginSetStatus {
    let summary = origins.map(|origins| OriginSetSummary { origins: Some(count(origins)) });
    OriginSetStatus {
        observed_generation: Some(validated.object.generation),
        conditions: vec![accepted(validated, "the origins are valid", times)],
        findings: findings_list(&validated.findings),
        summary,
    }
}

/// The status of a `ClusterCorsPolicy`. `exceeded_by`: how many policies exceed it.
fn guardrail_status(
    state: &GuardrailState,
    exceeded_by: usize,
    times: Times<'_>,
) -> ClusterCorsPolicyStatus {
    let GuardrailState { validated, in_force } = state;
    let in_force = in_force.as_ref().map(|(generation, spec, _)| GuardrailInForce {
        generation: *generation,
        spec: JsonText::of(spec),
    });
    ClusterCorsPolicyStatus {
        observed_generation: Some(validated.object.generation),
        conditions: vec![accepted(validated, "the guardrails are valid", times)],
        in_force,
        findings: findings_list(&validated.findings),
        exceeded_by: Some(count(exceeded_by)),
    }
}

fn accepted(validated: &ValidatedObject, valid: &str, times: Times<'_>) -> v1::Condition {
    let ValidatedObject { object, findings } = validated;
    let (reason, message) = if findings.iter().any(Finding::is_refusal) {
        (Reason::Invalid, refusal(findings.iter()))
    } else {
        (Reason::Accepted, valid.to_owned())
    };
    let accepted = Condition::new(ConditionType::Accepted, reason, message);
    condition(&accepted, object.generation, times)
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

/// The condition, with the transition time of the `known` one whose `status` is the same: so a status that says nothing new equals the
/// observed one.
fn condition(
    condition: &Condition,
    observed_generation: i64,
    (known, now): Times<'_>,
) -> v1::Condition {
    let Condition { kind, holds, reason, message } = condition;
    let (kind, reason): (&str, &str) = (kind.into(), reason.into());
    let status = if *holds { "True" } else { "False" };
    let known = condition_of(known, kind).filter(|known| known.status == status);
    v1::Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.clone(),
        observed_generation: Some(observed_generation),
        last_transition_time: known.map_or(now, |known| &known.last_transition_time).clone(),
    }
}

fn finding(finding: &Finding) -> v1alpha1::Finding {
    v1alpha1::Finding {
        code: finding.code().to_owned(),
        field: finding.field.clone(),
        message: finding.message(),
    }
}

/// The condition of that type.
pub(super) fn condition_of<'c>(
    conditions: &'c [v1::Condition],
    kind: &str,
) -> Option<&'c v1::Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

#[cfg(test)]
mod tests {

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
        let statuses = carry_out(&mut index).statuses;
        for why in ["it is sent", "it is on its way"] {
            reporter.report(&index, (&statuses, &[]), now());
            assert_eq!(reporter.sent.len(), 1, "{why}");
        }
        index.delete(&id("api"));
        reporter.send_unseen(&index, now().instant);
        assert!(reporter.sent.is_empty());
    }

    #[test]
    fn what_was_sent_and_is_never_seen_is_sent_again_as_it_was_and_ever_less_often() {
        let (mut index, mut reporter) = fixture();
        let statuses = carry_out(&mut index).statuses;
        let begun = now();
        reporter.report(&index, (&statuses, &[]), begun);
        let first = writes(&mut reporter).remove(0);
        let mut sent = Vec::new();
        for second in 0..1800 {
            reporter.send_unseen(
                &index,
                begun.instant.checked_add(Duration::from_secs(second)).unwrap(),
            );
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
        reporter.report(&index, (&statuses, &[]), begun);
        reporter.send_unseen(&index, begun.instant.checked_add(Duration::from_hours(1)).unwrap());
        assert_eq!(writes(&mut reporter), [], "it is seen");
    }

    #[test]
    fn a_settled_status_is_written_again_where_something_else_stands() {
        let (mut index, mut reporter) = fixture();
        let statuses = carry_out(&mut index).statuses;
        let report = |reporter: &mut StatusReporter, index: &Index, (new, old): (&[_], &[_])| {
            reporter.report(index, (new, old), now());
            writes(reporter).len()
        };
        reporter.report(&index, (&statuses, &[]), now());
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
        let mut index = Index::new(REACH.unseen());
        index.apply(Object { record: Some(record()), ..object("api", &GOOD) });
        let mut reporter = StatusReporter::default();
        reporter.lead(true);
        (index, reporter)
    }

    #[test]
    fn a_summary_says_no_more_than_is_known() {
        for (why, matched, current, unknown, want) in [
            ("nobody is meant", 0, 0, 0, "0/0"),
            ("all run it", 12, 12, 0, "12/12"),
            ("nobody can be asked", 12, 0, 12, "?/12"),
            ("some cannot be asked", 12, 10, 2, "10/12"),
            ("some do not run it", 12, 0, 11, "0/12"),
        ] {
            let rollout = Rollout { matched, current, unknown, ..Rollout::default() };
            let (_, in_short) = of_proxies(&RolloutStatus::Asked(rollout));
            assert_eq!(in_short.as_deref(), Some(want), "{why}");
        }
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

    #[test]
    fn a_transition_time_moves_only_when_the_status_flips() {
        let time = |text: &str| Time(text.parse().unwrap());
        let (then, now) = (time("2026-01-01T00:00:00Z"), time("2026-02-02T02:02:02Z"));
        let observed = |kind: &str, status: &str, time: &Time| v1::Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: "Because".to_owned(),
            message: "other words".to_owned(),
            last_transition_time: time.clone(),
            observed_generation: None,
        };
        for (why, observed, want) in [
            ("nothing was there", vec![], &now),
            ("other words for the same", vec![observed("Accepted", "True", &then)], &then),
            ("it flips", vec![observed("Accepted", "False", &then)], &now),
            ("another one has that status", vec![observed("Programmed", "True", &then)], &now),
            (
                "another one comes first",
                vec![observed("Programmed", "True", &now), observed("Accepted", "True", &then)],
                &then,
            ),
        ] {
            let (kind, reason) = (ConditionType::Accepted, Reason::Accepted);
            let accepted = Condition { kind, holds: true, reason, message: "fine".to_owned() };
            let new = condition(&accepted, 1, (&observed, &now));
            assert_eq!(&new.last_transition_time, want, "{why}");
        }
    }
}
