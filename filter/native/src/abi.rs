//! ABI: the callbacks of Envoy that the filter uses, declared as in ABI v0.1.0, each with a safe face.
//!
//! Envoy 1.38, 1.39 and 1.40 have all of them with these signatures. Envoy cannot see a wrong signature, so a callback is
//! added only after a look into `abi.h` of each of these versions.
//!
//! Getters take a handle by reference and setters by mutable reference: what Envoy lends stays valid until the hook ends or
//! until a setter is called, so the borrow checker holds Envoy's rule.

use std::cell::OnceCell;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::{mem, ptr, slice};

/// The version of the ABI that these declarations follow: the oldest one of the supported Envoys. A newer Envoy accepts it and
/// warns.
pub(crate) const VERSION: &CStr = c"v0.1.0";

/// `destination.port` among the attributes.
const DESTINATION_PORT: u32 = 27;

/// Bytes that Envoy reads during a call.
#[derive(Clone, Copy)]
#[repr(C)]
struct ModuleBuffer<'b> {
    ptr: *const u8,
    len: usize,
    bytes: PhantomData<&'b [u8]>,
}

/// Bytes that Envoy lends.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct EnvoyBuffer {
    ptr: *const u8,
    len: usize,
}

/// A line of a header that Envoy lends.
#[derive(Clone, Copy)]
#[repr(C)]
struct EnvoyHeader {
    name: EnvoyBuffer,
    value: EnvoyBuffer,
}

/// A header of a local reply.
#[repr(C)]
struct ModuleHeader<'b> {
    name: ModuleBuffer<'b>,
    value: ModuleBuffer<'b>,
}

/// A header map.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum HeaderMap {
    /// Of the request.
    Request = 0,
    /// Of the response.
    Response = 2,
}

/// The severity of a line in Envoy's log.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Level {
    /// `warning`
    Warn = 3,
    /// `error`
    Error = 4,
}

/// The result of a hook for headers.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum HeadersStatus {
    /// The next filter is called.
    Continue = 0,
    /// It is not: the filter has answered.
    StopIteration = 1,
}

/// A stream, for as long as one of its hooks runs.
pub(crate) struct Stream<'h> {
    ptr: *mut c_void,
    /// What Envoy has lent since the last setter: one call for all lines costs less than two for single headers.
    response: OnceCell<Vec<EnvoyHeader>>,
    hook: PhantomData<&'h mut ()>,
}

/// A configuration of the filter in Envoy, for as long as one of its hooks runs.
pub(crate) struct FilterConfig<'h> {
    ptr: *mut c_void,
    hook: PhantomData<&'h mut ()>,
}

/// A metric that was defined by a [`FilterConfig`], and means the same to no other one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricId(usize);

/// Calls the hook of a configuration on the main thread, for as long as Envoy has the configuration.
pub(crate) struct Scheduler(*mut c_void);

// SAFETY: Envoy's scheduler is made to be used on any thread: it posts to the main thread, under a lock.
unsafe impl Send for Scheduler {}
// SAFETY: a commit changes nothing of the scheduler: it looks whether the configuration lives, and posts.
unsafe impl Sync for Scheduler {}

unsafe extern "C" {
    fn envoy_dynamic_module_callback_log(level: Level, line: ModuleBuffer<'_>);
    fn envoy_dynamic_module_callback_http_get_header(
        stream: *mut c_void,
        map: HeaderMap,
        name: ModuleBuffer<'_>,
        value: *mut EnvoyBuffer,
        nth: usize,
        count: *mut usize,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_get_headers_size(
        stream: *mut c_void,
        map: HeaderMap,
    ) -> usize;
    fn envoy_dynamic_module_callback_http_get_headers(
        stream: *mut c_void,
        map: HeaderMap,
        headers: *mut EnvoyHeader,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_set_header(
        stream: *mut c_void,
        map: HeaderMap,
        name: ModuleBuffer<'_>,
        value: ModuleBuffer<'_>,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_clear_route_cache(stream: *mut c_void);
    fn envoy_dynamic_module_callback_http_send_response_headers(
        stream: *mut c_void,
        headers: *const ModuleHeader<'_>,
        headers_len: usize,
        end_of_stream: bool,
    );
    fn envoy_dynamic_module_callback_http_set_filter_state_bytes(
        stream: *mut c_void,
        key: ModuleBuffer<'_>,
        value: ModuleBuffer<'_>,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_filter_get_attribute_int(
        stream: *mut c_void,
        attribute: u32,
        value: *mut u64,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        config: *mut c_void,
        name: ModuleBuffer<'_>,
        labels: *const ModuleBuffer<'_>,
        labels_len: usize,
        id: *mut usize,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_config_define_gauge(
        config: *mut c_void,
        name: ModuleBuffer<'_>,
        labels: *const ModuleBuffer<'_>,
        labels_len: usize,
        id: *mut usize,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_increment_counter(
        stream: *mut c_void,
        id: usize,
        labels: *const ModuleBuffer<'_>,
        labels_len: usize,
        by: u64,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_set_gauge(
        stream: *mut c_void,
        id: usize,
        labels: *const ModuleBuffer<'_>,
        labels_len: usize,
        value: u64,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_config_scheduler_new(
        config: *mut c_void,
    ) -> *mut c_void;
    fn envoy_dynamic_module_callback_http_filter_config_scheduler_commit(
        scheduler: *mut c_void,
        event: u64,
    );
    fn envoy_dynamic_module_callback_http_filter_config_scheduler_delete(scheduler: *mut c_void);
    /// Of the C library.
    fn dlsym(handle: *mut c_void, symbol: *const c_char) -> *mut c_void;
}

/// A callback that changes a metric: of a stream or a configuration, by its id and the values of its labels.
type Change = unsafe extern "C" fn(*mut c_void, usize, *const ModuleBuffer<'_>, usize, u64) -> u32;

/// The callbacks that change a metric without a stream: Envoy has them since 1.39.
#[derive(Clone, Copy)]
struct ConfigCallbacks {
    increment_counter: Change,
    set_gauge: Change,
}

/// The metrics of a configuration, for as long as one of its hooks runs.
struct ConfigRecorder<'c> {
    config: &'c FilterConfig<'c>,
    callbacks: ConfigCallbacks,
}

/// Where metrics get their values.
pub(crate) trait Recorder {
    /// Adds to the counter with these values of its labels.
    fn add(&self, counter: MetricId, labels: &[String], by: u64);
    /// Sets a gauge, which has no labels.
    fn set(&self, gauge: MetricId, value: u64);
}

/// Writes a line into Envoy's log.
pub(crate) fn log(level: Level, line: &str) {
    // SAFETY: Envoy copies the line.
    unsafe { envoy_dynamic_module_callback_log(level, line.into()) }
}

// === impl ModuleBuffer ===

impl ModuleBuffer<'_> {
    /// No bytes at all; as a header's value, none.
    const NULL: Self = Self { ptr: ptr::null(), len: 0, bytes: PhantomData };
}

impl<'b> From<&'b [u8]> for ModuleBuffer<'b> {
    fn from(bytes: &'b [u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len(), bytes: PhantomData }
    }
}

impl<'b> From<&'b str> for ModuleBuffer<'b> {
    fn from(text: &'b str) -> Self {
        text.as_bytes().into()
    }
}

// === impl EnvoyBuffer ===

impl EnvoyBuffer {
    /// The bytes. A null pointer, which a slice must not have, means none.
    ///
    /// # Safety
    ///
    /// Envoy filled the buffer, and still lends its bytes for as long as `'b` lasts.
    pub(crate) unsafe fn bytes<'b>(self) -> &'b [u8] {
        if self.ptr.is_null() {
            return &[];
        }
        // SAFETY: Envoy has as many bytes there, and the caller knows that it does not change them.
        unsafe { slice::from_raw_parts(self.ptr, self.len) }
    }
}

// === impl Stream ===

impl Stream<'_> {
    /// Returns the handle of a stream.
    ///
    /// # Safety
    ///
    /// Envoy passed the pointer, as a stream, to the hook that runs for as long as the handle lives.
    pub(crate) unsafe fn new(ptr: *mut c_void) -> Self {
        Self { ptr, response: OnceCell::new(), hook: PhantomData }
    }

    /// Returns a line of a header, and the number of its lines.
    pub(crate) fn header(&self, map: HeaderMap, name: &str, nth: usize) -> Option<(&[u8], usize)> {
        let (mut value, mut count) = (EnvoyBuffer { ptr: ptr::null(), len: 0 }, 0);
        // SAFETY: the stream is alive, and both places outlive the call.
        let found = unsafe {
            envoy_dynamic_module_callback_http_get_header(
                self.ptr,
                map,
                name.into(),
                &raw mut value,
                nth,
                &raw mut count,
            )
        };
        // SAFETY: Envoy lends the value until a setter is called, and a setter needs the handle that this borrows.
        found.then(|| (unsafe { value.bytes() }, count))
    }

    /// Returns all lines of the response's headers, with their names in lower case.
    pub(crate) fn response(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.response.get_or_init(|| self.lines(HeaderMap::Response));
        lines.iter().map(|line| {
            // SAFETY: Envoy lends the name until a setter is called, and each setter takes the handle that this borrows.
            let name = unsafe { line.name.bytes() };
            // SAFETY: as the name; a setter forgets the lines.
            (name, unsafe { line.value.bytes() })
        })
    }

    fn lines(&self, map: HeaderMap) -> Vec<EnvoyHeader> {
        // SAFETY: the stream is alive.
        let count = unsafe { envoy_dynamic_module_callback_http_get_headers_size(self.ptr, map) };
        let mut lines = Vec::with_capacity(count);
        // SAFETY: the stream is alive, and there is room for as many lines as it has.
        let found = unsafe {
            envoy_dynamic_module_callback_http_get_headers(self.ptr, map, lines.as_mut_ptr())
        };
        if found {
            // SAFETY: Envoy has filled them.
            unsafe { lines.set_len(count) };
        }
        lines
    }

    /// Replaces all lines of a header by one, or by none.
    pub(crate) fn set_header(&mut self, map: HeaderMap, name: &str, value: Option<&[u8]>) {
        let value = value.map_or(ModuleBuffer::NULL, ModuleBuffer::from);
        self.response.take();
        // SAFETY: the stream is alive, nothing that it lent is in use, and Envoy copies name and value.
        unsafe {
            envoy_dynamic_module_callback_http_set_header(self.ptr, map, name.into(), value);
        }
    }

    /// Has Envoy choose the route anew, by the headers of the request as they are now.
    pub(crate) fn clear_route_cache(&mut self) {
        // SAFETY: the stream is alive, and Envoy lends nothing of the route.
        unsafe { envoy_dynamic_module_callback_http_clear_route_cache(self.ptr) }
    }

    /// Answers the request with these headers, `:status` first, and an empty body. An Envoy may run the hook for the response's headers
    /// before this returns.
    ///
    /// The callback for local replies would join the headers with those that the route adds, and tell a gRPC client that all is well.
    pub(crate) fn reply<'a>(&mut self, headers: impl Iterator<Item = (&'static str, &'a [u8])>) {
        let headers: Vec<ModuleHeader<'_>> = headers
            .map(|(name, value)| ModuleHeader { name: name.into(), value: value.into() })
            .collect();
        self.response.take();
        // SAFETY: the stream is alive, nothing that it lent is in use, and Envoy copies the headers.
        unsafe {
            envoy_dynamic_module_callback_http_send_response_headers(
                self.ptr,
                headers.as_ptr(),
                headers.len(),
                true,
            );
        }
    }

    /// Leaves a value for access logs.
    pub(crate) fn set_filter_state(&mut self, key: &str, value: &[u8]) {
        self.response.take();
        // SAFETY: the stream is alive, nothing that it lent is in use, and Envoy copies key and value.
        unsafe {
            envoy_dynamic_module_callback_http_set_filter_state_bytes(
                self.ptr,
                key.into(),
                value.into(),
            );
        }
    }

    /// Returns the port to which the request came.
    pub(crate) fn destination_port(&self) -> Option<u64> {
        let mut port = 0;
        // SAFETY: the stream is alive, and the place outlives the call.
        let found = unsafe {
            envoy_dynamic_module_callback_http_filter_get_attribute_int(
                self.ptr,
                DESTINATION_PORT,
                &raw mut port,
            )
        };
        found.then_some(port)
    }
}

// === impl FilterConfig ===

impl FilterConfig<'_> {
    /// Returns the handle of a configuration.
    ///
    /// # Safety
    ///
    /// Envoy passed the pointer, as a configuration of the filter, to the hook that runs on the main thread for as long as the
    /// handle lives.
    pub(crate) unsafe fn new(ptr: *mut c_void) -> Self {
        Self { ptr, hook: PhantomData }
    }

    /// Makes a counter known; `None` after the hook that makes a configuration.
    pub(crate) fn define_counter(&self, name: &str, labels: &[&str]) -> Option<MetricId> {
        let labels: Vec<ModuleBuffer<'_>> = labels.iter().map(|label| (*label).into()).collect();
        let mut id = 0;
        // SAFETY: the configuration is alive, the place outlives the call, and Envoy copies the names.
        let failed = unsafe {
            envoy_dynamic_module_callback_http_filter_config_define_counter(
                self.ptr,
                name.into(),
                labels.as_ptr(),
                labels.len(),
                &raw mut id,
            )
        };
        (failed == 0).then_some(MetricId(id))
    }

    /// Makes a gauge known, as [`FilterConfig::define_counter`] does a counter.
    pub(crate) fn define_gauge(&self, name: &str) -> Option<MetricId> {
        let mut id = 0;
        // SAFETY: as for a counter; there are no labels.
        let failed = unsafe {
            envoy_dynamic_module_callback_http_filter_config_define_gauge(
                self.ptr,
                name.into(),
                ptr::null(),
                0,
                &raw mut id,
            )
        };
        (failed == 0).then_some(MetricId(id))
    }

    /// Returns a recorder that needs no stream; `None` in Envoy 1.38.
    pub(crate) fn recorder(&self) -> Option<impl Recorder> {
        ConfigCallbacks::get().map(|callbacks| ConfigRecorder { config: self, callbacks })
    }

    /// Returns a scheduler of the configuration's hook.
    pub(crate) fn scheduler(&self) -> Scheduler {
        // SAFETY: the configuration is alive.
        Scheduler(unsafe {
            envoy_dynamic_module_callback_http_filter_config_scheduler_new(self.ptr)
        })
    }
}

// === impl ConfigCallbacks ===

impl ConfigCallbacks {
    fn get() -> Option<Self> {
        static CALLBACKS: OnceLock<Option<ConfigCallbacks>> = OnceLock::new();
        *CALLBACKS.get_or_init(|| {
            Some(Self {
                increment_counter: Self::find(
                    c"envoy_dynamic_module_callback_http_filter_config_increment_counter",
                )?,
                set_gauge: Self::find(
                    c"envoy_dynamic_module_callback_http_filter_config_set_gauge",
                )?,
            })
        })
    }

    /// Looks a callback up as the linker would.
    fn find(name: &CStr) -> Option<Change> {
        // SAFETY: the name ends with a zero byte, and a null handle is glibc's `RTLD_DEFAULT`: every object that is loaded.
        let symbol = unsafe { dlsym(ptr::null_mut(), name.as_ptr()) };
        // SAFETY: Envoy alone defines these names, with this signature in each version that has them; null is `None`.
        unsafe { mem::transmute::<*mut c_void, Option<Change>>(symbol) }
    }
}

// === impl Recorder ===

impl Recorder for Stream<'_> {
    fn add(&self, counter: MetricId, labels: &[String], by: u64) {
        let labels = buffers(labels);
        // SAFETY: the stream is alive, an unknown id and a wrong number of labels are errors, and Envoy copies the values.
        unsafe {
            envoy_dynamic_module_callback_http_filter_increment_counter(
                self.ptr,
                counter.0,
                labels.as_ptr(),
                labels.len(),
                by,
            );
        }
    }

    fn set(&self, gauge: MetricId, value: u64) {
        // SAFETY: the stream is alive, and an unknown id is an error.
        unsafe {
            envoy_dynamic_module_callback_http_filter_set_gauge(
                self.ptr,
                gauge.0,
                ptr::null(),
                0,
                value,
            );
        }
    }
}

impl Recorder for ConfigRecorder<'_> {
    fn add(&self, counter: MetricId, labels: &[String], by: u64) {
        let labels = buffers(labels);
        let increment_counter = self.callbacks.increment_counter;
        // SAFETY: the configuration is alive, an unknown id and a wrong number of labels are errors, and Envoy copies the values.
        unsafe {
            increment_counter(self.config.ptr, counter.0, labels.as_ptr(), labels.len(), by);
        }
    }

    fn set(&self, gauge: MetricId, value: u64) {
        let set_gauge = self.callbacks.set_gauge;
        // SAFETY: the configuration is alive, and an unknown id is an error.
        unsafe {
            set_gauge(self.config.ptr, gauge.0, ptr::null(), 0, value);
        }
    }
}

fn buffers(texts: &[String]) -> Vec<ModuleBuffer<'_>> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

// === impl Scheduler ===

impl Scheduler {
    /// Requests a call of the hook.
    pub(crate) fn commit(&self) {
        // SAFETY: the scheduler is alive, and does nothing once its configuration is gone.
        unsafe { envoy_dynamic_module_callback_http_filter_config_scheduler_commit(self.0, 0) }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // SAFETY: Envoy made it, and it is not used any more.
        unsafe { envoy_dynamic_module_callback_http_filter_config_scheduler_delete(self.0) }
    }
}
