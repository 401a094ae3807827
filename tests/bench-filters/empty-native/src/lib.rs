//! A dynamic module that does nothing: what it costs is what any module of this kind costs.
#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "functions that Envoy looks up by name")]

use std::ffi::c_char;

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    c"v0.1.0".as_ptr()
}

/// The hooks that make an object: Envoy keeps the address, and never looks behind it.
macro_rules! objects {
    ($($hook:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $hook() -> &'static u8 {
                &0
            }
        )*
    };
}

objects! {
    envoy_dynamic_module_on_http_filter_config_new
    envoy_dynamic_module_on_http_filter_new
}

/// All others without which Envoy refuses a module: 0 is to continue.
macro_rules! hooks {
    ($($hook:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $hook() -> u32 {
                0
            }
        )*
    };
}

hooks! {
    envoy_dynamic_module_on_http_filter_config_destroy
    envoy_dynamic_module_on_http_filter_destroy
    envoy_dynamic_module_on_http_filter_request_headers
    envoy_dynamic_module_on_http_filter_request_body
    envoy_dynamic_module_on_http_filter_request_trailers
    envoy_dynamic_module_on_http_filter_response_headers
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
