//! Upstream: what the back end of [`Workload::echo`](corsward_test_harness::workload::Workload::echo) is asked to answer.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use corsward_test_harness::answer::Answer;
use serde_json::json;

/// The request header that says it.
pub(crate) const ANSWER: &str = "x-answer";

/// Header of every answer of it, and of no answer of a proxy.
const REACHED: &str = "x-upstream";

/// The value of [`ANSWER`] that asks for this status and these header lines.
pub(crate) fn answering<N: AsRef<str>, V: AsRef<[u8]>>(status: u16, lines: &[(N, V)]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value)| json!([name.as_ref(), BASE64_STANDARD.encode(value)]))
        .collect();
    BASE64_STANDARD.encode(json!({ "status": status, "headers": lines }).to_string())
}

/// Did the back end give this answer?
pub(crate) fn was_reached(answer: &Answer) -> bool {
    answer.get(REACHED).is_some()
}

/// The answer as it would be if the back end left no mark in it.
pub(crate) fn without_mark(mut answer: Answer) -> Answer {
    answer.upstream_reached = was_reached(&answer);
    answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(REACHED));
    answer
}
