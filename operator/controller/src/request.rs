//! Request: a question to the controller, which alone knows everything.

use corsward_operator_core::object::CheckedObject;
use corsward_operator_core::report::Report;
use corsward_policy::Finding;
use tokio::sync::oneshot;

/// A question, with the channel for its answer. A dropped channel: the controller cannot answer now.
#[derive(Debug)]
pub enum Request {
    /// The report about every policy.
    Report(oneshot::Sender<Report>),
    /// The findings about an object that is not there yet.
    Check(CheckedObject, oneshot::Sender<Vec<Finding>>),
}
