//! A filter that makes the host calls that its configuration lists and thinks nothing: no filter that makes them can
//! cost less.
//!
//! One call in a line, `request` or `response` first: `request get origin`, `request count decisions`,
//! `request property sec-fetch-site`, `request state corsward verdict=refused`, `request now`, `response remove access-control-max-age`,
//! `response set vary Origin`, and at last `request reply 204` with the headers of the reply in lines `reply vary Origin`.
#![cfg(target_arch = "wasm32")]

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, MapType, MetricType};

/// One host call.
enum Call {
    Get(String),
    Property(String),
    Set(String, String),
    Remove(String),
    Count(u32),
    State(String, String),
    Now,
    Reply(u32),
}

#[derive(Default)]
struct Script {
    request: Vec<Call>,
    response: Vec<Call>,
    reply: Vec<(String, String)>,
}

#[derive(Default)]
struct Root(Rc<Script>);

struct Http {
    script: Rc<Script>,
    replied: bool,
}

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

// === impl Script ===

impl Script {
    fn read(text: &str) -> Option<Self> {
        let mut script = Self::default();
        for line in text.lines() {
            let (direction, call) = line.split_once(' ')?;
            match direction {
                "request" => script.request.push(Call::read(call)?),
                "response" => script.response.push(Call::read(call)?),
                "reply" => script.reply.push(pair(call)),
                _ => return None,
            }
        }
        Some(script)
    }
}

// === impl Call ===

impl Call {
    fn read(line: &str) -> Option<Self> {
        let (call, about) = line.split_once(' ').unwrap_or((line, ""));
        let (name, value) = pair(about);
        Some(match call {
            "get" => Self::Get(name),
            "property" => Self::Property(name),
            "set" => Self::Set(name, value),
            "remove" => Self::Remove(name),
            "count" => Self::Count(
                hostcalls::define_metric(MetricType::Counter, &format!("floor.{name}")).ok()?,
            ),
            "state" => Self::State(name, value),
            "now" => Self::Now,
            "reply" => Self::Reply(name.parse().ok()?),
            _ => return None,
        })
    }
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once(' ').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let bytes = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size);
        let bytes = bytes.ok().flatten().unwrap_or_default();
        match std::str::from_utf8(&bytes).ok().and_then(Script::read) {
            Some(script) => self.0 = Rc::new(script),
            None => return false,
        }
        true
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http { script: Rc::clone(&self.0), replied: false }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

// === impl Http ===

impl Http {
    fn make(&mut self, calls: &[Call], map: MapType) -> Action {
        for call in calls {
            let _ = match call {
                Call::Get(name) => hostcalls::get_map_value_bytes(map, name).map(drop),
                Call::Property(name) => {
                    hostcalls::get_property(vec!["request", "headers", name]).map(drop)
                }
                Call::Set(name, value) => {
                    hostcalls::set_map_value_bytes(map, name, Some(value.as_bytes()))
                }
                Call::Remove(name) => hostcalls::remove_map_value(map, name),
                Call::Count(metric) => hostcalls::increment_metric(*metric, 1),
                Call::State(key, value) => {
                    hostcalls::set_property(vec![key], Some(value.as_bytes()))
                }
                Call::Now => hostcalls::get_current_time().map(drop),
                Call::Reply(status) => {
                    self.replied = true;
                    let reply = self.script.reply.iter();
                    let headers =
                        reply.map(|(name, value)| (name.as_str(), value.as_str())).collect();
                    hostcalls::send_http_response(*status, headers, None)
                }
            };
        }
        if self.replied { Action::Pause } else { Action::Continue }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let script = Rc::clone(&self.script);
        self.make(&script.request, MapType::HttpRequestHeaders)
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if !self.replied {
            let script = Rc::clone(&self.script);
            self.make(&script.response, MapType::HttpResponseHeaders);
        }
        Action::Continue
    }
}
