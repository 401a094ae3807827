//! Model: a proxy of a hundred lines around `decide`, so that the corpus runs in milliseconds.

use std::borrow::Cow;

use corsward_policy::decision::LocalReply;
use corsward_policy::response_headers::Headers;
use corsward_policy::scope::split_authority;
use corsward_policy::verdict::Verdict;
use corsward_policy::{
    Action, Compiled, Request, RequestField, Response, Shadow, ShadowComparison,
};
use corsward_test_harness::answer::{Answer, Explanation};
use corsward_test_harness::case::{self, Case};

/// Answers a case as a proxy with this configuration would.
pub fn answer(compiled: &Compiled, case: &Case) -> Answer {
    let decision = corsward_policy::decide(compiled, &Asked(&case.request));
    let mut answer = match &decision.action {
        Action::Passthrough => forwarded(case),
        Action::LocalReply(reply) => local(reply),
        Action::Continue { remove: removed, plan } => {
            let mut answer = forwarded(case);
            if let (Some(field), Some(received)) = (removed, &mut answer.received) {
                remove(received, field.name());
            }
            let upstream = &case.upstream;
            let edits = plan.edits(&Given { status: upstream.status, headers: &upstream.headers });
            for name in edits.remove() {
                remove(&mut answer.headers, name);
            }
            set(&mut answer.headers, &edits.set);
            answer
        }
    };
    let verdict = decision.verdict.as_ref();
    answer.explanation = Some(Explanation {
        verdict: verdict.map(spoken).unwrap_or_default(),
        decided_by: verdict.map(|verdict| verdict.policy().to_string()).unwrap_or_default(),
        shadow: decision
            .shadow
            .as_ref()
            .map(|shadow| compared(shadow, &case.upstream))
            .unwrap_or_default(),
    });
    answer
}

/// A case's request, as the decision asks for it.
struct Asked<'a>(&'a case::Request);

/// A response, as the decision asks for it.
struct Given<'a> {
    status: u16,
    headers: &'a [(String, Vec<u8>)],
}

// === impl Asked ===

impl Request for Asked<'_> {
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>> {
        let Self(request) = self;
        match field {
            RequestField::Method => Some(Cow::Borrowed(request.method.as_bytes())),
            RequestField::Authority => Some(Cow::Borrowed(request.authority.as_bytes())),
            RequestField::Path => Some(Cow::Borrowed(&request.path)),
            // Envoy adds what the client did not send: cases come without TLS.
            RequestField::Scheme => Some(Cow::Borrowed(b"http")),
            RequestField::XForwardedProto => {
                Some(request.get(field.name()).map_or(Cow::Borrowed(b"http"), Cow::Owned))
            }
            _ => request.get(field.name()).map(Cow::Owned),
        }
    }

    /// As behind an authority with a port: cases come to a proxy that takes no traffic for other ports.
    fn destination_port(&self) -> Option<u16> {
        let (_, port) = split_authority(self.0.authority.as_bytes());
        port.and_then(|port| std::str::from_utf8(port).ok()?.parse().ok())
    }
}

// === impl Given ===

impl Response for Given<'_> {
    fn header(&self, name: &'static str) -> Option<Cow<'_, [u8]>> {
        if name == ":status" {
            return Some(Cow::Owned(self.status.to_string().into_bytes()));
        }
        let is_named = |(present, _): &&(String, Vec<u8>)| present.eq_ignore_ascii_case(name);
        let values: Vec<&[u8]> =
            self.headers.iter().filter(is_named).map(|(_, value)| value.as_slice()).collect();
        // As Envoy joins them.
        (!values.is_empty()).then(|| Cow::Owned(values.join(&b',')))
    }
}

fn forwarded(case: &Case) -> Answer {
    Answer {
        status: case.upstream.status,
        headers: case.upstream.headers.clone(),
        upstream_reached: true,
        received: Some(case.request.headers.clone()),
        ..Answer::default()
    }
}

fn local(reply: &LocalReply<'_>) -> Answer {
    let mut answer = Answer { status: reply.status, ..Answer::default() };
    set(&mut answer.headers, &reply.headers);
    answer
}

fn remove(headers: &mut Vec<(String, Vec<u8>)>, name: &str) {
    headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
}

fn set(headers: &mut Vec<(String, Vec<u8>)>, edits: &Headers<'_>) {
    for (name, value) in edits.iter() {
        remove(headers, name);
        headers.push((name.to_owned(), value.to_vec()));
    }
}

/// `preflight refused header`.
fn spoken(verdict: &Verdict) -> String {
    let reason = verdict.outcome.refusal().map(|refusal| format!(" {}", refusal.label()));
    format!("{} {}{}", verdict.kind.label(), verdict.outcome.label(), reason.unwrap_or_default())
}

/// `preflight refused header, ours only`.
fn compared(shadow: &Shadow, upstream: &case::Upstream) -> String {
    let given = Given { status: upstream.status, headers: &upstream.headers };
    let comparison = match shadow.compare(&given) {
        ShadowComparison::Agree => "agree",
        ShadowComparison::OursOnly => "ours only",
        ShadowComparison::UpstreamOnly => "upstream only",
    };
    format!("{}, {comparison}", spoken(&shadow.verdict()))
}
