//! A real API server, the real operator, and how to wait for what they do.

mod cluster;
mod objects;
mod operator;
mod test_namespace;

use serde_json::Value;

pub(crate) use cluster::{Cluster, OPERATOR_NAMESPACE, Said, said};
pub(crate) use objects::GATEWAY_API;
pub(crate) use operator::Operator;
pub(crate) use test_namespace::TestNamespace;

/// `metadata.resourceVersion`, which changes with each write.
pub(crate) fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

/// A condition of a status, as `Accepted=False Invalid`.
pub(crate) fn condition(object: &Value, kind: &str) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    let text = |name: &str| found.and_then(|found| found[name].as_str()).unwrap_or("-");
    format!("{kind}={} {}", text("status"), text("reason"))
}

/// The message of a condition of a status.
pub(crate) fn message(object: &Value, kind: &str) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.and_then(|found| found["message"].as_str()).unwrap_or_default().to_owned()
}

/// The message of a finding; `None` without the finding.
pub(crate) fn finding_message(policy: &Value, code: &str) -> Option<String> {
    let findings = policy["status"]["findings"].as_array()?;
    let found = findings.iter().find(|finding| finding["code"] == code)?;
    Some(found["message"].as_str().unwrap().to_owned())
}

/// Is the status about the object as it is written now, and says so of all its conditions?
pub(crate) fn is_judged(object: &Value) -> bool {
    let generation = &object["metadata"]["generation"];
    let conditions = object["status"]["conditions"].as_array();
    object["status"]["observedGeneration"] == *generation
        && conditions.is_some_and(|all| all.iter().all(|c| c["observedGeneration"] == *generation))
}
