//! See the law of the same name.
#![no_main]

#[path = "../laws.rs"]
#[allow(dead_code, reason = "each target has one law")]
mod laws;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| laws::wire_decode(bytes));
