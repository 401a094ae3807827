//! Contexts: the callbacks of the proxy, passed to the engine.

use std::cell::RefCell;
use std::time::Duration;

use corsward_filter_engine::{Engine, Exchange, Flow, HEARTBEAT, Plugin};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use crate::host::Proxy;

thread_local! {
    /// A new configuration is a new root context in the same virtual machine, and the engine is the machine's.
    static ENGINE: RefCell<Engine> = RefCell::default();
}

/// Interval of ticks: counters are at most this old.
const TICK: Duration = Duration::from_secs(1);

/// Ticks for each heartbeat.
const TICKS: u64 = HEARTBEAT.as_secs() / TICK.as_secs();

/// One plugin instance: Envoy makes a new one in the same virtual machine for each new configuration.
pub(crate) struct PluginContext {
    plugin: Plugin,
    ticks: u64,
}

/// One request and its response.
struct StreamContext {
    exchange: Exchange,
    proxy: Proxy,
}

// === impl PluginContext ===

impl PluginContext {
    pub(crate) fn new() -> Self {
        let plugin = ENGINE.with_borrow_mut(Plugin::new);
        Self { plugin, ticks: 0 }
    }
}

impl Context for PluginContext {}

impl RootContext for PluginContext {
    fn on_configure(&mut self, size: usize) -> bool {
        let bytes = Proxy::plugin_configuration(size);
        Proxy::tick_every(TICK);
        let mut proxy = Proxy::default();
        let accepted =
            ENGINE.with_borrow_mut(|engine| self.plugin.configure(engine, &mut proxy, &bytes));
        Proxy::count();
        accepted
    }

    fn on_tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(TICKS) {
            ENGINE.with_borrow(|engine| engine.heartbeat(&Proxy::default()));
        }
        Proxy::count();
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(StreamContext { exchange: self.plugin.exchange(), proxy: Proxy::default() }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// The proxy has no more use for this instance. The SDK drops what is deleted; its `on_done` would be a call more in every
/// request.
impl Drop for PluginContext {
    fn drop(&mut self) {
        ENGINE.with_borrow_mut(|engine| self.plugin.retire(engine, &Proxy::default()));
        Proxy::count();
    }
}

// === impl StreamContext ===

impl Context for StreamContext {}

impl HttpContext for StreamContext {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        match self.exchange.on_request(&mut self.proxy) {
            Flow::Continue => Action::Continue,
            Flow::Answered => Action::Pause,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.exchange.on_response(&mut self.proxy);
        self.proxy.restore_answer();
        Action::Continue
    }
}
