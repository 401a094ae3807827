//! Admission check: the findings about an object that is not there yet. The loop answers, for it alone knows everything else.

use corsward_operator_core::checked_object::CheckedObject;
use corsward_policy::Finding;
use tokio::sync::oneshot;

/// What would the status say?
#[derive(Debug)]
pub struct AdmissionCheck {
    /// Of what.
    pub object: CheckedObject,
    /// The channel for the answer. Dropped: the controller cannot answer now.
    pub reply: oneshot::Sender<Vec<Finding>>,
}
