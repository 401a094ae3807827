//! Does a request come from the site itself? Asked only where its origin is not allowed.

use crate::origin::{Origin, OriginHeader, default_port, parse_port};
use crate::request::{Request, RequestField};
use crate::request_view::RequestView;
use crate::scope::split_authority;
use crate::syntax::trim_ows;

pub(super) fn is_same_origin<R: Request>(
    view: &RequestView<'_, R>,
    origin: &OriginHeader<'_>,
) -> bool {
    // Fetch Metadata, "`Sec-Fetch-Site`": scripts cannot forge it. WebSocket handshakes and plain http lack it.
    let site = view.field(RequestField::SecFetchSite);
    match site.as_deref().map(trim_ows) {
        Some(b"same-origin" | b"none") => return true,
        Some(b"same-site" | b"cross-site") => return false,
        _ => {}
    }
    let OriginHeader::Tuple(origin) = origin else {
        return false;
    };
    let authority = view.authority().unwrap_or_default();
    is_authority_of(origin, authority) && is_scheme_of(origin, view)
}

/// Is `authority` where `origin`'s own pages are served?
fn is_authority_of(origin: &Origin<'_>, authority: &[u8]) -> bool {
    let (host, port) = split_authority(authority);
    let same_host = host.eq_ignore_ascii_case(origin.host().as_bytes());
    let port = match port.map(std::str::from_utf8) {
        None => default_port(origin.scheme()),
        Some(digits) => digits.ok().and_then(parse_port),
    };
    same_host && port.is_some() && port == origin.effective_port()
}

/// An https origin also passes where the proxy sees http, because TLS may have ended before it; never the reverse.
fn is_scheme_of<R: Request>(origin: &Origin<'_>, view: &RequestView<'_, R>) -> bool {
    let forwarded = view.field(RequestField::XForwardedProto);
    let scheme = forwarded.or_else(|| view.field(RequestField::Scheme));
    let scheme = scheme.as_deref().map(trim_ows).unwrap_or_default();
    scheme.eq_ignore_ascii_case(origin.scheme().as_bytes())
        || (origin.scheme() == "https" && scheme.eq_ignore_ascii_case(b"http"))
}
