//! Proxy: the answers of a proxy with policies, by the core that decides in the real one.

use std::borrow::Cow;

use corsward_policy::response_headers::Headers;
use corsward_policy::{Action, Compiled, Outcome, Policy, Request, RequestField, compile, decide};

use crate::exchange::{Answer, Exchange, Response, System};

/// A proxy with policies.
#[derive(Debug)]
pub(crate) struct Proxy {
    compiled: Compiled,
}

// === impl Proxy ===

impl Proxy {
    pub(crate) fn new(policies: &[&Policy]) -> Self {
        Self { compiled: compile(policies) }
    }

    /// The outcome of a CORS request.
    pub(crate) fn outcome(&self, exchange: &Exchange) -> Option<Outcome> {
        decide(&self.compiled, exchange).verdict.map(|verdict| verdict.outcome)
    }
}

impl System for Proxy {
    fn answer(&self, exchange: &Exchange) -> Answer {
        match decide(&self.compiled, exchange).action {
            Action::Passthrough => exchange.forwarded(),
            Action::LocalReply(reply) => {
                let mut response = Response::empty(reply.status);
                set(&mut response, &reply.headers);
                Answer { response, reached: false }
            }
            Action::Continue { remove: _, plan } => {
                let mut answer = exchange.forwarded();
                let edits = plan.edits(&exchange.application);
                edits.remove().for_each(|name| answer.response.remove(name));
                set(&mut answer.response, &edits.set);
                answer
            }
        }
    }
}

fn set(response: &mut Response, headers: &Headers<'_>) {
    headers.iter().for_each(|(name, value)| response.set(name, value));
}

impl Request for Exchange {
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>> {
        let text = match field {
            RequestField::Method => &self.method,
            RequestField::Authority => &self.authority,
            RequestField::Path => &self.path,
            RequestField::Scheme | RequestField::XForwardedProto => "http",
            _ => self.header(field.name())?,
        };
        Some(Cow::Borrowed(text.as_bytes()))
    }

    fn destination_port(&self) -> Option<u16> {
        None
    }
}

impl corsward_policy::Response for Response {
    fn header(&self, name: &'static str) -> Option<Cow<'_, [u8]>> {
        match name {
            ":status" => Some(Cow::Owned(self.status.to_string().into_bytes())),
            _ => Self::header(self, name).map(Cow::Owned),
        }
    }
}
