//! A filter that makes the host calls of corsward and nothing else: no policy, no counter, no value of a request.
//! What it costs is what these calls cost any filter.
#![cfg(target_arch = "wasm32")]

use std::ptr;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, MapType};

struct Root;

struct Http {
    is_shared: bool,
}

/// The one origin of the benchmark's policy.
const ORIGIN: &str = "https://a.example";

const OK: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: MapType,
        name: *const u8,
        name_len: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: MapType,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32;
}

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http { is_shared: false }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if let Some(origin) = request_header("origin") {
            drop(request_header("access-control-request-method"));
            self.is_shared = *origin == *ORIGIN.as_bytes();
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        // SAFETY: the host writes an address and a length during the call.
        drop(received(|data, len| unsafe {
            proxy_get_header_map_pairs(MapType::HttpResponseHeaders, data, len)
        }));
        if self.is_shared {
            set_response_header("access-control-allow-origin", ORIGIN);
            set_response_header("access-control-allow-credentials", "true");
            set_response_header("access-control-expose-headers", "x-id");
        }
        set_response_header("vary", "accept-encoding, Origin");
        Action::Continue
    }
}

fn request_header(name: &str) -> Option<Box<[u8]>> {
    let map = MapType::HttpRequestHeaders;
    // SAFETY: the host reads the name, and writes an address and a length, during the call.
    received(|data, len| unsafe {
        proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, len)
    })
}

fn set_response_header(name: &str, value: &str) {
    let map = MapType::HttpResponseHeaders;
    let (value, value_len) = (value.as_ptr(), value.len());
    // SAFETY: the host reads name and value during the call.
    unsafe { proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value, value_len) };
}

/// The bytes for which `call` has the host write an address and a length, if it succeeds.
fn received(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Box<[u8]>> {
    let (mut data, mut len) = (ptr::null_mut(), 0);
    if call(&raw mut data, &raw mut len) != OK || data.is_null() {
        return None;
    }
    // SAFETY: the host has filled the bytes, for which it asked the SDK's allocator, and has no more use for them.
    Some(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(data, len)) })
}
