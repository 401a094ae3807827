//! Request and response: the fields that a decision may fetch, one at a time.

use std::borrow::Cow;

/// A field of a request that a decision may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestField {
    /// `:method`.
    Method,
    /// `:scheme`.
    Scheme,
    /// `:authority`.
    Authority,
    /// `:path`, query included.
    Path,
    /// `origin`.
    Origin,
    /// `access-control-request-method`.
    AccessControlRequestMethod,
    /// `access-control-request-headers`.
    AccessControlRequestHeaders,
    /// `sec-fetch-site`.
    SecFetchSite,
    /// `x-forwarded-proto`.
    XForwardedProto,
    /// `upgrade`.
    Upgrade,
    /// `cookie`.
    Cookie,
    /// `authorization`.
    Authorization,
}

/// A request as the decision sees it. Each call may cost a host call, so `decide` fetches as few fields as possible.
pub trait Request {
    /// Returns the field's combined value (RFC 9110 section 5.3), or `None` if the request lacks it.
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>>;

    /// Returns the destination port of the request, if it is known. Only a policy narrowed to a port needs it.
    fn destination_port(&self) -> Option<u16>;
}

/// A response as the decision sees it, before it leaves the proxy.
pub trait Response {
    /// Returns the combined value of the response header `name` (lower case), or `None`.
    fn header(&self, name: &'static str) -> Option<Cow<'_, [u8]>>;
}

// === impl RequestField ===

impl RequestField {
    /// Returns the field's name in HTTP/2 and Envoy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Method => ":method",
            Self::Scheme => ":scheme",
            Self::Authority => ":authority",
            Self::Path => ":path",
            Self::Origin => "origin",
            Self::AccessControlRequestMethod => "access-control-request-method",
            Self::AccessControlRequestHeaders => "access-control-request-headers",
            Self::SecFetchSite => "sec-fetch-site",
            Self::XForwardedProto => "x-forwarded-proto",
            Self::Upgrade => "upgrade",
            Self::Cookie => "cookie",
            Self::Authorization => "authorization",
        }
    }
}
