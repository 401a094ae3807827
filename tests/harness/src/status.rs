//! Status: what it says of an object.

use serde_json::Value;

/// `metadata.resourceVersion`, which changes with each write.
pub fn version(object: &Value) -> String {
    text(&object["metadata"], "resourceVersion")
}

/// A condition, as `Accepted=False Invalid`.
pub fn condition(object: &Value, kind: &str) -> String {
    let found = conditions(object).find(|condition| condition["type"] == kind);
    let word = |name: &str| found.and_then(|found| found[name].as_str()).unwrap_or("-");
    format!("{kind}={} {}", word("status"), word("reason"))
}

/// The message of a condition.
pub fn message(object: &Value, kind: &str) -> String {
    let found = conditions(object).find(|condition| condition["type"] == kind);
    found.map(|found| text(found, "message")).unwrap_or_default()
}

/// The message of a finding; `None` without the finding.
pub fn finding_message(policy: &Value, code: &str) -> Option<String> {
    let findings = policy["status"]["findings"].as_array()?;
    let found = findings.iter().find(|finding| finding["code"] == code)?;
    Some(text(found, "message"))
}

/// Is the status about the object as it is written now, and says so of all its conditions?
pub fn is_judged(object: &Value) -> bool {
    let generation = &object["metadata"]["generation"];
    object["status"]["observedGeneration"] == *generation
        && object["status"]["conditions"].is_array()
        && conditions(object).all(|condition| condition["observedGeneration"] == *generation)
}

/// All conditions, each with its message.
pub(crate) fn summary(object: &Value) -> String {
    let kinds = conditions(object).map(|condition| text(condition, "type"));
    let said =
        kinds.map(|kind| format!("{}: {}", condition(object, &kind), message(object, &kind)));
    said.collect::<Vec<_>>().join("; ")
}

fn conditions(object: &Value) -> impl Iterator<Item = &Value> {
    object["status"]["conditions"].as_array().into_iter().flatten()
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().to_owned()
}
