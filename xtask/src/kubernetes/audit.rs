//! The requests to an API server, by its audit log.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// One request of a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// The API group; empty for the core.
    pub group: String,
    /// The resource, with its subresource: `corspolicies/status`. The path, where it is no resource.
    pub resource: String,
    /// The namespace, if any.
    pub namespace: Option<String>,
    /// The object's name, if any.
    pub name: Option<String>,
    /// Was it allowed?
    pub allowed: bool,
    /// The status code; 0 as long as there is none.
    pub status: u16,
}

/// The requests of `user`, in order.
pub(super) fn asked_by(log: &Path, user: &str) -> Result<Vec<Asked>> {
    let text = fs::read_to_string(log).with_context(|| format!("no {}", log.display()))?;
    // Its last line may not be whole yet.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    // A watch is written down twice; its beginning counts.
    let counts = |line: &Value| {
        line["user"]["username"] == user
            && (line["stage"] == "ResponseStarted") == (line["verb"] == "watch")
    };
    Ok(lines.filter(counts).map(|line| asked(&line)).collect())
}

fn asked(line: &Value) -> Asked {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &line["objectRef"];
    let resource = match (object["resource"].as_str(), object["subresource"].as_str()) {
        (Some(resource), Some(subresource)) => format!("{resource}/{subresource}"),
        (Some(resource), None) => resource.to_owned(),
        (None, _) => text(&line["requestURI"]),
    };
    Asked {
        verb: text(&line["verb"]),
        group: text(&object["apiGroup"]),
        resource,
        namespace: object["namespace"].as_str().map(str::to_owned),
        name: object["name"].as_str().map(str::to_owned),
        allowed: line["annotations"]["authorization.k8s.io/decision"] == "allow",
        status: line["responseStatus"]["code"]
            .as_u64()
            .and_then(|code| code.try_into().ok())
            .unwrap_or(0),
    }
}
