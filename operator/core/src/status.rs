//! Status: what there is to say about a policy, as a value. The plan computes it; others write and show it.
//!
//! `Reconciling` is a reason of `programmed`, from `unpublished` and `proxies_of` of `operator/core/src/controller.rs`. While the proxies of an
//! unchanged spec are polled, `keep_proxies` of the status reporter leaves the condition that the object has.

use std::sync::Arc;

use corsward_policy::draft::Mode;
use corsward_policy::{Finding, PolicyId, finding};
use serde::{Serialize, Serializer};
use strum::IntoStaticStr;

use crate::bundle::BundleKey;
use crate::capabilities::Reach;
use crate::event::Rollout;
use crate::finding::{OriginSetReason, PlacementReason};
use crate::index::{Entry, PolicyInForce};
use crate::plan::Planned;

/// The desired status of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The policy.
    pub policy: PolicyId,
    /// Of which generation of its spec it speaks.
    pub observed_generation: i64,
    /// In the order of [`ConditionType`].
    pub conditions: [Condition; 3],
    /// The spec that the proxies run.
    pub in_force: Option<PolicyInForce>,
    /// The spec that a guardrail keeps out of force.
    pub suspended: Option<PolicyInForce>,
    /// The digest of the configuration that holds it.
    pub digest: Option<Arc<str>>,
    /// Every finding.
    pub findings: Vec<Finding>,
    /// The policy that wins in its place.
    pub overridden_by: Option<PolicyId>,
    /// Its targets, in few words.
    pub targets: Option<String>,
    /// The number of its origin patterns.
    pub origins: Option<usize>,
    /// The state of its proxies.
    pub proxies: RolloutStatus,
}

/// The knowledge about the proxies of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutStatus {
    /// The proxies are not polled.
    Unseen {
        /// The number of its workloads, if it is visible.
        matched: Option<usize>,
    },
    /// They are being asked.
    Asking {
        /// The number of its workloads.
        matched: usize,
    },
    /// They have been asked.
    Asked(Rollout),
}

/// One condition (GEP-713). Its writer knows the time of its last transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    #[serde(rename = "status", serialize_with = "serialize_holds")]
    pub holds: bool,
    /// The reason, in one word.
    pub reason: Reason,
    /// The reason, in a sentence.
    pub message: String,
}

/// The type of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, Serialize)]
pub enum ConditionType {
    /// Is the policy as written valid?
    Accepted,
    /// Is the policy as written in force?
    Programmed,
    /// Do its targets exist?
    ResolvedRefs,
}

/// The reason of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, Serialize)]
pub enum Reason {
    /// It is valid.
    Accepted,
    /// A finding refuses it.
    Invalid,
    /// A `ClusterCorsPolicy` refuses it.
    GuardrailExceeded,
    /// A target is missing.
    TargetNotFound,
    /// It is in force.
    Programmed,
    /// It is published, and no proxy is known not to run it; whether all proxies run it is unknown.
    Published,
    /// Some of its workloads run it, and some do not. GEP-713 lists it among the reasons of a true `Programmed`: it affects a part
    /// of the policy's scope. If no workload runs it, the condition does not hold.
    PartiallyProgrammed,
    /// None of its workloads runs it.
    NotProgrammed,
    /// The controllers of all its Gateways serve them without the filter.
    UnsupportedController,
    /// It will be in force when publishing succeeds: an object is on its way, or its write failed and is tried again (`Unpublished`).
    Reconciling,
    /// It is published, and its proxies have not reported yet. The status says `Reconciling`, or keeps its earlier reason (`keep_proxies`).
    #[serde(rename = "Reconciling")]
    #[strum(to_string = "Reconciling")]
    AwaitingProxies,
    /// Other policies win wherever it applies.
    Overridden,
    /// Its mode is `Off`.
    Off,
    /// The configuration it belongs to cannot be published.
    NotPublishable,
    /// Nothing is missing.
    ResolvedRefs,
    /// Something that it refers to is missing.
    RefNotFound,
}

/// The message about a policy with mode `DryRun`.
const REHEARSAL: &str = "the policy is evaluated and counted, not enforced";

/// The state of a policy's publication.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatusInputs<'c> {
    /// The reason why a part of the desired state is not published.
    pub(crate) held: Option<&'c str>,
    /// Nothing is: what is there stays as it is.
    pub(crate) frozen: bool,
    /// The reason why no policy is enforced at its place.
    pub(crate) off: Option<&'c str>,
    /// The reason why the plan is not published yet; `None` if it is.
    pub(crate) unpublished: Option<Unpublished<'c>>,
    /// Whether the published objects are gone or no longer count, so that equal content counts for nothing.
    pub(crate) stale: bool,
    /// The reason why published objects stay as a foreign writer left them.
    pub(crate) kept: Option<&'c str>,
    /// The digest of the configuration that holds the policy.
    pub(crate) digest: Option<Arc<str>>,
    /// The place in which policies apply.
    pub(crate) reach: Reach,
    /// The state of its proxies.
    pub(crate) proxies: RolloutStatus,
}

/// The reason why the plan of a policy is not published yet. Most of them are never told, and telling one takes a digest.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Unpublished<'c> {
    /// Its bundle must not be, for this reason.
    #[error("{0}")]
    Held(&'c str),
    /// An attempt failed with this error.
    #[error("publishing is tried again: {0}")]
    Failed(&'c str),
    /// This bundle is on its way.
    #[error("{0} is being published")]
    Pending(&'c BundleKey),
}

// === impl Status ===

impl Status {
    /// The status of a policy, as planned and in these circumstances. `entry` holds what is in force now.
    pub(crate) fn of(entry: &Entry, planned: &Planned, inputs: StatusInputs<'_>) -> Self {
        let mut findings = planned.findings.clone();
        findings.extend(entry.validation.findings.iter().cloned());
        finding::sort(&mut findings);
        let kept = inputs.kept.is_some();
        let in_force = entry.in_force.clone().filter(|_| !kept && planned.in_force.is_some());
        let suspended = entry.in_force.clone().filter(|_| !kept && planned.suspended);
        let accepted = accepted(entry, planned);
        let (reason, message) = programmed(entry, planned, &accepted, &inputs);
        let programmed = Condition::new(ConditionType::Programmed, reason, message);
        let digest = inputs.digest.filter(|_| in_force.is_some());
        let proxies = inputs.proxies;
        // As it is written, in force or not, where that says something.
        let written = entry.written().or_else(|| in_force.clone());
        Self {
            policy: entry.object.id.clone(),
            observed_generation: entry.generation,
            conditions: [accepted, programmed, resolved(entry, planned)],
            digest,
            in_force,
            suspended,
            findings,
            overridden_by: planned.overridden_by.clone(),
            targets: written.as_ref().map(|written| written.target.to_string()),
            origins: written.as_ref().map(|written| written.policy.origins()),
            proxies,
        }
    }

    /// The condition of that type.
    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Returns true if it says no more of the proxies than that they have not reported yet.
    pub(crate) fn awaits_proxies(&self) -> bool {
        let programmed = self.condition(ConditionType::Programmed);
        programmed.is_some_and(|condition| condition.reason == Reason::AwaitingProxies)
    }

    /// Does the condition of that type hold?
    pub fn holds(&self, kind: ConditionType) -> bool {
        self.condition(kind).is_some_and(|condition| condition.holds)
    }

    /// Is an older spec in force than the one that is written?
    pub(crate) fn is_last_good(&self) -> bool {
        !self.holds(ConditionType::Accepted) && self.in_force.is_some()
    }

    /// Is it left out of what is published, though it is accepted?
    pub(crate) fn is_unpublishable(&self) -> bool {
        let programmed = self.condition(ConditionType::Programmed);
        programmed.is_some_and(|condition| condition.reason == Reason::NotPublishable)
    }

    /// Is there nothing to tell an author who has read `other`? A change elsewhere changes the digest only.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.observed_generation == other.observed_generation
            && self.conditions == other.conditions
            && self.findings == other.findings
    }
}

// === impl RolloutStatus ===

impl Default for RolloutStatus {
    fn default() -> Self {
        Self::Unseen { matched: None }
    }
}

// === impl Condition ===

impl Condition {
    /// The condition for that reason.
    pub(crate) fn new(kind: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind, holds: reason.holds(), reason, message: message.into() }
    }
}

// === impl Reason ===

impl Reason {
    /// Does a condition with this reason hold?
    const fn holds(self) -> bool {
        matches!(
            self,
            Self::Accepted
                | Self::Programmed
                | Self::Published
                | Self::PartiallyProgrammed
                | Self::ResolvedRefs
        )
    }

    /// Returns true if the operator is about to replace it.
    pub(crate) const fn is_transient(self) -> bool {
        matches!(self, Self::Reconciling | Self::AwaitingProxies)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn serialize_holds<S: Serializer>(holds: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *holds { "True" } else { "False" })
}

/// The status of a policy among those of its part, which are sorted by policy.
pub(crate) fn find<'s>(statuses: &'s [Status], policy: &PolicyId) -> Option<&'s Status> {
    let at = statuses.binary_search_by(|status| status.policy.cmp(policy)).ok()?;
    statuses.get(at)
}

fn accepted(entry: &Entry, planned: &Planned) -> Condition {
    let kind = ConditionType::Accepted;
    if planned.accepted {
        return Condition::new(kind, Reason::Accepted, "the policy is valid");
    }
    let is_refusal = |finding: &&Finding| finding.is_refusal();
    let own: Vec<&Finding> = entry.validation.findings.iter().filter(is_refusal).collect();
    let mut placed: Vec<&Finding> = planned.findings.iter().filter(is_refusal).collect();
    // The message begins with what the reason says.
    placed.sort_by_key(|finding| finding.reason.downcast_ref::<PlacementReason>().is_some());
    let reason = if !own.is_empty() || entry.validation.accepted.is_none() {
        Reason::Invalid
    } else if planned.exceeds {
        Reason::GuardrailExceeded
    } else if planned.placement.refused.is_empty() {
        Reason::TargetNotFound
    } else {
        Reason::Invalid
    };
    Condition::new(kind, reason, refusal(own.into_iter().chain(placed)))
}

/// The first refusal among these findings, and how many more there are.
pub(crate) fn refusal<'f>(findings: impl Iterator<Item = &'f Finding>) -> String {
    let refusals: Vec<_> = findings.filter(|finding| finding.is_refusal()).collect();
    match refusals.as_slice() {
        [] => "it is refused".to_owned(),
        [one] => one.to_string(),
        [first, others @ ..] => format!("{first}; and {} more", others.len()),
    }
}

fn resolved(entry: &Entry, planned: &Planned) -> Condition {
    let kind = ConditionType::ResolvedRefs;
    let is_missing = |finding: &&Finding| {
        matches!(finding.reason.downcast_ref(), Some(OriginSetReason::Missing(_)))
    };
    let sets = entry.validation.findings.iter().filter(is_missing);
    match planned.placement.missing.iter().chain(sets).next() {
        None => Condition::new(kind, Reason::ResolvedRefs, "all references resolve"),
        Some(first) => Condition::new(kind, Reason::RefNotFound, first.to_string()),
    }
}

/// The reason and the message of `Programmed`.
fn programmed(
    entry: &Entry,
    planned: &Planned,
    accepted: &Condition,
    inputs: &StatusInputs<'_>,
) -> (Reason, String) {
    let StatusInputs { held, frozen, off, unpublished, stale, kept, reach, proxies, digest: _ } =
        inputs;
    let in_force = entry.in_force.as_ref();
    if !accepted.holds {
        let instead = instead(entry, planned, *off);
        let reason = accepted.reason;
        return match (kept, reason) {
            (Some(why), _) => (Reason::Invalid, format!("the policy is refused; {why}")),
            (None, Reason::TargetNotFound) => (reason, format!("a target is missing; {instead}")),
            (None, reason) => (reason, format!("the policy is refused; {instead}")),
        };
    }
    if let Some(why) = kept {
        return (Reason::NotPublishable, (*why).to_owned());
    }
    let is_current = in_force == planned.in_force.as_ref();
    let is_written = planned.in_force.as_ref().map(|planned| planned.generation);
    let waits = unpublished.is_some() && (*frozen || !is_current || *stale);
    if let Some(why) = held
        && (is_written != Some(entry.generation) || (*frozen && waits))
    {
        return (Reason::NotPublishable, format!("{why}; {}", instead(entry, planned, *off)));
    }
    if let Some(why) = unpublished
        && (!is_current || *stale)
    {
        return (Reason::Reconciling, why.to_string());
    }
    if let Some(winner) = &planned.overridden_by {
        return (Reason::Overridden, format!("{winner} wins wherever the policy applies"));
    }
    let mode = in_force.map(|in_force| in_force.policy.mode());
    if let Some(why) = off {
        return (Reason::Off, (*why).to_owned());
    }
    if let Some(why) = planned.placement.why_nowhere() {
        return (Reason::UnsupportedController, why.message());
    }
    let is_rehearsal = match mode {
        Some(Mode::Off) => return (Reason::Off, "the mode is Off".to_owned()),
        mode => mode == Some(Mode::DryRun),
    };
    let (reason, message) = at_proxies(*reach, proxies);
    let (reason, message) = beside_unserved(planned, reason, message);
    match reason {
        _ if !is_rehearsal => (reason, message),
        Reason::Programmed if *reach == Reach::One => (reason, REHEARSAL.to_owned()),
        _ => (reason, format!("{message}; {REHEARSAL}")),
    }
}

/// The same reason and message, with the Gateways of the policy whose proxies run no filter.
fn beside_unserved(planned: &Planned, reason: Reason, message: String) -> (Reason, String) {
    let mut unserved = planned.placement.unserved.iter();
    let Some((_, first)) = unserved.next() else { return (reason, message) };
    let more = match unserved.count() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let reason = if reason.holds() { Reason::PartiallyProgrammed } else { reason };
    (reason, format!("{message}; {}{more}", first.message()))
}

/// The reason and the message of a published policy.
fn at_proxies(reach: Reach, proxies: &RolloutStatus) -> (Reason, String) {
    let (reason, message) = match (reach, proxies) {
        (Reach::One, _) => (Reason::Programmed, "the policy is in force"),
        (_, RolloutStatus::Asked(rollout)) => return in_proxies(rollout),
        (_, RolloutStatus::Asking { .. }) => (
            Reason::AwaitingProxies,
            "the policy is published; the operator asks the proxies whether they run it",
        ),
        (_, RolloutStatus::Unseen { .. }) => {
            (Reason::Published, "the policy is published; the operator does not ask its proxies")
        }
    };
    (reason, message.to_owned())
}

/// The reason and the message of a published policy with polled proxies.
fn in_proxies(rollout: &Rollout) -> (Reason, String) {
    let Rollout { matched, current, unknown, .. } = rollout;
    let behind = rollout.behind();
    if *matched == 0 {
        let message = "the policy is published; no running pod matches its target";
        return (Reason::Published, message.to_owned());
    }
    if behind > 0 {
        let out_of_sync_pods = rollout.out_of_sync_pods();
        if *current == 0 {
            let message = format!(
                "the policy is published; {behind} of {matched} workloads do not run it: {out_of_sync_pods}"
            );
            return (Reason::NotProgrammed, message);
        }
        let message = format!(
            "the policy is in force at {current} of {matched} workloads, and not at {behind}: {out_of_sync_pods}"
        );
        return (Reason::PartiallyProgrammed, message);
    }
    if *unknown > 0 {
        let unknown_pods = rollout.unknown_pods();
        let message = format!(
            "the policy is published; {current} of {matched} workloads report that they run it, and {unknown} report nothing: {unknown_pods}"
        );
        return (Reason::Published, message);
    }
    let message = match matched {
        1 => "the policy is in force at its workload".to_owned(),
        _ => format!("the policy is in force at all {matched} workloads"),
    };
    (Reason::Programmed, message)
}

/// The description of the spec in force, if it is not the current one.
fn instead(entry: &Entry, planned: &Planned, off: Option<&str>) -> String {
    // What a guardrail suspends is remembered, and not in force.
    let in_force = entry.in_force.as_ref().filter(|_| planned.in_force.is_some());
    match (in_force, off) {
        (None, _) => "nothing of it is in force".to_owned(),
        (Some(in_force), None) if let Some(winner) = &planned.overridden_by => {
            format!("generation {} is kept, and {winner} wins over it", in_force.generation)
        }
        (Some(_), Some(why)) => why.to_owned(),
        (Some(in_force), None) if in_force.policy.mode() == Mode::Off => {
            format!("generation {}, in force before, is switched off", in_force.generation)
        }
        (Some(in_force), None) => {
            format!("generation {} is still in force", in_force.generation)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{OutOfSyncPod, OutOfSyncReason};

    #[test]
    fn programmed_says_no_more_than_the_proxies() {
        let pod = |why| vec![OutOfSyncPod { pod: "a".to_owned(), why }];
        for (why, matched, current, unknown, holds, reason, words) in [
            ("nobody is meant", 0, 0, 0, true, Reason::Published, "no running pod"),
            ("all", 12, 12, 0, true, Reason::Programmed, "at all 12 workloads"),
            (
                "some do not",
                12,
                9,
                1,
                true,
                Reason::PartiallyProgrammed,
                "not at 2: a (no sidecar)",
            ),
            ("none does", 2, 0, 1, false, Reason::NotProgrammed, "1 of 2 workloads do not run it"),
            ("some cannot be asked", 3, 2, 1, true, Reason::Published, "2 of 3 workloads report"),
            ("none can be asked", 3, 0, 3, true, Reason::Published, "0 of 3 workloads report"),
        ] {
            let (lagging, unasked) =
                (pod(OutOfSyncReason::NoSidecar), pod(OutOfSyncReason::Unreachable));
            let rollout = Rollout { matched, current, unknown, rejected: 0, lagging, unasked };
            let (because, message) = in_proxies(&rollout);
            assert_eq!((because.holds(), because), (holds, reason), "{why}");
            assert!(message.contains(words), "{why}: {message}");
        }
    }
}
