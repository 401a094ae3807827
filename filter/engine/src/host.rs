//! Host: the interface of the engine to the proxy. A shell implements it.

use std::borrow::Cow;
use std::time::Duration;

use corsward_policy::RequestField;
use corsward_policy::decision::LocalReply;
use corsward_policy::response_headers::Headers;
use corsward_policy::response_plan::Edits;

/// The severity of a line in the proxy's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// A request was denied.
    Warn,
    /// A configuration cannot run.
    Error,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only rises.
    Counter,
    /// A number that is set.
    Gauge,
}

/// The calls that a proxy takes at any time. No call of a host fails: an impossible call has no effect.
///
/// Values that a proxy lends stay valid until a call that takes the host mutably.
pub trait Host {
    /// Adds one to a counter.
    fn increment(&self, metric: u32);
    /// Sets a gauge.
    fn record(&self, metric: u32, value: u64);
    /// Writes a line into the proxy's log.
    fn log(&self, level: LogLevel, line: &str);
}

/// The calls that a proxy takes while it configures a plugin instance.
pub trait PluginHost: Host {
    /// Makes a metric known; the proxy hands out a new id each time, so ask once.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<u32>;
    /// The labels with which the proxy was started.
    fn own_labels(&self) -> impl Labels;
    /// The last bytes that [`PluginHost::keep_last_good`] got for this plugin, anywhere in the process.
    fn last_good(&self) -> Option<Vec<u8>>;
    /// Keeps the bytes of a good configuration for every instance of this plugin in the process.
    fn keep_last_good(&mut self, bytes: &[u8]);
}

/// The labels of a proxy.
pub trait Labels {
    /// Returns whether there is a label of this key and value.
    fn has(&self, key: &str, value: &str) -> bool;
}

/// The calls that a proxy takes while it handles the headers of a request or of its response.
pub trait StreamHost: Host {
    /// The value of a request header; empty where it is there and empty, `None` where it is not. A proxy may join the lines
    /// of a header or give the first one; it joins those of `Origin` and `Access-Control-*`.
    fn request_header(&self, name: &str) -> Option<Cow<'_, [u8]>>;
    /// The lines of any request header, joined by commas. It may be dearer than [`StreamHost::request_header`], and an
    /// empty value may look like none.
    fn request_lines(&self, name: &str) -> Option<Cow<'_, [u8]>>;
    /// Removes every line of a request header, if there is one.
    fn remove_request_header(&mut self, name: &str);
    /// The combined value of a response header.
    fn response_header(&self, name: &str) -> Option<Cow<'_, [u8]>>;
    /// Replaces every line of a response header by one.
    fn set_response_header(&mut self, name: &str, value: &[u8]);
    /// Removes every line of a response header, if there is one.
    fn remove_response_header(&mut self, name: &str);
    /// Answers the request with an empty body. The proxy may pass that response to
    /// [`Exchange::on_response`](crate::Exchange::on_response) before this returns.
    fn local_reply(&mut self, status: u16, headers: &Headers<'_>);
    /// Leaves a value for access logs.
    fn set_filter_state(&mut self, key: &str, value: &[u8]);
    /// The port to which the request came: after a redirection to a sidecar, the one that it was sent to before.
    fn destination_port(&self) -> Option<u16>;
    /// The time since the Unix epoch. It may go backwards.
    fn now(&self) -> Duration;

    // === The edits of a decision: only these three methods write headers. ===

    /// Answers the request as decided.
    fn apply_reply(&mut self, reply: &LocalReply<'_>) {
        let LocalReply { status, headers } = reply;
        self.local_reply(*status, headers);
    }

    /// Edits the request before it is forwarded.
    fn apply_to_request(&mut self, remove: Option<RequestField>) {
        if let Some(field) = remove {
            self.remove_request_header(field.name());
        }
    }

    /// Edits the response.
    fn apply_to_response(&mut self, edits: &Edits<'_>) {
        for name in edits.remove() {
            self.remove_response_header(name);
        }
        for (name, value) in edits.set.iter() {
            self.set_response_header(name, value);
        }
    }
}
