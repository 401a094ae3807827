//! Statuses as an API server holds them.

use corsward_api::conditions;
use corsward_api::v1alpha1::{
    self, ClusterCorsPolicyStatus, CorsPolicyStatus, GuardrailInForce, InForce, MAX_FINDINGS,
    OriginSetStatus, OriginSetSummary, Proxies, Summary,
};
use corsward_policy::Finding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{self, Time};

use crate::dependencies::{GuardrailState, ValidatedObject};
use crate::finding::PlacementReason;
use crate::index::PolicyInForce;
use crate::status::{Condition, ConditionType, Reason, RolloutStatus, Status, refusal};

/// The status of a policy, whose conditions flip at `now`.
pub(crate) fn of(status: &Status, now: &Time) -> CorsPolicyStatus {
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
        findings: list(findings),
        summary: Some(in_short),
    }
}

fn revision(in_force: &PolicyInForce) -> InForce {
    let digest = in_force.digest.to_string();
    InForce { generation: in_force.generation, digest, spec: in_force.spec.value() }
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
pub(crate) fn keep_proxies(status: &mut CorsPolicyStatus, known: &CorsPolicyStatus) -> Option<()> {
    if status.observed_generation != known.observed_generation
        || status.in_force.is_none()
        || status.in_force != known.in_force
    {
        return None;
    }
    let programmed = ConditionType::Programmed.as_str();
    let validated = conditions::find(&known.conditions, programmed)?;
    let about_proxies =
        [Reason::Programmed, Reason::PartiallyProgrammed, Reason::NotProgrammed, Reason::Published];
    if !about_proxies.iter().any(|about| about.as_str() == validated.reason) {
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
#[must_use]
pub(crate) fn of_set(
    validated: &ValidatedObject,
    origins: Option<usize>,
    now: &Time,
) -> OriginSetStatus {
    let summary = origins.map(|origins| OriginSetSummary { origins: Some(number(origins)) });
    OriginSetStatus {
        observed_generation: Some(validated.object().generation),
        conditions: vec![accepted(validated, "the origins are valid", now)],
        findings: list(&validated.findings),
        summary,
    }
}

/// The status of a `ClusterCorsPolicy`. `exceeded_by`: how many policies exceed it.
#[must_use]
pub(crate) fn of_guardrail(
    state: &GuardrailState,
    exceeded_by: usize,
    now: &Time,
) -> ClusterCorsPolicyStatus {
    let GuardrailState { validated, in_force } = state;
    let in_force = in_force.as_ref().map(|(generation, spec, _)| GuardrailInForce {
        generation: *generation,
        spec: (**spec).clone(),
    });
    ClusterCorsPolicyStatus {
        observed_generation: Some(validated.object().generation),
        conditions: vec![accepted(validated, "the guardrails are valid", now)],
        in_force,
        findings: list(&validated.findings),
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
    condition(&accepted, validated.object().generation, now)
}

fn list(findings: &[Finding]) -> Vec<v1alpha1::Finding> {
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
        type_: kind.as_str().to_owned(),
        status: if *holds { "True" } else { "False" }.to_owned(),
        reason: reason.as_str().to_owned(),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn more_findings_than_a_status_holds_are_cut_off_and_counted() {
        for (count, shown, last) in [(100, 100, "CORS-W522"), (101, 100, "CORS-W536")] {
            let findings: Vec<_> =
                std::iter::repeat_with(|| Finding::new("spec", PlacementReason::LastGoodInForce))
                    .take(count)
                    .collect();
            let list = list(&findings);
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
}
