//! The decision, in the order of the Fetch standard's steps. No header is written here: a decision is a value.

mod actual;
mod edits;
mod inquiry;
mod preflight;
mod same_origin;

use crate::compiled::{Block, Compiled, CompiledCors, Tables};
use crate::decide::inquiry::{CorsRequest, Inquiry};
use crate::decision::{
    Action, Decision, Diagnosis, Outcome, Refusal, RequestKind, ResponsePlan, Sharing, Verdict,
};
use crate::origin::OriginHeader;
use crate::request::{Request, RequestField};
use crate::shadow::{Requested, Shadow};
use crate::table::Selection;

/// Decides what to do with `request`.
#[must_use]
pub fn decide<'c>(compiled: &'c Compiled, request: &impl Request) -> Decision<'c> {
    let inquiry = Inquiry::new(request);
    let Tables { active, shadow } = compiled.tables(|| request.destination_port());
    let active = inquiry.select(active);
    let shadow = inquiry.select(shadow);
    let shadow = shadow.and_then(|selection| evaluate_shadow(&selection, &inquiry));
    let Some(selection) = active else {
        return Decision { action: Action::Passthrough, verdict: None, shadow };
    };
    let verdict = judge(&selection, &inquiry);
    let action = act(&selection, &inquiry, verdict.as_ref());
    Decision { action, verdict, shadow }
}

/// What the selected block says about a CORS request; `None` about any other.
fn judge<R: Request>(selection: &Selection<'_>, inquiry: &Inquiry<'_, R>) -> Option<Verdict> {
    let (kind, outcome) = match inquiry.cors_request() {
        CorsRequest::NotCors => return None,
        CorsRequest::Preflight { .. } => {
            (RequestKind::Preflight, preflight::judge(selection, inquiry))
        }
        CorsRequest::Actual => (RequestKind::Actual, actual::judge(selection, inquiry)),
    };
    Some(Verdict { block: selection.block.clone(), kind, outcome })
}

/// What follows from a verdict.
fn act<'c, R: Request>(
    selection: &Selection<'c>,
    inquiry: &Inquiry<'_, R>,
    verdict: Option<&Verdict>,
) -> Action<'c> {
    let diagnosis = Diagnosis::of(selection.block, verdict);
    match verdict {
        Some(Verdict { kind: RequestKind::Preflight, outcome, .. }) => {
            preflight::act(selection, inquiry, *outcome, diagnosis)
        }
        Some(Verdict { outcome: Outcome::Rejected(_), .. }) => actual::reject(diagnosis),
        Some(Verdict { outcome: Outcome::Allowed, .. }) => {
            let sharing = if is_dynamic(selection) {
                Sharing::Origin(inquiry.origin().unwrap_or_default().into())
            } else {
                Sharing::Anyone
            };
            let remove = selection.block.removes_origin.then_some(RequestField::Origin);
            Action::Continue { remove, plan: plan(selection, sharing, diagnosis) }
        }
        Some(_) | None => {
            // A static `*` says the same to everyone. Fetch, "CORS protocol and HTTP caches": so it does to a request
            // without an `Origin`, whose response may be kept for one with it.
            let sharing = if is_dynamic(selection) { Sharing::Nobody } else { Sharing::Anyone };
            Action::Continue { remove: None, plan: plan(selection, sharing, diagnosis) }
        }
    }
}

fn plan(selection: &Selection<'_>, sharing: Sharing, diagnosis: Option<Diagnosis>) -> ResponsePlan {
    ResponsePlan {
        block: selection.block.clone(),
        sharing,
        // Fetch, "CORS protocol and HTTP caches": a response that depends on the origin says so even to a request
        // without one; else a shared cache may serve it to another origin.
        vary_origin: is_dynamic(selection),
        diagnosis,
    }
}

/// Does the response depend on the request? Where the path is ambiguous nobody is allowed, not even under `*`.
fn is_dynamic(selection: &Selection<'_>) -> bool {
    selection.ambiguous || selection.block.is_dynamic()
}

/// The first check of any CORS request: is its origin allowed? It is parsed only where that matters.
fn check_origin<'o>(
    selection: &Selection<'_>,
    origin: impl FnOnce() -> OriginHeader<'o>,
) -> Result<(), Refusal> {
    if selection.ambiguous {
        return Err(Refusal::AmbiguousPath);
    }
    let block: &Block = selection.block;
    if !block.is_dynamic() {
        return Ok(());
    }
    let CompiledCors { origins, .. } = &*block.cors;
    match origin() {
        OriginHeader::Malformed => Err(Refusal::MalformedOrigin),
        OriginHeader::Null if origins.accepts_null() => Ok(()),
        OriginHeader::Null => Err(Refusal::NullOrigin),
        OriginHeader::Tuple(origin) if origins.accepts(&origin) => Ok(()),
        OriginHeader::Tuple(_) => Err(Refusal::Origin),
    }
}

/// Evaluates a `DryRun` policy, and keeps the fields that the comparison with the upstream's answer needs.
fn evaluate_shadow<R: Request>(
    selection: &Selection<'_>,
    inquiry: &Inquiry<'_, R>,
) -> Option<Shadow> {
    let verdict = judge(selection, inquiry)?;
    let requested = match inquiry.cors_request() {
        CorsRequest::Preflight { method, .. } => {
            let headers = inquiry.requested_headers().unwrap_or_default().into();
            Some(Requested { method: method.into(), headers })
        }
        _ => None,
    };
    Some(Shadow { verdict, origin: inquiry.origin()?.into(), requested })
}
