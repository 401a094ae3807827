//! Host: the proxy that runs the module, as the engine asks it.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::time::Duration;

use corsward_filter_engine::{Host, Labels, LogLevel, MetricKind, PluginHost, StreamHost};
use corsward_policy::header_name::CORS_RESPONSE_HEADERS;
use corsward_policy::response_headers::Headers;
use proxy_wasm::types::{self, BufferType, MapType, MetricType};

use crate::abi;
use crate::last_good;
use crate::pair_map::PairMap;

/// The proxy that runs the module.
#[derive(Debug, Default)]
pub(crate) struct Proxy {
    /// The response's headers as they came: one call for all of them costs less than one for each that the filter asks for and
    /// removes.
    // INVARIANT: nothing asks for a header again that was set or removed.
    response: OnceCell<PairMap>,
    /// The headers of the filter's own answer, as they were sent; none, where the request went on.
    answer: Option<PairMap>,
}

thread_local! {
    /// The counters that rose since the last tick, and by how much: each is one call a tick, not one a request.
    static UNCOUNTED: Cell<Vec<(u32, i64)>> = const { Cell::new(Vec::new()) };
}

// === impl Proxy ===

impl Proxy {
    /// The plugin's configuration, `size` bytes long.
    pub(crate) fn plugin_configuration(size: usize) -> Vec<u8> {
        abi::buffer(BufferType::PluginConfiguration, size).unwrap_or_default()
    }

    /// Requests a callback once in each period.
    pub(crate) fn tick_every(period: Duration) {
        abi::set_tick_period(u32::try_from(period.as_millis()).unwrap_or(u32::MAX));
    }

    /// Passes on what was counted since the last time.
    pub(crate) fn count() {
        let mut uncounted = UNCOUNTED.take();
        for (metric, by) in uncounted.drain(..) {
            abi::increment_metric(metric, by);
        }
        UNCOUNTED.set(uncounted);
    }

    /// Takes out of the filter's own answer what its route adds to responses: the proxy has joined both.
    pub(crate) fn restore_answer(&self) {
        let Some(answer) = &self.answer else { return };
        for name in CORS_RESPONSE_HEADERS {
            let sent = answer.find(name.as_bytes());
            if sent != self.response().find(name.as_bytes()) {
                match sent {
                    Some(value) => abi::set_header(MapType::HttpResponseHeaders, name, value),
                    None => abi::remove_header(MapType::HttpResponseHeaders, name),
                }
            }
        }
    }

    fn response(&self) -> &PairMap {
        let headers = || abi::headers(MapType::HttpResponseHeaders).unwrap_or_default();
        self.response.get_or_init(|| PairMap::new(headers()))
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
        abi::record_metric(metric, value);
    }

    fn log(&self, level: LogLevel, line: &str) {
        let level = match level {
            LogLevel::Warn => types::LogLevel::Warn,
            LogLevel::Error => types::LogLevel::Error,
        };
        abi::log(level, line);
    }
}

impl PluginHost for Proxy {
    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<u32> {
        let kind = match kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
        };
        abi::define_metric(kind, name)
    }

    fn own_labels(&self) -> impl Labels {
        PairMap::new(abi::property("xds\0node\0metadata\0LABELS").unwrap_or_default())
    }

    fn last_good(&self) -> Option<Vec<u8>> {
        abi::shared_data(&last_good_key())
    }

    fn keep_last_good(&mut self, bytes: &[u8]) {
        abi::set_shared_data(&last_good_key(), bytes);
    }
}

impl StreamHost for Proxy {
    // Envoy joins the lines of those that it knows by name (`Origin`, `Access-Control-*`, `Authorization`); of others
    // it gives the first line. So does `response_header`.
    fn request_header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        abi::header(MapType::HttpRequestHeaders, name).map(Cow::Owned)
    }

    fn request_lines(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut path = String::from("request\0headers\0");
        path.push_str(name);
        abi::property(&path).map(Cow::Owned)
    }

    fn remove_request_header(&mut self, name: &str) {
        abi::remove_header(MapType::HttpRequestHeaders, name);
    }

    fn response_header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.response().find(name.as_bytes()).map(Cow::Borrowed)
    }

    fn set_response_header(&mut self, name: &str, value: &[u8]) {
        abi::set_header(MapType::HttpResponseHeaders, name, value);
    }

    fn remove_response_header(&mut self, name: &str) {
        if self.response_header(name).is_some() {
            abi::remove_header(MapType::HttpResponseHeaders, name);
        }
    }

    fn local_reply(&mut self, status: u16, headers: &Headers<'_>) {
        let answer = PairMap::of(headers.iter());
        abi::send_local_response(u32::from(status), answer.as_bytes());
        self.answer = Some(answer);
    }

    // Access logs read it as `%FILTER_STATE(wasm.<key>:PLAIN)%`.
    fn set_filter_state(&mut self, key: &str, value: &[u8]) {
        abi::set_property(key, value);
    }

    fn destination_port(&self) -> Option<u16> {
        let port = abi::property("destination\0port")?;
        let port = i64::from_le_bytes(port.try_into().ok()?);
        u16::try_from(port).ok()
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(abi::current_time())
    }
}

fn last_good_key() -> String {
    last_good::key(abi::property("plugin_root_id"))
}
