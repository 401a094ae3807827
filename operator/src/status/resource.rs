//! Statuses as an API server keeps them, without the times at which their conditions flipped.

use corsward_policy::Finding;
use corsward_policy::finding::PlacementReason;
use serde_json::{Map, Value, json};

use crate::dependencies::{GuardrailState, ValidatedObject};
use crate::index::PolicyInForce;
use crate::status::{ASKING, Condition, ConditionType, Reason, RolloutStatus, Status, refusal};

/// Most findings in a status; where there are more, the last one says so.
const MAX_FINDINGS: usize = 100;

/// A status as the API server keeps it.
pub(crate) fn of(status: &Status) -> Value {
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
    let conditions: Vec<Value> =
        conditions.iter().map(|one| condition(one, *observed_generation)).collect();
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("observedGeneration", json!(observed_generation));
    put("conditions", Value::Array(conditions));
    for (name, state) in [("inForce", in_force), ("suspended", suspended)] {
        if let Some(PolicyInForce { generation, digest, spec, .. }) = state {
            let spec = spec.value();
            put(name, json!({"generation": generation, "digest": **digest, "spec": spec}));
        }
    }
    let (proxies, proxies_in_short) = of_proxies(proxies).unzip();
    if let Some(proxies) = proxies {
        put("proxies", proxies);
    }
    if !findings.is_empty() {
        put("findings", list(findings));
    }
    let mut summary = Map::new();
    summary.extend(targets.as_ref().map(|targets| ("targets".to_owned(), json!(targets))));
    summary.extend(origins.map(|origins| ("origins".to_owned(), json!(origins))));
    summary.extend(proxies_in_short.map(|proxies| ("proxies".to_owned(), json!(proxies))));
    put("summary", Value::Object(summary));
    Value::Object(object)
}

/// How many proxies there are and how they stand, and that in short.
fn of_proxies(proxies: &RolloutStatus) -> Option<(Value, String)> {
    match proxies {
        RolloutStatus::Unseen { matched: None } => None,
        RolloutStatus::Unseen { matched: Some(matched) } | RolloutStatus::Asking { matched } => {
            Some((json!({"matched": matched}), format!("?/{matched}")))
        }
        RolloutStatus::Asked(rollout) if rollout.is_silent() => {
            Some((json!({"matched": rollout.matched}), rollout.summary()))
        }
        RolloutStatus::Asked(rollout) => {
            let (matched, current, rejected) = (rollout.matched, rollout.current, rollout.rejected);
            let all = json!({"matched": matched, "current": current, "rejected": rejected});
            Some((all, rollout.summary()))
        }
    }
}

/// Keeps the proxy counts of `known` while the proxies are asked, if the generation and the spec in force are unchanged, so that the
/// status does not flap.
pub(crate) fn keep_proxies(status: &mut Value, known: &Value) -> Option<()> {
    let same = |name: &str| status.get(name).is_some() && status.get(name) == known.get(name);
    if !same("observedGeneration") || !same("inForce") {
        return None;
    }
    let is_programmed = |condition: &&Value| {
        let kind = condition.get("type").and_then(Value::as_str);
        kind == Some(ConditionType::Programmed.as_str())
    };
    let validated = known.get("conditions")?.as_array()?.iter().find(is_programmed)?.clone();
    let about_proxies =
        [Reason::Programmed, Reason::PartiallyProgrammed, Reason::NotProgrammed, Reason::Published];
    let reason = validated.get("reason")?.as_str()?;
    if !about_proxies.iter().any(|about| about.as_str() == reason) {
        return None;
    }
    let proxies = known.get("proxies")?.clone();
    let in_short = known.get("summary")?.get("proxies")?.clone();
    let conditions = status.get_mut("conditions")?.as_array_mut()?;
    let condition = conditions.iter_mut().find(|condition| is_programmed(&&**condition))?;
    // What is about something else (it is not published any more, it is off) is news.
    if !condition.get("message")?.as_str()?.starts_with(ASKING) {
        return None;
    }
    *condition = validated;
    status.as_object_mut()?.insert("proxies".to_owned(), proxies);
    status.get_mut("summary")?.as_object_mut()?.insert("proxies".to_owned(), in_short);
    Some(())
}

/// The status of an `OriginSet` as the API server keeps it. `origins`: how many it has.
pub(crate) fn of_set(validated: &ValidatedObject, origins: Option<usize>) -> Value {
    let mut object = of_dependency(validated, "the origins are valid");
    if let Some(origins) = origins {
        object.insert("summary".to_owned(), json!({"origins": origins}));
    }
    Value::Object(object)
}

/// The status of a `ClusterCorsPolicy` as the API server keeps it. `exceeded_by`: how many policies exceed it.
pub(crate) fn of_guardrail(state: &GuardrailState, exceeded_by: usize) -> Value {
    let mut object = of_dependency(&state.validated, "the guardrails are valid");
    if let Some((generation, spec, _)) = &state.in_force {
        let in_force = json!({"generation": generation, "spec": **spec});
        object.insert("inForce".to_owned(), in_force);
    }
    object.insert("exceededBy".to_owned(), json!(exceeded_by));
    Value::Object(object)
}

fn of_dependency(validated: &ValidatedObject, valid: &str) -> Map<String, Value> {
    let ValidatedObject { accepted, findings, .. } = validated;
    let generation = validated.object().generation;
    let accepted = Condition {
        kind: ConditionType::Accepted,
        holds: *accepted,
        reason: if *accepted { Reason::Accepted } else { Reason::Invalid },
        message: if *accepted { valid.to_owned() } else { refusal(findings.iter()) },
    };
    let mut object = Map::new();
    object.insert("observedGeneration".to_owned(), json!(generation));
    object.insert("conditions".to_owned(), json!([condition(&accepted, generation)]));
    if !findings.is_empty() {
        object.insert("findings".to_owned(), list(findings));
    }
    object
}

fn list(findings: &[Finding]) -> Value {
    let count = findings.len();
    if count <= MAX_FINDINGS {
        return findings.iter().map(finding).collect();
    }
    let shown = MAX_FINDINGS.saturating_sub(1);
    let cut_off = Finding::new("spec", PlacementReason::CutOff { count, shown });
    findings.iter().take(shown).chain([&cut_off]).map(finding).collect()
}

fn condition(condition: &Condition, observed_generation: i64) -> Value {
    let Condition { kind, holds, reason, message } = condition;
    json!({
        "type": kind.as_str(),
        "status": if *holds { "True" } else { "False" },
        "reason": reason.as_str(),
        "message": message,
        "observedGeneration": observed_generation,
    })
}

fn finding(finding: &Finding) -> Value {
    json!({"code": finding.code(), "field": finding.field, "message": finding.message()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_findings_than_a_status_holds_are_cut_off_and_counted() {
        for (count, shown, last) in [(100, 100, "CORS-W522"), (101, 100, "CORS-W536")] {
            let findings: Vec<_> =
                std::iter::repeat_with(|| Finding::new("spec", PlacementReason::LastGoodInForce))
                    .take(count)
                    .collect();
            let list = list(&findings);
            let list = list.as_array().unwrap();
            assert_eq!((list.len(), &list[shown - 1]["code"]), (shown, &json!(last)));
        }
    }

    #[test]
    fn while_proxies_are_asked_what_they_said_of_the_same_policy_stays() {
        let status = |generation: i64, digest: &str, reason: &str, proxies: &str| {
            let message = if reason == "Reconciling" { ASKING } else { reason };
            json!({
                "observedGeneration": generation,
                "conditions": [
                    {"type": "Accepted", "reason": "Accepted"},
                    {"type": "Programmed", "reason": reason, "message": message},
                ],
                "inForce": {"digest": digest},
                "proxies": {"matched": 2},
                "summary": {"proxies": proxies},
            })
        };
        let asking = |generation, digest| status(generation, digest, "Reconciling", "?/2");
        let validated = status(1, "d", "PartiallyProgrammed", "1/2");
        for (why, new, known, kept) in [
            ("the same policy", asking(1, "d"), validated.clone(), true),
            ("another spec", asking(2, "d"), validated.clone(), false),
            ("another configuration", asking(1, "e"), validated.clone(), false),
            ("nothing was known of them", asking(1, "d"), asking(1, "d"), false),
            (
                "it is not published any more",
                status(1, "d", "NotPublishable", "?/2"),
                validated.clone(),
                false,
            ),
            ("it is stopped", status(1, "d", "Off", "?/2"), validated, false),
            ("it was stopped", asking(1, "d"), status(1, "d", "Off", "?/2"), false),
            ("it is new", asking(1, "d"), json!(null), false),
        ] {
            let mut status = new.clone();
            keep_proxies(&mut status, &known);
            assert_eq!(status, if kept { known } else { new }, "{why}");
        }
    }
}
