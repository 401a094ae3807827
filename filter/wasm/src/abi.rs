//! ABI: the calls of the host that the filter uses, declared as in proxy-wasm 0.2.1, each with a safe face.
//!
//! Those of the SDK panic on a status that they do not expect, which costs the worker its filter, take names for text, and copy a message's
//! headers one by one. A call that fails has no effect here.

use std::ptr;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};

type Status = u32;

const OK: Status = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    safe fn proxy_set_tick_period_milliseconds(period: u32) -> Status;
    safe fn proxy_increment_metric(metric: u32, by: i64) -> Status;
    safe fn proxy_record_metric(metric: u32, value: u64) -> Status;
    fn proxy_define_metric(kind: MetricType, name: *const u8, len: usize, id: *mut u32) -> Status;
    fn proxy_log(level: LogLevel, line: *const u8, len: usize) -> Status;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> Status;
    fn proxy_get_buffer_bytes(
        buffer: BufferType,
        begin: usize,
        max_len: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> Status;
    fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, len: *mut usize) -> Status;
    fn proxy_get_header_map_value(
        map: MapType,
        name: *const u8,
        name_len: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> Status;
    fn proxy_replace_header_map_value(
        map: MapType,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> Status;
    fn proxy_remove_header_map_value(map: MapType, name: *const u8, len: usize) -> Status;
    fn proxy_get_property(
        path: *const u8,
        path_len: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> Status;
    fn proxy_set_property(
        path: *const u8,
        path_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> Status;
    fn proxy_get_shared_data(
        key: *const u8,
        key_len: usize,
        data: *mut *mut u8,
        len: *mut usize,
        version: *mut u32,
    ) -> Status;
    fn proxy_set_shared_data(
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
        version: u32,
    ) -> Status;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        headers: *const u8,
        headers_len: usize,
        grpc_status: i32,
    ) -> Status;
}

/// Requests a callback once in each period.
pub(crate) fn set_tick_period(milliseconds: u32) {
    let _status = proxy_set_tick_period_milliseconds(milliseconds);
}

pub(crate) fn increment_metric(metric: u32, by: i64) {
    let _status = proxy_increment_metric(metric, by);
}

pub(crate) fn record_metric(metric: u32, value: u64) {
    let _status = proxy_record_metric(metric, value);
}

pub(crate) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the host reads the name and writes the id during the call.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

pub(crate) fn log(level: LogLevel, line: &str) {
    // SAFETY: the host reads the line during the call.
    let _status = unsafe { proxy_log(level, line.as_ptr(), line.len()) };
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn current_time() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes the time during the call.
    let _status = unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
    time
}

/// The first bytes of a buffer.
pub(crate) fn buffer(buffer: BufferType, max_len: usize) -> Option<Vec<u8>> {
    // SAFETY: the host writes an address and a length during the call.
    received(|data, len| unsafe { proxy_get_buffer_bytes(buffer, 0, max_len, data, len) })
}

/// The headers of a message, in the form of a [`PairMap`](crate::pair_map::PairMap).
pub(crate) fn headers(map: MapType) -> Option<Vec<u8>> {
    // SAFETY: the host writes an address and a length during the call.
    received(|data, len| unsafe { proxy_get_header_map_pairs(map, data, len) })
}

pub(crate) fn header(map: MapType, name: &str) -> Option<Vec<u8>> {
    let (name, name_len) = (name.as_ptr(), name.len());
    // SAFETY: the host reads the name, and writes an address and a length, during the call.
    received(|data, len| unsafe { proxy_get_header_map_value(map, name, name_len, data, len) })
}

pub(crate) fn set_header(map: MapType, name: &str, value: &[u8]) {
    let (name, name_len) = (name.as_ptr(), name.len());
    let (value, value_len) = (value.as_ptr(), value.len());
    // SAFETY: the host reads name and value during the call.
    let _status = unsafe { proxy_replace_header_map_value(map, name, name_len, value, value_len) };
}

pub(crate) fn remove_header(map: MapType, name: &str) {
    // SAFETY: the host reads the name during the call.
    let _status = unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) };
}

/// `path` has its parts, with a zero byte between two of them.
pub(crate) fn property(path: &str) -> Option<Vec<u8>> {
    // SAFETY: the host reads the path, and writes an address and a length, during the call.
    received(|data, len| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, len) })
}

pub(crate) fn set_property(path: &str, value: &[u8]) {
    let (path, path_len) = (path.as_ptr(), path.len());
    // SAFETY: the host reads path and value during the call.
    let _status = unsafe { proxy_set_property(path, path_len, value.as_ptr(), value.len()) };
}

pub(crate) fn shared_data(key: &str) -> Option<Vec<u8>> {
    let mut version = 0;
    let (key, key_len, version) = (key.as_ptr(), key.len(), &raw mut version);
    // SAFETY: the host reads the key, and writes an address, a length and a version, during the call.
    received(|data, len| unsafe { proxy_get_shared_data(key, key_len, data, len, version) })
}

/// Replaces whatever is there.
pub(crate) fn set_shared_data(key: &str, value: &[u8]) {
    let (key, key_len) = (key.as_ptr(), key.len());
    // SAFETY: the host reads key and value during the call.
    let _status = unsafe { proxy_set_shared_data(key, key_len, value.as_ptr(), value.len(), 0) };
}

/// Answers with an empty body; `headers` has the form of a [`PairMap`](crate::pair_map::PairMap).
pub(crate) fn send_local_response(status: u32, headers: &[u8]) {
    let (none, (headers, headers_len)) = (ptr::null(), (headers.as_ptr(), headers.len()));
    // SAFETY: the host reads the headers during the call, and nothing where the length is 0.
    let _status = unsafe {
        proxy_send_local_response(status, none, 0, none, 0, headers, headers_len, NO_GRPC_STATUS)
    };
}

const NO_GRPC_STATUS: i32 = -1;

/// The bytes for which `call` has the host write an address and a length, if it succeeds.
fn received(call: impl FnOnce(*mut *mut u8, *mut usize) -> Status) -> Option<Vec<u8>> {
    let (mut data, mut len) = (ptr::null_mut(), 0);
    let status = call(&raw mut data, &raw mut len);
    (status == OK).then(|| handed_over(data, len))
}

#[inline(never)]
fn handed_over(data: *mut u8, len: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    let bytes = ptr::slice_from_raw_parts_mut(data, len);
    // SAFETY: the host wrote what `proxy_on_memory_allocate` of the SDK returned to it for this length, the address of a boxed slice of
    // bytes. It has filled the slice, which is the module's from here on.
    unsafe { Box::from_raw(bytes) }.into_vec()
}
