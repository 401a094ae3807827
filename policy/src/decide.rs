//! The decision, in the order of the Fetch standard's steps. No header is written here: a decision is a value.

mod actual;
mod edits;
mod preflight;
mod same_origin;

use crate::compiled::{Compiled, CompiledCors, RuleSet, Tables};
use crate::decision::{
    Action, Decision, Diagnosis, Outcome, Refusal, RequestKind, ResponsePlan, Sharing, Verdict,
};
use crate::origin::OriginHeader;
use crate::request::{Request, RequestField};
use crate::request_view::{CorsRequest, RequestView};
use crate::shadow::{Requested, Shadow};
use crate::table::Selection;

/// Decides what to do with `request`.
#[must_use]
pub fn decide<'c>(compiled: &'c Compiled, request: &impl Request) -> Decision<'c> {
    let view = RequestView::new(request);
    let Tables { active, shadow } = compiled.tables(|| request.destination_port());
    let active = view.select(active);
    let shadow = view.select(shadow);
    let shadow = shadow.and_then(|selection| evaluate_shadow(&selection, &view));
    let Some(selection) = active else {
        return Decision { action: Action::Passthrough, verdict: None, shadow };
    };
    let Some(cors_request) = view.cors_request() else {
        let diagnosis = Diagnosis::of(selection.rule_set, None);
        return Decision { action: forward(&selection, diagnosis), verdict: None, shadow };
    };
    let verdict = evaluate(&selection, &cors_request, &view);
    let action = act(&selection, &cors_request, &view, &verdict);
    Decision { action, verdict: Some(verdict), shadow }
}

/// Evaluates a CORS request by the selected rule set.
fn evaluate<R: Request>(
    selection: &Selection<'_>,
    cors_request: &CorsRequest<'_>,
    view: &RequestView<'_, R>,
) -> Verdict {
    let (kind, outcome) = match cors_request {
        CorsRequest::Preflight { origin, method } => {
            (RequestKind::Preflight, preflight::evaluate(selection, origin, method, view))
        }
        CorsRequest::Actual { origin } => {
            (RequestKind::Actual, actual::evaluate(selection, origin, view))
        }
    };
    Verdict { rule_set: selection.rule_set.clone(), kind, outcome }
}

/// Returns the action that follows from the verdict about a CORS request.
fn act<'c, R: Request>(
    selection: &Selection<'c>,
    cors_request: &CorsRequest<'_>,
    view: &RequestView<'_, R>,
    verdict: &Verdict,
) -> Action<'c> {
    let outcome = verdict.outcome;
    let diagnosis = Diagnosis::of(selection.rule_set, Some(verdict));
    match (cors_request, outcome) {
        (CorsRequest::Preflight { origin, method }, _) => {
            preflight::act(selection, origin, method, view, outcome, diagnosis)
        }
        (CorsRequest::Actual { .. }, Outcome::Rejected(_)) => actual::reject(diagnosis),
        (CorsRequest::Actual { origin }, Outcome::Allowed) => {
            let sharing = if is_dynamic(selection) {
                Sharing::Origin((*origin).into())
            } else {
                Sharing::Anyone
            };
            let remove = selection.rule_set.removes_origin.then_some(RequestField::Origin);
            Action::Continue { remove, plan: plan(selection, sharing, diagnosis) }
        }
        (
            CorsRequest::Actual { .. },
            Outcome::SameOrigin | Outcome::Trusted | Outcome::Refused(_),
        ) => forward(selection, diagnosis),
    }
}

/// Forwards a request that is no CORS request, or is refused. A static `*` applies to it all the same. Fetch, "CORS
/// protocol and HTTP caches": a cache may serve the response to a request without an `Origin` to one with it.
fn forward<'c>(selection: &Selection<'_>, diagnosis: Option<Diagnosis>) -> Action<'c> {
    let sharing = if is_dynamic(selection) { Sharing::Nobody } else { Sharing::Anyone };
    Action::Continue { remove: None, plan: plan(selection, sharing, diagnosis) }
}

fn plan(selection: &Selection<'_>, sharing: Sharing, diagnosis: Option<Diagnosis>) -> ResponsePlan {
    ResponsePlan {
        rule_set: selection.rule_set.clone(),
        sharing,
        // Fetch, "CORS protocol and HTTP caches": a response that depends on the origin says so even to a request
        // without one; else a shared cache may serve it to another origin.
        vary_origin: is_dynamic(selection),
        diagnosis,
    }
}

/// Does the response depend on the request? Where the path is ambiguous nobody is allowed, not even under `*`.
fn is_dynamic(selection: &Selection<'_>) -> bool {
    selection.ambiguous || selection.rule_set.is_dynamic()
}

/// The first check of any CORS request: is its origin allowed? It is parsed only where that matters.
fn check_origin<'o>(
    selection: &Selection<'_>,
    origin: impl FnOnce() -> OriginHeader<'o>,
) -> Result<(), Refusal> {
    if selection.ambiguous {
        return Err(Refusal::AmbiguousPath);
    }
    let rule_set: &RuleSet = selection.rule_set;
    if !rule_set.is_dynamic() {
        return Ok(());
    }
    let CompiledCors { origins, .. } = &*rule_set.cors;
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
    view: &RequestView<'_, R>,
) -> Option<Shadow> {
    let cors_request = view.cors_request()?;
    let verdict = evaluate(selection, &cors_request, view);
    let (origin, requested) = match cors_request {
        CorsRequest::Preflight { origin, method } => {
            let headers = view.requested_headers().unwrap_or_default().into();
            (origin, Some(Requested { method: method.into(), headers }))
        }
        CorsRequest::Actual { origin } => (origin, None),
    };
    Some(Shadow { verdict, origin: origin.into(), requested })
}
