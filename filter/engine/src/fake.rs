//! Fake: a proxy for tests, which answers from memory and records its calls.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use corsward_policy::draft::CorsDraft;
use corsward_policy::response_headers::Headers;
use corsward_policy::validate::NoKnowledge;
use corsward_policy::wire::{self, Envelope, OnInvalid};
use corsward_policy::{
    Compiled, Draft, Policy, PolicyId, Workload, compile, compile_for, validate,
};

use crate::exchange::Exchange;
use crate::host::{Host, Labels, LogLevel, MetricKind, PluginHost, StreamHost};

/// A proxy in memory.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    calls: RefCell<Vec<String>>,
    request: Lines,
    response: Lines,
    reply: Option<(u16, Lines)>,
    reply_passes: Option<Rc<Exchange>>,
    filter_state: BTreeMap<String, Vec<u8>>,
    last_good: Option<Vec<u8>>,
    labels: BTreeMap<String, Vec<u8>>,
    port: Option<u16>,
    metrics: RefCell<Vec<(String, u64)>>,
    now: Duration,
    log: RefCell<Vec<String>>,
}

/// Header lines: names and values.
pub(crate) type Lines = Vec<(String, Vec<u8>)>;

// === impl Fake ===

impl Fake {
    /// A second virtual machine of the same process: it shares the last good configuration.
    pub(crate) fn another_machine(&self) -> Self {
        Self { last_good: self.last_good.clone(), ..Self::default() }
    }

    /// A new request, with these header lines.
    pub(crate) fn request(&mut self, lines: &[(&str, &[u8])]) {
        self.request = owned(lines);
        self.response.clear();
        self.reply = None;
        self.filter_state.clear();
        self.calls.borrow_mut().clear();
    }

    /// The upstream's response, with these header lines.
    pub(crate) fn response(&mut self, lines: &[(&str, &[u8])]) {
        self.response = owned(lines);
        self.calls.borrow_mut().clear();
    }

    /// Passes the next local reply to the exchange before the call returns, as a dynamic module of Envoy gets it.
    pub(crate) fn pass_reply_to(&mut self, exchange: Rc<Exchange>) {
        self.reply_passes = Some(exchange);
    }

    /// The proxy's own labels.
    pub(crate) fn label(&mut self, key: &str, value: &[u8]) {
        self.labels.insert(key.to_owned(), value.to_vec());
    }

    /// The port to which requests come.
    pub(crate) fn port(&mut self, port: Option<u16>) {
        self.port = port;
    }

    pub(crate) fn clock(&mut self, now: Duration) {
        self.now = now;
    }

    /// The host calls since the request or the response began.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.borrow().clone()
    }

    pub(crate) fn reply(&self) -> Option<(u16, Lines)> {
        self.reply.clone()
    }

    pub(crate) fn lines_of_request(&self) -> &Lines {
        &self.request
    }

    pub(crate) fn lines_of_response(&self) -> &Lines {
        &self.response
    }

    pub(crate) fn filter_state(&self, key: &str) -> Option<String> {
        self.filter_state.get(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub(crate) fn log_lines(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// A metric's value; `None` if it was never defined.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let metrics = self.metrics.borrow();
        metrics.iter().find(|(defined, _)| defined == name).map(|(_, value)| *value)
    }

    pub(crate) fn metric_names(&self) -> Vec<String> {
        self.metrics.borrow().iter().map(|(name, _)| name.clone()).collect()
    }

    fn called(&self, call: &str, about: &str) {
        self.calls.borrow_mut().push(format!("{call} {about}"));
    }
}

impl Host for Fake {
    fn increment(&self, metric: u32) {
        let mut metrics = self.metrics.borrow_mut();
        let (name, value) = &mut metrics[metric as usize];
        *value = value.saturating_add(1);
        self.called("count", name);
    }

    fn record(&self, metric: u32, value: u64) {
        self.metrics.borrow_mut()[metric as usize].1 = value;
    }

    fn log(&self, level: LogLevel, line: &str) {
        self.called("log", "");
        self.log.borrow_mut().push(format!("{level:?} {line}"));
    }
}

impl PluginHost for Fake {
    fn define_metric(&self, _kind: MetricKind, name: &str) -> Option<u32> {
        let mut metrics = self.metrics.borrow_mut();
        assert!(!metrics.iter().any(|(defined, _)| defined == name), "{name} is defined twice");
        let id = u32::try_from(metrics.len()).ok();
        metrics.push((name.to_owned(), 0));
        id
    }

    fn own_labels(&self) -> impl Labels {
        self.called("property", "labels");
        &self.labels
    }

    fn last_good(&self) -> Option<Vec<u8>> {
        self.last_good.clone()
    }

    fn keep_last_good(&mut self, bytes: &[u8]) {
        self.last_good = Some(bytes.to_vec());
    }
}

impl Labels for &BTreeMap<String, Vec<u8>> {
    fn has(&self, key: &str, value: &str) -> bool {
        self.get(key).is_some_and(|there| there == value.as_bytes())
    }
}

impl StreamHost for Fake {
    fn request_header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.called("get", name);
        combined(&self.request, name)
    }

    fn request_lines(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.called("property", name);
        combined(&self.request, name).filter(|value| !value.is_empty())
    }

    fn remove_request_header(&mut self, name: &str) {
        self.called("remove", name);
        self.request.retain(|(present, _)| present != name);
    }

    fn response_header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.called("get", name);
        combined(&self.response, name)
    }

    fn set_response_header(&mut self, name: &str, value: &[u8]) {
        self.called("set", name);
        self.response.retain(|(present, _)| present != name);
        self.response.push((name.to_owned(), value.to_vec()));
    }

    fn remove_response_header(&mut self, name: &str) {
        self.called("remove", name);
        self.response.retain(|(present, _)| present != name);
    }

    fn local_reply(&mut self, status: u16, headers: &Headers<'_>) {
        self.called("reply", &status.to_string());
        let headers = headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
        let again = self.reply.replace((status, headers.collect()));
        assert!(again.is_none(), "a second local reply hangs the stream");
        if let Some(exchange) = self.reply_passes.take() {
            exchange.on_response(self);
        }
    }

    fn set_filter_state(&mut self, key: &str, value: &[u8]) {
        self.called("state", key);
        self.filter_state.insert(key.to_owned(), value.to_vec());
    }

    fn destination_port(&self) -> Option<u16> {
        self.called("property", "destination.port");
        self.port
    }

    fn now(&self) -> Duration {
        self.called("now", "");
        self.now
    }
}

fn owned(lines: &[(&str, &[u8])]) -> Lines {
    lines.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect()
}

/// Envoy joins the lines of a header that it knows by name; one line is lent.
fn combined<'l>(lines: &'l Lines, name: &str) -> Option<Cow<'l, [u8]>> {
    let values = lines.iter().filter(|(present, _)| present == name);
    let values: Vec<&[u8]> = values.map(|(_, value)| value.as_slice()).collect();
    match values[..] {
        [] => None,
        [line] => Some(Cow::Borrowed(line)),
        _ => Some(Cow::Owned(values.join(&b","[..]))),
    }
}

/// A policy for everything: one origin, one method, one header.
pub(crate) fn draft(namespace: &str, name: &str) -> Draft {
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let cors = CorsDraft {
        allow_origins: strings(&["https://a.example"]),
        allow_methods: strings(&["PUT"]),
        allow_headers: strings(&["x-token"]),
        ..CorsDraft::default()
    };
    let id = PolicyId { namespace: namespace.to_owned(), name: name.to_owned() };
    Draft { id, cors: Some(cors), ..Draft::default() }
}

/// The policies as a filter runs them.
#[track_caller]
pub(crate) fn compiled(drafts: &[Draft]) -> Compiled {
    let policies: Vec<_> = drafts.iter().map(policy).collect();
    compile(&policies.iter().collect::<Vec<_>>())
}

/// The policies as a publisher narrows them.
#[track_caller]
pub(crate) fn compiled_for(drafts: &[(Draft, Vec<Workload>)]) -> Compiled {
    let policies = drafts.iter().map(|(draft, workloads)| (policy(draft), workloads));
    let policies: Vec<_> = policies.collect();
    compile_for(&policies.iter().map(|(policy, of)| (policy, &of[..])).collect::<Vec<_>>())
}

/// Proxies that have this label, and perhaps only one port of theirs.
pub(crate) fn workload(key: &str, value: &str, port: Option<u16>) -> Workload {
    Workload { labels: BTreeMap::from([(key.to_owned(), value.to_owned())]), port }
}

#[track_caller]
fn policy(draft: &Draft) -> Policy {
    let validated = validate(draft, &NoKnowledge);
    validated.policy.unwrap_or_else(|| panic!("{:?}", validated.findings))
}

/// Plugin configuration that carries the policies.
#[track_caller]
pub(crate) fn envelope(drafts: &[Draft], on_invalid: OnInvalid) -> Vec<u8> {
    envelope_of(&compiled(drafts), on_invalid)
}

/// Plugin configuration that carries what was compiled.
pub(crate) fn envelope_of(compiled: &Compiled, on_invalid: OnInvalid) -> Vec<u8> {
    let compiled = wire::encode(compiled);
    let digest = format!("sha256:{:0<64x}", compiled.len());
    Envelope { digest, on_invalid, compiled }.encode().into_bytes()
}
