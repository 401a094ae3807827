//! The module's entry point: called once for each virtual machine that a proxy starts.

use std::rc::Rc;

use crate::host::Proxy;
use crate::root::Root;
use crate::worker::Worker;

thread_local! {
    /// State that all plugin instances of this virtual machine share: a new configuration is a new root context in the
    /// same machine, and neither metrics nor the log's rate limit may start again with it.
    static WORKER: Rc<Worker> = Rc::default();
}

// No logger of the SDK's: the filter writes its lines by `Host`, and a panic, should there ever be one, is written to
// standard error, which Envoy logs.
proxy_wasm::main! {{
    proxy_wasm::set_root_context(|id| Box::new(Root::new(id, Proxy, WORKER.with(Rc::clone))));
}}
