//! The decision, in the order of the Fetch standard's steps.

use crate::compiled::Compiled;
use crate::decision::{Action, Decision};
use crate::request::Request;

/// Decides what to do with `request`.
#[must_use]
pub fn decide<'c>(compiled: &'c Compiled, request: &impl Request) -> Decision<'c> {
    let _ = (compiled, request);
    Decision { action: Action::Passthrough, verdict: None, rehearsal: None }
}
