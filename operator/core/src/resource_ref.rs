//! Resource reference: one object of ours that has a status.

use std::fmt;

use corsward_api::v1alpha1::{ClusterCorsPolicy, CorsPolicy, OriginSet};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::ApiResource;
use strum::Display;

/// A kind of object of ours that has a status.
#[derive(Clone, Copy, Debug, Display, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// A policy.
    CorsPolicy,
    /// A guardrail.
    ClusterCorsPolicy,
    /// A set of origins.
    OriginSet,
}

/// An object of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceRef {
    /// Its kind.
    pub kind: ResourceKind,
    /// `metadata.namespace`; none for what belongs to the cluster.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`: a new object of the same name has a new one.
    pub uid: String,
}

// === impl ResourceKind ===

impl ResourceKind {
    /// Its address.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::CorsPolicy => ApiResource::erase::<CorsPolicy>(&()),
            Self::ClusterCorsPolicy => ApiResource::erase::<ClusterCorsPolicy>(&()),
            Self::OriginSet => ApiResource::erase::<OriginSet>(&()),
        }
    }
}

// === impl ResourceRef ===

impl ResourceRef {
    /// The object of that kind and these names.
    pub fn new(kind: ResourceKind, namespace: Option<&str>, name: &str, uid: &str) -> Self {
        let namespace = namespace.map(str::to_owned);
        Self { kind, namespace, name: name.to_owned(), uid: uid.to_owned() }
    }

    /// The object, as Kubernetes writes a reference.
    pub fn object_reference(&self) -> ObjectReference {
        let Self { kind, namespace, name, uid } = self;
        ObjectReference {
            api_version: Some(kind.resource().api_version),
            kind: Some(kind.to_string()),
            namespace: namespace.clone(),
            name: Some(name.clone()),
            uid: Some(uid.clone()),
            ..ObjectReference::default()
        }
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, uid: _ } = self;
        match namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{name}"),
            None => write!(f, "{kind} {name}"),
        }
    }
}
