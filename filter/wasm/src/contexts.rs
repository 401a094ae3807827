//! Contexts: the callbacks of the proxy, passed to the engine.

use std::cell::RefCell;

use corsward_filter_engine::{Engine, Exchange, Flow, HEARTBEAT, Plugin};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use crate::host::Proxy;

thread_local! {
    /// A new configuration is a new root context in the same virtual machine, and the engine is the machine's.
    static ENGINE: RefCell<Engine> = RefCell::default();
}

/// One plugin instance: Envoy makes a new one in the same virtual machine for each new configuration.
pub(crate) struct PluginContext(Plugin);

/// One request and its response.
struct StreamContext(Exchange);

// === impl PluginContext ===

impl PluginContext {
    pub(crate) fn new() -> Self {
        Self(ENGINE.with_borrow_mut(Plugin::new))
    }
}

impl Context for PluginContext {}

impl RootContext for PluginContext {
    fn on_configure(&mut self, size: usize) -> bool {
        let bytes = Proxy::plugin_configuration(size);
        Proxy::tick_every(HEARTBEAT);
        ENGINE.with_borrow_mut(|engine| self.0.configure(engine, &mut Proxy, &bytes))
    }

    fn on_tick(&mut self) {
        ENGINE.with_borrow(|engine| engine.heartbeat(&Proxy));
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(StreamContext(self.0.exchange())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// The proxy has no more use for this instance. The SDK drops what is deleted; its `on_done` would be a call more in every
/// request.
impl Drop for PluginContext {
    fn drop(&mut self) {
        ENGINE.with_borrow_mut(|engine| self.0.retire(engine, &Proxy));
    }
}

// === impl StreamContext ===

impl Context for StreamContext {}

impl HttpContext for StreamContext {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        match self.0.on_request(&mut Proxy) {
            Flow::Continue => Action::Continue,
            Flow::Answered => Action::Pause,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.0.on_response(&mut Proxy);
        Action::Continue
    }
}
