//! Conversions: the hooks that Envoy looks up by name, and of its pointers into references.
//!
//! Envoy alone calls these functions, as its `abi.h` says: it passes each pointer that a hook returned back to the hooks of the
//! same object, and to the hook that destroys it once. So they take references and boxes in their place, but for the state of a
//! stream: an Envoy may destroy it while a hook of that stream runs, as a local reply can end the stream. No hook unwinds.

use std::ffi::{c_char, c_void};
use std::rc::Rc;

use corsward_filter_engine::{Exchange, Flow};

use crate::abi::{self, EnvoyBuffer, FilterConfig, HeadersStatus, Level, Stream};
use crate::instance::Instance;
use crate::panic_guard::guard;
use crate::panic_log;

/// Returns the state of a stream, for a hook that may outlive it.
///
/// # Safety
///
/// Envoy got the pointer from the hook that makes the state, and has not destroyed the state when this is called.
unsafe fn shared(state: *const Exchange) -> Rc<Exchange> {
    // SAFETY: Envoy has the count with which the state was made.
    unsafe { Rc::increment_strong_count(state) };
    // SAFETY: this is the count from above.
    unsafe { Rc::from_raw(state) }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    guard((), || panic_log::write_by(|line| abi::log(Level::Error, line)));
    abi::VERSION.as_ptr()
}

/// Refuses the configuration by returning none. On the main thread.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    config: *mut c_void,
    name: EnvoyBuffer,
    bytes: EnvoyBuffer,
) -> Option<Box<Instance>> {
    let instance = guard(None, || {
        // SAFETY: Envoy passes a configuration that outlives this hook.
        let config = unsafe { FilterConfig::new(config) };
        // SAFETY: Envoy lends the name for this hook.
        let name = unsafe { name.bytes() };
        // SAFETY: Envoy lends the bytes for this hook.
        let bytes = unsafe { bytes.bytes() };
        #[cfg(feature = "panicking")]
        panic_if_asked_by(bytes);
        Some(Instance::new(&config, name, bytes).map(Box::new))
    });
    instance.unwrap_or_else(|| {
        guard((), Instance::refuse_after_panic);
        None
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(instance: Box<Instance>) {
    guard((), || drop(instance));
}

/// What a scheduler requests. On the main thread.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_scheduled(
    config: *mut c_void,
    instance: &Instance,
    _event: u64,
) {
    guard((), || {
        // SAFETY: Envoy passes a configuration that outlives this hook.
        let config = unsafe { FilterConfig::new(config) };
        instance.publish_stats(&config);
    });
}

/// On the worker of the stream, as all hooks that follow.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_new(
    instance: &Instance,
    stream: *mut c_void,
) -> *const Exchange {
    let exchange = guard(None, || {
        // SAFETY: Envoy passes the stream of this hook.
        let stream = unsafe { Stream::new(stream) };
        Some(Rc::new(instance.exchange(&stream)))
    });
    // After a panic the one that edits nothing.
    Rc::into_raw(exchange.unwrap_or_default())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    stream: *mut c_void,
    state: *const Exchange,
    _end_of_stream: bool,
) -> HeadersStatus {
    guard(HeadersStatus::Continue, || {
        // SAFETY: Envoy passes the stream of this hook.
        let mut stream = unsafe { Stream::new(stream) };
        #[cfg(feature = "panicking")]
        panic_if_asked(&stream);
        // SAFETY: Envoy has not destroyed the state of a stream whose hook it calls.
        let exchange = unsafe { shared(state) };
        match exchange.on_request(&mut stream) {
            Flow::Answered => HeadersStatus::StopIteration,
            Flow::Continue => HeadersStatus::Continue,
        }
    })
}

/// Envoy calls it for local replies too. Some versions call it for the answers of the filter, before the callback that sends one returns.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_headers(
    stream: *mut c_void,
    state: *const Exchange,
    _end_of_stream: bool,
) -> HeadersStatus {
    guard(HeadersStatus::Continue, || {
        // SAFETY: Envoy passes the stream of this hook.
        let mut stream = unsafe { Stream::new(stream) };
        // SAFETY: Envoy has not destroyed the state of a stream whose hook it calls.
        let exchange = unsafe { shared(state) };
        exchange.on_response(&mut stream);
        HeadersStatus::Continue
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_destroy(state: *const Exchange) {
    // SAFETY: Envoy gives back the count with which the state was made.
    guard((), || drop(unsafe { Rc::from_raw(state) }));
}

#[cfg(feature = "panicking")]
fn panic_if_asked(stream: &Stream<'_>) {
    let asked = stream.header(abi::HeaderMap::Request, "x-corsward-panic", 0).is_some();
    assert!(!asked, "the request asks for it");
}

#[cfg(feature = "panicking")]
fn panic_if_asked_by(configuration: &[u8]) {
    assert!(configuration != b"x-corsward-panic", "the configuration asks for it");
}

/// Hooks without which Envoy refuses a module, and for which the filter has no use: 0 is to continue.
macro_rules! unused {
    ($($hook:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $hook() -> u32 {
                0
            }
        )*
    };
}

unused! {
    envoy_dynamic_module_on_http_filter_request_body
    envoy_dynamic_module_on_http_filter_request_trailers
    envoy_dynamic_module_on_http_filter_response_body
    envoy_dynamic_module_on_http_filter_response_trailers
    envoy_dynamic_module_on_http_filter_stream_complete
    envoy_dynamic_module_on_http_filter_http_callout_done
    envoy_dynamic_module_on_http_filter_http_stream_headers
    envoy_dynamic_module_on_http_filter_http_stream_data
    envoy_dynamic_module_on_http_filter_http_stream_trailers
    envoy_dynamic_module_on_http_filter_http_stream_complete
    envoy_dynamic_module_on_http_filter_http_stream_reset
    envoy_dynamic_module_on_http_filter_scheduled
    envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark
    envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark
}
