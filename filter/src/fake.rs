//! Fake: a proxy for tests, which answers from memory and counts what it is asked.

use std::cell::{Cell, RefCell};
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

use crate::host::{Host, LogLevel, MetricType};

/// A proxy in memory. Clones are the same proxy, as they are in Envoy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fake(Rc<Memory>);

/// Header lines: names and values.
pub(crate) type Lines = Vec<(String, Vec<u8>)>;

#[derive(Debug, Default)]
struct Memory {
    calls: RefCell<Vec<String>>,
    request: RefCell<Lines>,
    response: RefCell<Lines>,
    reply: RefCell<Option<(u16, Lines)>>,
    filter_state: RefCell<BTreeMap<String, Vec<u8>>>,
    configuration: RefCell<Vec<u8>>,
    shared: RefCell<BTreeMap<String, Vec<u8>>>,
    labels: RefCell<BTreeMap<String, Vec<u8>>>,
    port: Cell<Option<u16>>,
    metrics: RefCell<Vec<(String, u64)>>,
    now: Cell<Duration>,
    period: Cell<Option<Duration>>,
    log: RefCell<Vec<String>>,
}

// === impl Fake ===

impl Fake {
    /// Another virtual machine of the same process: it shares data, and metrics by name.
    pub(crate) fn another_machine(&self) -> Self {
        let memory = Memory { shared: RefCell::clone(&self.0.shared), ..Memory::default() };
        Self(Rc::new(memory))
    }

    /// A new request, with these header lines.
    pub(crate) fn request(&self, lines: &[(&str, &[u8])]) {
        *self.0.request.borrow_mut() = owned(lines);
        self.0.response.borrow_mut().clear();
        self.0.reply.borrow_mut().take();
        self.0.filter_state.borrow_mut().clear();
        self.0.calls.borrow_mut().clear();
    }

    /// The upstream's response, with these header lines.
    pub(crate) fn response(&self, lines: &[(&str, &[u8])]) {
        *self.0.response.borrow_mut() = owned(lines);
        self.0.calls.borrow_mut().clear();
    }

    pub(crate) fn configure(&self, bytes: &[u8]) -> usize {
        *self.0.configuration.borrow_mut() = bytes.to_vec();
        bytes.len()
    }

    /// The proxy's own labels.
    pub(crate) fn label(&self, key: &str, value: &[u8]) {
        self.0.labels.borrow_mut().insert(key.to_owned(), value.to_vec());
    }

    /// The port to which requests come.
    pub(crate) fn port(&self, port: Option<u16>) {
        self.0.port.set(port);
    }

    /// How often it was asked to call back.
    pub(crate) fn period(&self) -> Option<Duration> {
        self.0.period.get()
    }

    pub(crate) fn clock(&self, now: Duration) {
        self.0.now.set(now);
    }

    /// The host calls since the request or the response began.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.calls.borrow().clone()
    }

    pub(crate) fn reply(&self) -> Option<(u16, Lines)> {
        self.0.reply.borrow().clone()
    }

    pub(crate) fn request_lines(&self) -> Lines {
        self.0.request.borrow().clone()
    }

    pub(crate) fn response_lines(&self) -> Lines {
        self.0.response.borrow().clone()
    }

    pub(crate) fn filter_state(&self, key: &str) -> Option<String> {
        let state = self.0.filter_state.borrow();
        state.get(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub(crate) fn log_lines(&self) -> Vec<String> {
        self.0.log.borrow().clone()
    }

    pub(crate) fn shared_keys(&self) -> Vec<String> {
        self.0.shared.borrow().keys().cloned().collect()
    }

    /// A metric's value; `None` if it was never defined.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let metrics = self.0.metrics.borrow();
        metrics.iter().find(|(defined, _)| defined == name).map(|(_, value)| *value)
    }

    pub(crate) fn metric_names(&self) -> Vec<String> {
        self.0.metrics.borrow().iter().map(|(name, _)| name.clone()).collect()
    }

    fn called(&self, call: &str, about: &str) {
        self.0.calls.borrow_mut().push(format!("{call} {about}"));
    }
}

impl Host for Fake {
    fn request_header(&self, name: &str) -> Option<Vec<u8>> {
        self.called("get", name);
        combined(&self.0.request.borrow(), name)
    }

    fn request_lines(&self, name: &str) -> Option<Vec<u8>> {
        self.called("property", name);
        combined(&self.0.request.borrow(), name).filter(|value| !value.is_empty())
    }

    fn remove_request_header(&self, name: &str) {
        self.called("remove", name);
        self.0.request.borrow_mut().retain(|(present, _)| present != name);
    }

    fn response_header(&self, name: &str) -> Option<Vec<u8>> {
        self.called("get", name);
        combined(&self.0.response.borrow(), name)
    }

    fn set_response_header(&self, name: &str, value: &[u8]) {
        self.called("set", name);
        let mut lines = self.0.response.borrow_mut();
        lines.retain(|(present, _)| present != name);
        lines.push((name.to_owned(), value.to_vec()));
    }

    fn remove_response_header(&self, name: &str) {
        self.called("remove", name);
        self.0.response.borrow_mut().retain(|(present, _)| present != name);
    }

    fn local_reply(&self, status: u16, headers: &Headers<'_>) {
        self.called("reply", &status.to_string());
        let headers = headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
        let again = self.0.reply.borrow_mut().replace((status, headers.collect()));
        assert!(again.is_none(), "a second local reply hangs the stream");
    }

    fn set_filter_state(&self, key: &str, value: &[u8]) {
        self.called("state", key);
        self.0.filter_state.borrow_mut().insert(key.to_owned(), value.to_vec());
    }

    fn destination_port(&self) -> Option<u16> {
        self.called("property", "destination.port");
        self.0.port.get()
    }

    fn own_labels(&self) -> Option<Vec<u8>> {
        self.called("property", "labels");
        let labels = self.0.labels.borrow();
        let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        Some(map(&labels.collect::<Vec<_>>())).filter(|_| !self.0.labels.borrow().is_empty())
    }

    fn root_id(&self) -> Option<Vec<u8>> {
        Some(b"corsward".to_vec())
    }

    fn plugin_configuration(&self, size: usize) -> Vec<u8> {
        let bytes = self.0.configuration.borrow().clone();
        assert_eq!(bytes.len(), size);
        bytes
    }

    fn tick_every(&self, period: Duration) {
        self.0.period.set(Some(period));
    }

    fn shared(&self, key: &str) -> Option<Vec<u8>> {
        self.0.shared.borrow().get(key).cloned()
    }

    fn share(&self, key: &str, value: &[u8]) {
        self.0.shared.borrow_mut().insert(key.to_owned(), value.to_vec());
    }

    fn define_metric(&self, _kind: MetricType, name: &str) -> Option<u32> {
        let mut metrics = self.0.metrics.borrow_mut();
        assert!(!metrics.iter().any(|(defined, _)| defined == name), "{name} is defined twice");
        let id = u32::try_from(metrics.len()).ok();
        metrics.push((name.to_owned(), 0));
        id
    }

    fn increment(&self, metric: u32) {
        let mut metrics = self.0.metrics.borrow_mut();
        let (name, value) = &mut metrics[metric as usize];
        *value = value.saturating_add(1);
        self.called("count", name);
    }

    fn record(&self, metric: u32, value: u64) {
        self.0.metrics.borrow_mut()[metric as usize].1 = value;
    }

    fn now(&self) -> Duration {
        self.called("now", "");
        self.0.now.get()
    }

    fn log(&self, level: LogLevel, line: &str) {
        self.called("log", "");
        self.0.log.borrow_mut().push(format!("{level:?} {line}"));
    }
}

/// A map as a proxy hands it over.
pub(crate) fn map(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let number = |len: usize| u32::try_from(len).unwrap().to_le_bytes();
    let mut bytes = number(entries.len()).to_vec();
    for (key, value) in entries {
        bytes.extend([number(key.len()), number(value.len())].concat());
    }
    for (key, value) in entries {
        bytes.extend([key.as_bytes(), b"\0", value, b"\0"].concat());
    }
    bytes
}

fn owned(lines: &[(&str, &[u8])]) -> Lines {
    lines.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect()
}

/// Envoy joins the lines of a header that it knows by name.
fn combined(lines: &[(String, Vec<u8>)], name: &str) -> Option<Vec<u8>> {
    let values =
        lines.iter().filter(|(present, _)| present == name).map(|(_, value)| value.as_slice());
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| values.join(&b","[..]))
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
