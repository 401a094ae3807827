//! Host: the interface of the filter to the proxy. The only module that names a host call.

use std::time::Duration;

use corsward_policy::RequestField;
use corsward_policy::decision::LocalReply;
use corsward_policy::response_headers::Headers;
use corsward_policy::response_plan::Edits;
pub(crate) use proxy_wasm::types::{LogLevel, MetricType};

/// The interface of the filter to the proxy. No call fails: an impossible call has no effect.
pub(crate) trait Host {
    /// The value of a request header; empty where it is there and empty, `None` where it is not. Envoy joins the
    /// lines of those that it knows by name (`Origin`, `Access-Control-*`, `Authorization`); of others it gives the
    /// first line.
    fn request_header(&self, name: &str) -> Option<Vec<u8>>;
    /// The lines of any request header, joined by commas. Dearer than [`Host::request_header`], and an empty value
    /// looks like none.
    fn request_lines(&self, name: &str) -> Option<Vec<u8>>;
    /// Removes every line of a request header, if there is one.
    fn remove_request_header(&self, name: &str);
    /// The combined value of a response header.
    fn response_header(&self, name: &str) -> Option<Vec<u8>>;
    /// Replaces every line of a response header by one.
    fn set_response_header(&self, name: &str, value: &[u8]);
    /// Removes every line of a response header, if there is one.
    fn remove_response_header(&self, name: &str);
    /// Answers the request with an empty body.
    fn local_reply(&self, status: u16, headers: &Headers<'_>);
    /// Leaves a value for access logs: `%FILTER_STATE(wasm.<key>:PLAIN)%`.
    fn set_filter_state(&self, key: &str, value: &[u8]);
    /// The port to which the request came: after a redirection to a sidecar, the one that it was sent to before.
    fn destination_port(&self) -> Option<u16>;
    /// The labels with which the proxy was started, as a map; see [`Labels`](crate::labels::Labels).
    fn own_labels(&self) -> Option<Vec<u8>>;
    /// The root id under which the proxy runs this plugin.
    fn root_id(&self) -> Option<Vec<u8>>;
    /// The plugin's configuration, `size` bytes long.
    fn plugin_configuration(&self, size: usize) -> Vec<u8>;
    /// Requests a callback once in each period.
    fn tick_every(&self, period: Duration);
    /// A value shared by the virtual machines of one process.
    fn shared(&self, key: &str) -> Option<Vec<u8>>;
    /// Sets a value for all virtual machines of the process, and replaces the previous one.
    fn share(&self, key: &str, value: &[u8]);
    /// Makes a metric known; the proxy hands out a new id each time, so ask once.
    fn define_metric(&self, kind: MetricType, name: &str) -> Option<u32>;
    /// Adds one to a counter.
    fn increment(&self, metric: u32);
    /// Sets a gauge.
    fn record(&self, metric: u32, value: u64);
    /// The time since the Unix epoch. It may go backwards.
    fn now(&self) -> Duration;
    /// Writes a line into the proxy's log.
    fn log(&self, level: LogLevel, line: &str);

    // === The edits of a decision: only these three methods write headers. ===

    /// Answers the request as decided.
    fn apply_reply(&self, reply: &LocalReply<'_>) {
        let LocalReply { status, headers } = reply;
        self.local_reply(*status, headers);
    }

    /// Edits the request before it is forwarded.
    fn apply_to_request(&self, remove: Option<RequestField>) {
        if let Some(field) = remove {
            self.remove_request_header(field.name());
        }
    }

    /// Edits the response.
    fn apply_to_response(&self, edits: &Edits<'_>) {
        for name in edits.remove() {
            self.remove_response_header(name);
        }
        for (name, value) in edits.set.iter() {
            self.set_response_header(name, value);
        }
    }
}

#[cfg(target_arch = "wasm32")]
pub(crate) use proxy::Proxy;

#[cfg(target_arch = "wasm32")]
mod proxy {
    use std::time::{Duration, UNIX_EPOCH};

    use corsward_policy::response_headers::Headers;
    use proxy_wasm::hostcalls;
    use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};

    use super::Host;

    /// The proxy that runs the module.
    ///
    /// The SDK's `hostcalls` panic on a status that they do not expect, and a panic costs the worker its filter. The
    /// calls below are those for which Envoy has no such status, each in the callbacks in which it is made (Envoy
    /// 1.36 to 1.40): header maps exist while headers are handled, removing what is absent is `Ok`, values are not
    /// checked; filter state exists while a stream does; shared data without a compare-and-swap number never
    /// mismatches; a metric id that we defined is found. Getters are those that return bytes: the others unwrap UTF-8.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Proxy;

    impl Host for Proxy {
        fn request_header(&self, name: &str) -> Option<Vec<u8>> {
            hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok().flatten()
        }

        fn request_lines(&self, name: &str) -> Option<Vec<u8>> {
            hostcalls::get_property(vec!["request", "headers", name]).ok().flatten()
        }

        fn remove_request_header(&self, name: &str) {
            let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, name);
        }

        fn response_header(&self, name: &str) -> Option<Vec<u8>> {
            hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, name).ok().flatten()
        }

        fn set_response_header(&self, name: &str, value: &[u8]) {
            let _ = hostcalls::set_map_value_bytes(MapType::HttpResponseHeaders, name, Some(value));
        }

        fn remove_response_header(&self, name: &str) {
            let _ = hostcalls::remove_map_value(MapType::HttpResponseHeaders, name);
        }

        fn local_reply(&self, status: u16, headers: &Headers<'_>) {
            // The SDK takes text only. Everything a local reply may carry is ASCII: a parsed origin, tokens, our words.
            let headers = headers
                .iter()
                .filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
                .collect();
            let _ = hostcalls::send_http_response(u32::from(status), headers, None);
        }

        fn set_filter_state(&self, key: &str, value: &[u8]) {
            let _ = hostcalls::set_property(vec![key], Some(value));
        }

        fn destination_port(&self) -> Option<u16> {
            let port = hostcalls::get_property(vec!["destination", "port"]).ok().flatten()?;
            let port = i64::from_le_bytes(port.try_into().ok()?);
            u16::try_from(port).ok()
        }

        fn own_labels(&self) -> Option<Vec<u8>> {
            hostcalls::get_property(vec!["xds", "node", "metadata", "LABELS"]).ok().flatten()
        }

        fn root_id(&self) -> Option<Vec<u8>> {
            hostcalls::get_property(vec!["plugin_root_id"]).ok().flatten()
        }

        fn plugin_configuration(&self, size: usize) -> Vec<u8> {
            let bytes = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size);
            bytes.ok().flatten().unwrap_or_default()
        }

        fn tick_every(&self, period: Duration) {
            let _ = hostcalls::set_tick_period(period);
        }

        fn shared(&self, key: &str) -> Option<Vec<u8>> {
            hostcalls::get_shared_data(key).ok()?.0
        }

        fn share(&self, key: &str, value: &[u8]) {
            let _ = hostcalls::set_shared_data(key, Some(value), None);
        }

        fn define_metric(&self, kind: MetricType, name: &str) -> Option<u32> {
            hostcalls::define_metric(kind, name).ok()
        }

        fn increment(&self, metric: u32) {
            let _ = hostcalls::increment_metric(metric, 1);
        }

        fn record(&self, metric: u32, value: u64) {
            let _ = hostcalls::record_metric(metric, value);
        }

        fn now(&self) -> Duration {
            let now = hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
            now.duration_since(UNIX_EPOCH).unwrap_or_default()
        }

        fn log(&self, level: LogLevel, line: &str) {
            let _ = hostcalls::log(level, line);
        }
    }
}
