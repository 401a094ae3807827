//! Host: the proxy that runs the module. The only module that names a host call.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::time::{Duration, UNIX_EPOCH};

use corsward_filter_engine::{Host, Labels, LogLevel, MetricKind, PluginHost, StreamHost};
use corsward_policy::response_headers::Headers;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{self, BufferType, MapType, MetricType};

use crate::label_map::LabelMap;
use crate::last_good;

/// The proxy that runs the module.
///
/// The SDK's `hostcalls` panic on a status that they do not expect, and a panic costs the worker its filter. The
/// calls below are those for which Envoy has no such status, each in the callbacks in which it is made (Envoy
/// 1.36 to 1.40): header maps exist while headers are handled, removing what is absent is `Ok`, values are not
/// checked; filter state exists while a stream does; shared data without a compare-and-swap number never
/// mismatches; a metric id that we defined is found. Getters are those that return bytes: the others unwrap UTF-8. The names of
/// all headers are text: Envoy's codecs let nothing but tokens into a name.
#[derive(Debug, Default)]
pub(crate) struct Proxy {
    /// The lines of the response's headers as they came: one call for all of them costs less than one for each that the filter
    /// asks for and removes.
    response: OnceCell<Vec<(String, Vec<u8>)>>,
}

thread_local! {
    /// The counters that rose since the last tick, and by how much: each is one call a tick, not one a request.
    static UNCOUNTED: Cell<Vec<(u32, i64)>> = const { Cell::new(Vec::new()) };
}

// === impl Proxy ===

impl Proxy {
    /// The plugin's configuration, `size` bytes long.
    pub(crate) fn plugin_configuration(size: usize) -> Vec<u8> {
        let bytes = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size);
        bytes.ok().flatten().unwrap_or_default()
    }

    /// Requests a callback once in each period.
    pub(crate) fn tick_every(period: Duration) {
        let _ = hostcalls::set_tick_period(period);
    }

    /// Passes on what was counted since the last time.
    pub(crate) fn count() {
        let mut uncounted = UNCOUNTED.take();
        for (metric, by) in uncounted.drain(..) {
            let _ = hostcalls::increment_metric(metric, by);
        }
        UNCOUNTED.set(uncounted);
    }

    fn response(&self) -> &[(String, Vec<u8>)] {
        self.response.get_or_init(|| {
            hostcalls::get_map_bytes(MapType::HttpResponseHeaders).unwrap_or_default()
        })
    }
}

impl Host for Proxy {
    fn increment(&self, metric: u32) {
        let mut uncounted = UNCOUNTED.take();
        match uncounted.iter_mut().find(|(known, _)| *known == metric) {
            Some((_, by)) => *by = by.saturating_add(1),
            None => uncounted.push((metric, 1)),
        }
        UNCOUNTED.set(uncounted);
    }

    fn record(&self, metric: u32, value: u64) {
        let _ = hostcalls::record_metric(metric, value);
    }

    fn log(&self, level: LogLevel, line: &str) {
        let level = match level {
            LogLevel::Warn => types::LogLevel::Warn,
            LogLevel::Error => types::LogLevel::Error,
        };
        let _ = hostcalls::log(level, line);
    }
}

impl PluginHost for Proxy {
    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<u32> {
        let kind = match kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
        };
        hostcalls::define_metric(kind, name).ok()
    }

    fn own_labels(&self) -> impl Labels {
        LabelMap::new(property(vec!["xds", "node", "metadata", "LABELS"]).unwrap_or_default())
    }

    fn last_good(&self) -> Option<Vec<u8>> {
        hostcalls::get_shared_data(&last_good_key()).ok()?.0
    }

    fn keep_last_good(&mut self, bytes: &[u8]) {
        let _ = hostcalls::set_shared_data(&last_good_key(), Some(bytes), None);
    }
}

impl StreamHost for Proxy {
    // Envoy joins the lines of those that it knows by name (`Origin`, `Access-Control-*`, `Authorization`); of others
    // it gives the first line. So does `response_header`.
    fn request_header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let value = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name);
        value.ok().flatten().map(Cow::Owned)
    }

    fn request_lines(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        property(vec!["request", "headers", name]).map(Cow::Owned)
    }

    fn remove_request_header(&mut self, name: &str) {
        let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, name);
    }

    fn response_header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let line = self.response().iter().find(|(known, _)| known == name);
        line.map(|(_, value)| Cow::Borrowed(value.as_slice()))
    }

    fn set_response_header(&mut self, name: &str, value: &[u8]) {
        let _ = hostcalls::set_map_value_bytes(MapType::HttpResponseHeaders, name, Some(value));
    }

    fn remove_response_header(&mut self, name: &str) {
        if self.response_header(name).is_some() {
            let _ = hostcalls::remove_map_value(MapType::HttpResponseHeaders, name);
        }
    }

    fn local_reply(&mut self, status: u16, headers: &Headers<'_>) {
        // The SDK takes text only. Everything a local reply may carry is ASCII: a parsed origin, tokens, our words.
        let headers = headers
            .iter()
            .filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
            .collect();
        let _ = hostcalls::send_http_response(u32::from(status), headers, None);
    }

    // Access logs read it as `%FILTER_STATE(wasm.<key>:PLAIN)%`.
    fn set_filter_state(&mut self, key: &str, value: &[u8]) {
        let _ = hostcalls::set_property(vec![key], Some(value));
    }

    fn destination_port(&self) -> Option<u16> {
        let port = property(vec!["destination", "port"])?;
        let port = i64::from_le_bytes(port.try_into().ok()?);
        u16::try_from(port).ok()
    }

    fn now(&self) -> Duration {
        let now = hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
        now.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

fn property(path: Vec<&str>) -> Option<Vec<u8>> {
    hostcalls::get_property(path).ok().flatten()
}

fn last_good_key() -> String {
    last_good::key(property(vec!["plugin_root_id"]))
}
