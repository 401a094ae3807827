//! CORS requests that are not preflights.

use std::cell::LazyCell;

use crate::decide::{check_origin, same_origin};
use crate::decision::{Action, Diagnosis, Headers, LocalReply, Outcome, Refusal};
use crate::draft::DisallowedRequests;
use crate::header_name::{CACHE_CONTROL, VARY};
use crate::origin::OriginHeader;
use crate::request::{Request, RequestField};
use crate::request_view::RequestView;
use crate::syntax::list_elements;
use crate::table::Selection;

pub(super) fn evaluate<R: Request>(
    selection: &Selection<'_>,
    origin: &[u8],
    view: &RequestView<'_, R>,
) -> Outcome {
    let origin = LazyCell::new(|| OriginHeader::parse(origin));
    let rejects = selection.disallowed_requests == DisallowedRequests::Reject;
    let refusal = match check_origin(selection, || *origin) {
        Err(refusal) => refusal,
        Ok(()) if rejects && is_credentialed_handshake_under_any(selection, view) => {
            Refusal::Origin
        }
        Ok(()) => return Outcome::Allowed,
    };
    if same_origin::is_same_origin(view, &origin) {
        return Outcome::SameOrigin;
    }
    match rejects {
        true if is_trusted(selection, &origin) => Outcome::Trusted,
        true => Outcome::Rejected(refusal),
        false => Outcome::Refused(refusal),
    }
}

/// The answer to a rejected request.
pub(super) fn reject<'c>(diagnosis: Option<Diagnosis>) -> Action<'c> {
    let mut headers = Headers::default();
    headers.push(VARY, &b"Origin"[..]);
    headers.push(CACHE_CONTROL, &b"no-store"[..]);
    Diagnosis::push(diagnosis, &mut headers);
    Action::LocalReply(LocalReply { status: 403, headers })
}

fn is_trusted(selection: &Selection<'_>, origin: &OriginHeader<'_>) -> bool {
    match origin {
        _ if selection.ambiguous => false,
        OriginHeader::Tuple(origin) => selection.rule_set.trusted.accepts(origin),
        OriginHeader::Null => selection.rule_set.trusted.accepts_null(),
        OriginHeader::Malformed => false,
    }
}

/// Browsers do not apply CORS to WebSocket handshakes, yet send cookies with them: a static `*`, which promises
/// that no credentials are used, does not cover a handshake that carries some.
fn is_credentialed_handshake_under_any<R: Request>(
    selection: &Selection<'_>,
    view: &RequestView<'_, R>,
) -> bool {
    let has = |field| view.field(field).is_some();
    !selection.rule_set.is_dynamic()
        && view.field(RequestField::Upgrade).is_some_and(|upgrade| {
            list_elements(&upgrade).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
        })
        && (has(RequestField::Cookie) || has(RequestField::Authorization))
}
