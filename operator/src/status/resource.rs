//! The status as an API server keeps it, without the times at which its conditions flipped.

use corsward_policy::Finding;
use serde_json::{Map, Value, json};

use crate::status::{Condition, Status};

/// Most findings in a status; what is cut off is counted.
const MAX_FINDINGS: usize = 100;

/// A status as the API server keeps it.
pub(crate) fn of(status: &Status) -> Value {
    let Status {
        policy: _,
        observed_generation,
        conditions,
        in_force,
        // Of the configuration, which changes with every neighbour.
        digest: _,
        findings,
        overridden_by: _,
        targets,
        matched,
    } = status;
    let conditions: Vec<Value> =
        conditions.iter().map(|one| condition(one, *observed_generation)).collect();
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("observedGeneration", json!(observed_generation));
    put("conditions", Value::Array(conditions));
    if let Some(in_force) = in_force {
        let (generation, digest) = (in_force.generation, &*in_force.digest);
        let spec = &*in_force.spec;
        put("inForce", json!({"generation": generation, "digest": digest, "spec": spec}));
    }
    if let Some(matched) = matched {
        put("proxies", json!({"matched": matched}));
    }
    if !findings.is_empty() {
        put("findings", Value::Array(findings.iter().take(MAX_FINDINGS).map(finding).collect()));
    }
    let origins = in_force.as_ref().map(|in_force| in_force.policy.origins());
    let mut summary = Map::new();
    summary.extend(targets.as_ref().map(|targets| ("targets".to_owned(), json!(targets))));
    summary.extend(origins.map(|origins| ("origins".to_owned(), json!(origins))));
    // How many of them run it is not known.
    summary.extend(matched.map(|matched| ("proxies".to_owned(), json!(format!("?/{matched}")))));
    put("summary", Value::Object(summary));
    Value::Object(object)
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
