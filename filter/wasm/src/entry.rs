//! The module's entry point: called once for each virtual machine that a proxy starts.

use crate::contexts::PluginContext;

// No logger of the SDK's: the filter writes its lines by the host, and a panic, should there ever be one, is written to
// standard error, which Envoy logs.
proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(PluginContext::new()));
}}
