//! Client of the API server: its answers as JSON, and the reasons why there is none.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use corsward_operator_core::error_chain;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request};
use kube::{Client, Config};
use serde_json::Value;

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest silence within an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Most objects of one answer to a list.
const PAGE_LEN: usize = 500;

/// A client of an API server.
#[derive(Clone)]
pub(crate) struct ApiClient(Client);

/// The reason why an answer is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The object or its kind is not there.
    NotFound(String),
    /// The user may not ask.
    Forbidden(String),
    /// The API server answers an error.
    Refused {
        /// The status.
        code: u16,
        /// The message.
        message: String,
    },
    /// There is no answer.
    Unreachable(String),
    /// The answer is not that of an API server, or there is no question.
    Malformed(String),
}

// === impl ApiClient ===

impl ApiClient {
    pub(super) fn new(mut config: Config) -> anyhow::Result<Self> {
        // One that is there already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        // A command that waits says so; it does not try again.
        config.default_retry = false;
        let agent = HeaderValue::from_static(concat!("corsward/", env!("CARGO_PKG_VERSION")));
        config.headers.push((USER_AGENT, agent));
        let client = Client::try_from(config);
        Ok(Self(client.context("no client can be made of the context")?))
    }

    /// The text at a path.
    pub(crate) async fn text(&self, path: &str) -> Result<String, Failure> {
        self.send(Method::GET, path, Vec::new()).await
    }

    /// The object at a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        parsed(&self.text(path).await?)
    }

    /// All objects of a collection, in pages. A selector is a query: `labelSelector=app%3Distiod`.
    pub(crate) async fn list(&self, path: &str, selector: &str) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut token = String::new();
        loop {
            let page = format!("{path}?limit={PAGE_LEN}{token}&{selector}");
            let mut list = self.get(page.trim_end_matches('&')).await?;
            if let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) {
                all.extend(items);
            }
            match list.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => token = format!("&continue={}", encoded(next)),
                _ => return Ok(all),
            }
        }
    }

    /// The objects at a path of all namespaces; where the user may not list them, those of one namespace, and the refusal.
    pub(crate) async fn list_or_within(
        &self,
        path: impl Fn(Option<&str>) -> String,
        selector: &str,
        namespace: &str,
    ) -> Result<(Vec<Value>, Option<Failure>), Failure> {
        let refused = match self.list(&path(None), selector).await {
            Err(refused @ Failure::Forbidden(_)) => refused,
            listed => return Ok((listed?, None)),
        };
        match self.list(&path(Some(namespace)), selector).await {
            Ok(within) => Ok((within, Some(refused))),
            Err(_) => Err(refused),
        }
    }

    /// The answer to an object that is posted.
    pub(crate) async fn create(&self, path: &str, object: &Value) -> Result<Value, Failure> {
        parsed(&self.send(Method::POST, path, object.to_string().into_bytes()).await?)
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<String, Failure> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let request = request.map_err(|error| Failure::Malformed(error.to_string()))?;
        Ok(self.0.request_text(request).await?)
    }
}

fn parsed(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::Malformed(format!("the answer is no JSON: {error}")))
}

/// The path of the objects of a kind: in a namespace, or in all.
pub(crate) fn path(api_version: &str, plural: &str, namespace: Option<&str>) -> String {
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    let within = namespace.map(|namespace| format!("/namespaces/{namespace}"));
    format!("{root}/{api_version}{}/{plural}", within.unwrap_or_default())
}

/// A text as a part of a query.
pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

// === impl Failure ===

impl Failure {
    /// The HTTP status of the answer, if there is one.
    pub(crate) const fn status(&self) -> Option<u16> {
        match self {
            Self::NotFound(_) => Some(404),
            Self::Forbidden(_) => Some(403),
            Self::Refused { code, .. } => Some(*code),
            Self::Unreachable(_) | Self::Malformed(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(message) | Self::Forbidden(message) | Self::Refused { message, .. } => {
                write!(f, "{message} ({})", self.status().unwrap_or_default())
            }
            Self::Unreachable(why) | Self::Malformed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        if let kube::Error::Api(status) = &error {
            let message = status.message.trim().to_owned();
            return match status.code {
                403 => Self::Forbidden(message),
                404 => Self::NotFound(message),
                code => Self::Refused { code, message },
            };
        }
        Self::Unreachable(error_chain::in_one_line(&error))
    }
}
