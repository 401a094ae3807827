//! `RequestView`: one request during its decision. Each field is fetched at most once, and only when it is needed.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::compiled::table::{Selection, Table};
use crate::limits::MAX_HOST_LEN;
use crate::origin_set::to_lower;
use crate::path::PathInterpretations;
use crate::request::{Request, RequestField};
use crate::scope::split_authority;
use crate::verdict::RequestKind;

/// A field's value, empty until it is fetched.
type Fetched<'r> = OnceCell<Option<Cow<'r, [u8]>>>;

/// A request and the fields fetched so far.
pub(crate) struct RequestView<'r, R> {
    request: &'r R,
    origin: Fetched<'r>,
    requested_method: Fetched<'r>,
    requested_headers: Fetched<'r>,
    authority: Fetched<'r>,
    path: Fetched<'r>,
    is_options: OnceCell<bool>,
}

/// A CORS request as the Fetch standard classifies it ("HTTP requests"): one with an `Origin` header.
pub(crate) enum CorsRequest<'i> {
    /// `OPTIONS` with a non-empty `Access-Control-Request-Method`.
    Preflight { origin: &'i [u8], method: &'i [u8] },
    /// Any other.
    Actual { origin: &'i [u8] },
}

// === impl CorsRequest ===

impl CorsRequest<'_> {
    pub(crate) const fn kind(&self) -> RequestKind {
        match self {
            Self::Preflight { .. } => RequestKind::Preflight,
            Self::Actual { .. } => RequestKind::Actual,
        }
    }
}

// === impl RequestView ===

impl<'r, R: Request> RequestView<'r, R> {
    pub(crate) fn new(request: &'r R) -> Self {
        Self {
            request,
            origin: OnceCell::new(),
            requested_method: OnceCell::new(),
            requested_headers: OnceCell::new(),
            authority: OnceCell::new(),
            path: OnceCell::new(),
            is_options: OnceCell::new(),
        }
    }

    /// Fetches a field that no request needs twice.
    pub(crate) fn field(&self, field: RequestField) -> Option<Cow<'r, [u8]>> {
        self.request.field(field)
    }

    fn origin(&self) -> Option<&[u8]> {
        self.once(&self.origin, RequestField::Origin)
    }

    pub(crate) fn authority(&self) -> Option<&[u8]> {
        self.once(&self.authority, RequestField::Authority)
    }

    pub(crate) fn requested_headers(&self) -> Option<&[u8]> {
        self.once(&self.requested_headers, RequestField::AccessControlRequestHeaders)
    }

    /// Classifies the request; `None` if it is no CORS request. The requested method is fetched before the method: most
    /// requests lack it, and a missing header costs a proxy less than a present one.
    pub(crate) fn classify(&self) -> Option<CorsRequest<'_>> {
        let origin = self.origin()?;
        let method = self.once(&self.requested_method, RequestField::AccessControlRequestMethod);
        match method.filter(|method| !method.is_empty()) {
            Some(method) if self.is_options() => Some(CorsRequest::Preflight { origin, method }),
            _ => Some(CorsRequest::Actual { origin }),
        }
    }

    /// Selects the rule set of `table` for this request.
    pub(crate) fn select<'t>(&self, table: &'t Table) -> Option<Selection<'t>> {
        let group = if table.needs_host() {
            table.group(self.host(&mut [0; MAX_HOST_LEN]))?
        } else {
            table.group(&[])?
        };
        if !group.needs_path() {
            return group.everything();
        }
        let path = self.once(&self.path, RequestField::Path).unwrap_or_default();
        group.select(&PathInterpretations::of(path))
    }

    /// Returns the authority's host in lower case, without port and trailing dot; empty if it is too long for a host.
    fn host<'b>(&self, lower: &'b mut [u8; MAX_HOST_LEN]) -> &'b [u8] {
        let (host, _) = split_authority(self.authority().unwrap_or_default());
        let host = host.strip_suffix(b".").unwrap_or(host);
        if host.len() > MAX_HOST_LEN { &[] } else { to_lower(host, lower) }
    }

    fn is_options(&self) -> bool {
        let is_options = || self.request.field(RequestField::Method).as_deref() == Some(b"OPTIONS");
        *self.is_options.get_or_init(is_options)
    }

    fn once<'i>(&'i self, cell: &'i Fetched<'r>, field: RequestField) -> Option<&'i [u8]> {
        cell.get_or_init(|| self.request.field(field)).as_deref()
    }
}
