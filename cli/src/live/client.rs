//! Client of the API server: its answers as JSON, and the reasons why there is none.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use corsward_operator_core::error_chain;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kube::client::Body;
use kube::{Client, Config};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time of one answer, from the question to its last byte.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// The longest time of all answers to one command.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(10);
/// The longest answer: a hundred objects of 600 KiB each, and a log is asked for with a limit of its own.
const MAX_ANSWER_LEN: usize = 64 * 1024 * 1024;
/// The longest list, in bytes of its pages.
const MAX_LIST_LEN: usize = 512 * 1024 * 1024;
/// Most objects of one answer to a list.
const PAGE_LEN: usize = 100;
/// Most pages of a list: half a million objects.
const MAX_PAGES: usize = 5000;
/// Most characters of an error that is no Status of Kubernetes.
const MAX_WORDS: usize = 300;

/// A client of an API server, whose answers have bounds.
#[derive(Clone)]
pub(crate) struct ApiClient {
    client: Client,
    /// The longest time of one answer.
    answer_timeout: Duration,
    /// The end of the time of all answers.
    deadline: Instant,
    /// The lists so far, where each is asked for once.
    known: Option<Lists>,
}

/// Lists by their path and selector.
type Lists = Rc<RefCell<BTreeMap<(String, String), Vec<Value>>>>;

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
    pub(super) fn new(mut config: Config, answer_timeout: Duration) -> anyhow::Result<Self> {
        // One that is there already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        config.connect_timeout = Some(CONNECT_TIMEOUT.min(answer_timeout));
        // The time of an answer bounds its silences, too.
        config.read_timeout = None;
        // A command that waits says so; it does not try again.
        config.default_retry = false;
        let agent = HeaderValue::from_static(concat!("corsward/", env!("CARGO_PKG_VERSION")));
        config.headers.push((USER_AGENT, agent));
        let client = Client::try_from(config).context("no client can be made of the context")?;
        let now = Instant::now();
        let deadline = now.checked_add(COMMAND_TIMEOUT).unwrap_or(now);
        Ok(Self { client, answer_timeout, deadline, known: None })
    }

    /// The same client, which asks for each list once: all parts of a command see one state.
    pub(super) fn remembering(self) -> Self {
        Self { known: Some(Lists::default()), ..self }
    }

    /// The text at a path.
    pub(crate) async fn text(&self, path: &str) -> Result<String, Failure> {
        self.send(Method::GET, path, Vec::new()).await
    }

    /// The object at a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        parsed(&self.text(path).await?).map_err(|why| why.at(path))
    }

    /// The version of the API server. It is the first question of a command: another server does not answer it.
    pub(crate) async fn version(&self) -> Result<Value, Failure> {
        const PATH: &str = "/version";
        let version = self.get(PATH).await?;
        match version.get("gitVersion") {
            Some(Value::String(_)) => Ok(version),
            _ => Err(Failure::Malformed("the answer has no `gitVersion`".to_owned()).at(PATH)),
        }
    }

    /// All objects of a collection, in pages. A selector is a query: `labelSelector=app%3Distiod`.
    pub(crate) async fn list(&self, path: &str, selector: &str) -> Result<Vec<Value>, Failure> {
        let Some(lists) = &self.known else { return self.pages(path, selector).await };
        let key = (path.to_owned(), selector.to_owned());
        if let Some(known) = lists.borrow().get(&key) {
            return Ok(known.clone());
        }
        let list = self.pages(path, selector).await?;
        lists.borrow_mut().insert(key, list.clone());
        Ok(list)
    }

    async fn pages(&self, path: &str, selector: &str) -> Result<Vec<Value>, Failure> {
        let fault = |why: String| Failure::Malformed(why).at(path);
        let (mut all, mut len) = (Vec::new(), 0_usize);
        let mut tokens = BTreeSet::new();
        let mut token = String::new();
        for _ in 0..MAX_PAGES {
            let page = format!("{path}?limit={PAGE_LEN}{token}&{selector}");
            let text = self.text(page.trim_end_matches('&')).await?;
            len = len.saturating_add(text.len());
            if len > MAX_LIST_LEN {
                return Err(fault(format!("the list is longer than {MAX_LIST_LEN} bytes")));
            }
            let mut list = parsed(&text).map_err(|why| why.at(path))?;
            match list.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) if items.iter().all(Value::is_object) => {
                    all.extend(items);
                }
                // Go writes a list without an object so.
                Some(Value::Null) => {}
                _ => return Err(fault("the answer is no list of objects".to_owned())),
            }
            match list.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => {
                    token = format!("&continue={}", encoded(next));
                    if !tokens.insert(token.clone()) {
                        return Err(fault(format!("the list repeats its page `{next}`")));
                    }
                }
                _ => return Ok(all),
            }
        }
        Err(fault(format!("the list has more than {MAX_PAGES} pages of {PAGE_LEN} objects")))
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
        let answer = self.send(Method::POST, path, object.to_string().into_bytes()).await?;
        parsed(&answer).map_err(|why| why.at(path))
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<String, Failure> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(CONTENT_TYPE, "application/json").body(Body::from(body));
        let request = request.map_err(|error| Failure::Malformed(error.to_string()).at(path))?;
        let now = Instant::now();
        let end = now.checked_add(self.answer_timeout).unwrap_or(now);
        let answer = timeout_at(end.min(self.deadline), self.answer(request)).await;
        answer.unwrap_or_else(|_| Err(self.late(end))).map_err(|why| why.at(path))
    }

    async fn answer(&self, request: Request<Body>) -> Result<String, Failure> {
        let response = self.client.send(request).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER_LEN).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Failure::Malformed(format!("the answer is longer than {MAX_ANSWER_LEN} bytes"))
            } else {
                Failure::Unreachable(error_chain::in_one_line(&*error))
            }
        })?;
        let text = String::from_utf8(body.to_bytes().to_vec());
        match text {
            Ok(text) if head.status.is_success() => Ok(text),
            Err(_) if head.status.is_success() => {
                Err(Failure::Malformed("the answer is no text in UTF-8".to_owned()))
            }
            text => Err(Failure::of_status(head.status, &head.headers, &text.unwrap_or_default())),
        }
    }

    fn late(&self, end: Instant) -> Failure {
        let seconds = |time: Duration| time.as_secs();
        Failure::Unreachable(if end < self.deadline {
            format!("there is no whole answer within {} s", seconds(self.answer_timeout))
        } else {
            format!("all answers together take longer than {} s", seconds(COMMAND_TIMEOUT))
        })
    }
}

fn parsed(text: &str) -> Result<Value, Failure> {
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err(Failure::Malformed("the answer is no object of JSON".to_owned())),
        Err(error) => Err(Failure::Malformed(format!("the answer is no JSON: {error}"))),
    }
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
    /// The reason in an answer that is no success.
    fn of_status(status: StatusCode, headers: &HeaderMap, text: &str) -> Self {
        if status.is_redirection() {
            let place = headers.get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
            let place = String::from_utf8_lossy(place);
            return Self::Malformed(format!("the answer is a redirect ({status}) to `{place}`"));
        }
        // A proxy before the API server answers with a page of its own.
        let of_kubernetes = serde_json::from_str::<Value>(text).ok();
        let message = of_kubernetes.as_ref().and_then(|it| it.get("message")?.as_str());
        let of_others = || text.trim().chars().take(MAX_WORDS).collect();
        let message = message.map_or_else(of_others, |message| message.trim().to_owned());
        match status.as_u16() {
            403 => Self::Forbidden(message),
            404 => Self::NotFound(message),
            code => Self::Refused { code, message },
        }
    }

    /// The failure with the path that was asked for. The words of Kubernetes about an absent or a forbidden object name it already.
    fn at(self, path: &str) -> Self {
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let named = |why: String| format!("{path}: {why}");
        match self {
            Self::Refused { code, message } => Self::Refused { code, message: named(message) },
            Self::Unreachable(why) => Self::Unreachable(named(why)),
            Self::Malformed(why) => Self::Malformed(named(why)),
            Self::NotFound(_) | Self::Forbidden(_) => self,
        }
    }

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
        Self::Unreachable(error_chain::in_one_line(&error))
    }
}
