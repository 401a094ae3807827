//! Object event: a message to users about an object, which becomes an Event of Kubernetes.

use crate::resource_ref::ResourceRef;

/// Something a user must know about an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectEvent {
    /// About which.
    pub resource: ResourceRef,
    /// Is something not as it should be?
    pub warning: bool,
    /// The reason in one word, such as `Invalid`.
    pub reason: String,
    /// The operator's action in one word, such as `Validate`.
    pub action: String,
    /// The event in a sentence.
    pub note: String,
}
