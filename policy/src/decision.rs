//! Decision: the action of the proxy on a request and its response, and the verdict behind it. Only `decide` makes one.

use crate::request::RequestField;
use crate::response_headers::Headers;
use crate::response_plan::ResponsePlan;
use crate::shadow::Shadow;
use crate::verdict::Verdict;

/// The decision about one request.
#[derive(Debug)]
pub struct Decision<'c> {
    /// The action of the proxy.
    pub action: Action<'c>,
    /// The verdict; `None` if no active policy covers the request or it has no `Origin`.
    pub verdict: Option<Verdict<'c>>,
    /// The verdict of a `DryRun` policy beside the one in force.
    pub shadow: Option<Shadow>,
}

/// The action of the proxy on a request.
#[derive(Debug)]
#[cfg_attr(
    target_pointer_width = "64",
    expect(
        clippy::large_enum_variant,
        reason = "a refusal allocates nothing, so its headers lie on the stack"
    )
)]
pub enum Action<'c> {
    /// Nothing, now or on the response.
    Passthrough,
    /// Answer the request without the upstream.
    LocalReply(LocalReply<'c>),
    /// Forward it, then edit the response.
    Continue {
        /// A header to remove from the request first.
        remove: Option<RequestField>,
        /// The plan for the response, a local reply of a later filter included.
        plan: ResponsePlan,
    },
}

/// An answer the proxy gives by itself, with an empty body.
#[derive(Debug)]
pub struct LocalReply<'c> {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: Headers<'c>,
}
