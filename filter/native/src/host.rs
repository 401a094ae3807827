//! Host: the Envoy that has loaded the filter, as the engine sees it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use corsward_filter_engine::{Host, Labels, LogLevel, MetricKind, PluginHost, StreamHost};
use corsward_policy::response_headers::Headers;
use corsward_policy::response_plan::Edits;

use crate::abi::{self, HeaderMap, Level, Stream};
use crate::own_labels::OwnLabels;
use crate::{last_good, series};

/// One filter of this Envoy, while it is configured or removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'n> {
    /// Its `filter_name`.
    pub(crate) name: &'n [u8],
}

// === impl Filter ===

impl Host for Filter<'_> {
    fn increment(&self, metric: u32) {
        increment(metric);
    }

    fn record(&self, metric: u32, value: u64) {
        record(metric, value);
    }

    fn log(&self, level: LogLevel, line: &str) {
        log(level, line);
    }
}

impl PluginHost for Filter<'_> {
    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<u32> {
        // Without a virtual machine that can die there is nothing to count; a series that stays at zero would raise the alarm.
        if name == "corsward.heartbeats" {
            return None;
        }
        series::define(kind, name)
    }

    fn own_labels(&self) -> impl Labels {
        let labels = OwnLabels::get();
        if let Some(problem) = labels.problem() {
            self.log(LogLevel::Warn, &problem);
        }
        labels
    }

    fn last_good(&self) -> Option<Vec<u8>> {
        last_good::get(self.name)
    }

    fn keep_last_good(&mut self, bytes: &[u8]) {
        last_good::keep(self.name, bytes);
    }
}

// === impl Stream ===

impl Host for Stream<'_> {
    fn increment(&self, metric: u32) {
        increment(metric);
    }

    fn record(&self, metric: u32, value: u64) {
        record(metric, value);
    }

    fn log(&self, level: LogLevel, line: &str) {
        log(level, line);
    }
}

impl StreamHost for Stream<'_> {
    // Envoy has joined the lines of those that it knows by name (`Origin`, `Access-Control-*`, `Authorization`).
    fn request_header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.header(HeaderMap::Request, name, 0).map(|(value, _)| Cow::Borrowed(value))
    }

    fn request_lines(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let (first, count) = self.header(HeaderMap::Request, name, 0)?;
        let others = (1..count).filter_map(|nth| self.header(HeaderMap::Request, name, nth));
        Some(joined(first, others.map(|(line, _)| line)))
    }

    fn remove_request_header(&mut self, name: &str) {
        self.set_header(HeaderMap::Request, name, None);
        // As Envoy does by itself for a Wasm filter.
        self.clear_route_cache();
    }

    fn response_header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut lines = self.response().filter(|(known, _)| *known == name.as_bytes());
        let (_, first) = lines.next()?;
        Some(joined(first, lines.map(|(_, line)| line)))
    }

    fn set_response_header(&mut self, name: &str, value: &[u8]) {
        self.set_header(HeaderMap::Response, name, Some(value));
    }

    fn remove_response_header(&mut self, name: &str) {
        self.set_header(HeaderMap::Response, name, None);
    }

    fn local_reply(&mut self, status: u16, headers: &Headers<'_>) {
        let content_type = self.request_header("content-type").unwrap_or_default();
        // As Envoy answers a gRPC request by itself.
        let is_grpc = is_grpc(&content_type);
        let code = if is_grpc { 200 } else { status }.to_string();
        let first = [(":status", code.as_bytes())].into_iter();
        let grpc: [(&str, &[u8]); 2] =
            [("content-type", b"application/grpc"), ("grpc-status", grpc_status(status))];
        let last = grpc.into_iter().filter(|_| is_grpc);
        self.reply(first.chain(headers.iter()).chain(last));
    }

    // Access logs read it as `%FILTER_STATE(<key>:PLAIN)%`.
    fn set_filter_state(&mut self, key: &str, value: &[u8]) {
        Stream::set_filter_state(self, key, value);
    }

    fn destination_port(&self) -> Option<u16> {
        Stream::destination_port(self)?.try_into().ok()
    }

    #[expect(clippy::disallowed_methods, reason = "Envoy offers no clock to modules")]
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Most responses have nothing to be removed: a look at all lines costs less than a call for each name.
    fn apply_to_response(&mut self, edits: &Edits<'_>) {
        let removed = self.response().filter_map(|(name, _)| edits.removes(name));
        for name in removed.collect::<Vec<_>>() {
            self.remove_response_header(name);
        }
        for (name, value) in edits.set.iter() {
            self.set_response_header(name, value);
        }
    }
}

/// Is it a type of gRPC, as Envoy reads it?
fn is_grpc(content_type: &[u8]) -> bool {
    let rest = content_type.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'+'))
}

/// `PERMISSION_DENIED`, or `UNKNOWN`: the status that Envoy makes of an HTTP status (gRPC, "HTTP to gRPC Status Code Mapping").
const fn grpc_status(status: u16) -> &'static [u8] {
    if status == 403 { b"7" } else { b"2" }
}

/// The lines of a header, joined by commas; one line is lent.
fn joined<'s>(first: &'s [u8], others: impl Iterator<Item = &'s [u8]>) -> Cow<'s, [u8]> {
    let mut lines = Cow::Borrowed(first);
    for line in others {
        let joined = lines.to_mut();
        joined.push(b',');
        joined.extend_from_slice(line);
    }
    lines
}

fn increment(metric: u32) {
    if let Some(value) = usize::try_from(metric).ok().and_then(series::value) {
        value.add(1);
    }
}

fn record(metric: u32, value: u64) {
    if let Some(gauge) = usize::try_from(metric).ok().and_then(series::value) {
        gauge.set(value);
    }
}

fn log(level: LogLevel, line: &str) {
    let level = match level {
        LogLevel::Warn => Level::Warn,
        LogLevel::Error => Level::Error,
    };
    abi::log(level, line);
}
