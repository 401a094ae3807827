//! Misspelled names of headers.

use crate::slip::slips;

/// Well-known headers of at least six letters, of requests and of responses.
const KNOWN: [&str; 36] = [
    "accept-language",
    "accept-ranges",
    "api-version",
    "authorization",
    "baggage",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-type",
    "expires",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-event-id",
    "last-modified",
    "location",
    "mcp-protocol-version",
    "mcp-session-id",
    "proxy-authenticate",
    "range-unit",
    "retry-after",
    "sentry-trace",
    "server-timing",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "user-agent",
    "www-authenticate",
];

/// Registered or usual names that are as near to a well-known one as a slip.
const NEIGHBORS: [&str; 4] = ["allocation", "content-base", "content-id", "if"];

/// Returns whether `name`, in lower case, is a well-known header.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// The well-known header that `name`, in lower case, is but for a slip. Names of applications (`x-…`) are not judged.
pub(super) fn header(name: &str) -> Option<&'static str> {
    if is_known(name) || NEIGHBORS.contains(&name) || name.starts_with("x-") {
        return None;
    }
    let plain = |name: &str| name.replace(['-', '_'], "");
    let joined = plain(name);
    let same = KNOWN.into_iter().find(|known| plain(known) == joined);
    let spelled = name.replace('_', "-");
    same.or_else(|| {
        let of_length = |known: &&str| known.len().abs_diff(spelled.len()) <= allowed_slips(known);
        let mut known = KNOWN.into_iter().filter(of_length);
        known.find(|known| slips(&spelled, known) <= allowed_slips(known))
    })
}

/// In a short name two slips make another word.
fn allowed_slips(known: &str) -> usize {
    if known.len() < 12 { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_well_known_name_is_found() {
        for (name, meant) in [
            ("autorization", "authorization"),
            ("authorisation", "authorization"),
            ("authroization", "authorization"),
            ("contenttype", "content-type"),
            ("content_type", "content-type"),
            ("content-typ", "content-type"),
            ("content-disposion", "content-disposition"),
            ("contentdisposition", "content-disposition"),
            ("etag-if-match", ""),
            ("trace-parent", "traceparent"),
            ("if-arnge", "if-range"),
        ] {
            assert_eq!(header(name).unwrap_or_default(), meant, "{name}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "authorization",
            "authentication",
            "x-autorization",
            "x_token",
            "api-key",
            "apikey",
            "access-token",
            "content-md5",
            "content-id",
            "if-schedule-tag-match",
            "authentication-info",
            "tenant",
            "user-id",
            "accept-patch",
            "accept-post",
            "page-size",
            "session-id",
            "etag",
            "link",
        ] {
            assert_eq!(header(name), None, "{name}");
        }
    }
}
