//! A decision, applied to the proxy: nothing is written that a decision does not hold.

use corsward_policy::RequestField;
use corsward_policy::decision::LocalReply;
use corsward_policy::response_plan::Edits;

use crate::host::Host;

/// Answers the request.
pub(crate) fn reply(host: &impl Host, reply: &LocalReply<'_>) {
    let LocalReply { status, headers } = reply;
    host.local_reply(*status, headers);
}

/// Edits the request before it is forwarded.
pub(crate) fn request(host: &impl Host, remove: Option<RequestField>) {
    if let Some(field) = remove {
        host.remove_request_header(field.name());
    }
}

/// Edits the response.
pub(crate) fn edits(host: &impl Host, edits: &Edits<'_>) {
    for name in edits.remove() {
        host.remove_response_header(name);
    }
    for (name, value) in edits.set.iter() {
        host.set_response_header(name, value);
    }
}
