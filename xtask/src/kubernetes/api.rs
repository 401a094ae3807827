//! Plain questions and orders to an API server.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;

use crate::wait;

/// Timeout for an API server that is temporarily unavailable.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The status by which it says so.
const TOO_MANY_REQUESTS: u16 = 429;

/// A client of an API server, by a proxy that speaks plain HTTP.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    agent: Agent,
}

/// An answer of an API server.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The object, or the reason why there is none.
    pub body: Value,
    /// Its warnings, as `kubectl` prints them.
    pub warnings: Vec<String>,
}

// === impl Api ===

impl Api {
    pub(super) fn new(proxy: SocketAddr) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .build()
            .into();
        Self { base: format!("http://{proxy}"), agent }
    }

    /// The object or list at a path; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or neither 200 nor 404.
    pub fn get(&self, path: &str) -> Result<Option<Value>> {
        let answer = self.send("GET", path, None)?;
        if answer.status == 404 { Ok(None) } else { answer.object(path).map(Some) }
    }

    /// Creates an object in a collection.
    ///
    /// # Errors
    ///
    /// With what the API server says against it.
    pub fn create(&self, collection: &str, object: &Value) -> Result<Value> {
        let body = ("application/json", object);
        self.send("POST", collection, Some(body))?.object(collection)
    }

    /// Replaces an object, or what is at its `status` or `finalize`.
    ///
    /// # Errors
    ///
    /// With what the API server says against it.
    pub fn replace(&self, path: &str, object: &Value) -> Result<Value> {
        self.send("PUT", path, Some(("application/json", object)))?.object(path)
    }

    /// Changes an object by a merge patch.
    ///
    /// # Errors
    ///
    /// With what the API server says against it.
    pub fn merge(&self, path: &str, patch: &Value) -> Result<Value> {
        self.send("PATCH", path, Some(("application/merge-patch+json", patch)))?.object(path)
    }

    /// Applies an object, server-side, with forced conflicts.
    ///
    /// # Errors
    ///
    /// With what the API server says against it.
    pub fn apply(&self, path: &str, object: &Value) -> Result<Value> {
        let path = format!("{path}?fieldManager=scenario&force=true");
        self.send("PATCH", &path, Some(("application/apply-patch+yaml", object)))?.object(&path)
    }

    /// Deletes an object or a collection.
    ///
    /// # Errors
    ///
    /// With what the API server says against it.
    pub fn delete(&self, path: &str) -> Result<Value> {
        self.send("DELETE", path, None)?.object(path)
    }

    /// Sends a request, and returns any answer except "temporarily unavailable".
    ///
    /// # Errors
    ///
    /// Fails if there is no answer.
    pub fn send(&self, method: &str, path: &str, body: Option<(&str, &Value)>) -> Result<Answer> {
        // As every client of Kubernetes does: after a restart the storage of a definition takes a moment.
        wait::until("the API server to be available", TIMEOUT, || {
            let answer = self.ask(method, path, body)?;
            Ok((answer.status != TOO_MANY_REQUESTS).then_some(answer))
        })
    }

    fn ask(&self, method: &str, path: &str, body: Option<(&str, &Value)>) -> Result<Answer> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let response = match body {
            Some((kind, body)) => {
                self.agent.run(request.header("content-type", kind).body(body.to_string())?)
            }
            None => self.agent.run(request.body(())?),
        };
        let mut response = response.with_context(|| format!("{method} {path}"))?;
        let warnings = response.headers().get_all("warning").into_iter();
        let warnings = warnings.filter_map(|line| Some(unquoted(line.to_str().ok()?))).collect();
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(u64::MAX).read_to_string()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body, warnings })
    }

    /// The body at a path that holds no object: `/readyz`, `/metrics`.
    ///
    /// # Errors
    ///
    /// Fails if the answer is not 200.
    pub fn text(&self, path: &str) -> Result<String> {
        let mut response = self.agent.get(format!("{}{path}", self.base)).call()?;
        let text = response.body_mut().with_config().limit(u64::MAX).read_to_string()?;
        ensure!(response.status() == 200, "GET {path}: {}: {text}", response.status());
        Ok(text)
    }
}

// === impl Answer ===

impl Answer {
    /// The object, where the answer is a good one.
    ///
    /// # Errors
    ///
    /// With what the API server says against it.
    pub fn object(self, path: &str) -> Result<Value> {
        let Self { status, body, warnings: _ } = self;
        ensure!((200..300).contains(&status), "{path}: {status}: {}", message(&body));
        Ok(body)
    }

    /// The API server's message about a refused request.
    pub fn message(&self) -> String {
        message(&self.body)
    }
}

fn message(body: &Value) -> String {
    body["message"].as_str().map_or_else(|| body.to_string(), str::to_owned)
}

/// `299 - "text"`: the text.
fn unquoted(line: &str) -> String {
    let text = line.splitn(3, ' ').nth(2).unwrap_or(line);
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    text.replace("\\\"", "\"").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_what_kubectl_prints() {
        assert_eq!(unquoted(r#"299 - "unknown field \"spec.x\"""#), r#"unknown field "spec.x""#);
    }
}
