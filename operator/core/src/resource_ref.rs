//! Resource reference: one object of ours that has a status.

use std::fmt;

use corsward_api::{GROUP, GUARDRAIL_KIND, KIND, ORIGIN_SET_KIND};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::{ApiResource, GroupVersionKind};

/// The version of our own kinds that is written.
const VERSION: &str = "v1alpha1";

/// A kind of object of ours that has a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// The kind, as manifests write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CorsPolicy => KIND,
            Self::ClusterCorsPolicy => GUARDRAIL_KIND,
            Self::OriginSet => ORIGIN_SET_KIND,
        }
    }

    /// Its address.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        let plural = match self {
            Self::CorsPolicy => "corspolicies",
            Self::ClusterCorsPolicy => "clustercorspolicies",
            Self::OriginSet => "originsets",
        };
        ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk(GROUP, VERSION, self.as_str()),
            plural,
        )
    }
}

// === impl ResourceRef ===

impl ResourceRef {
    /// The object, as Kubernetes writes a reference.
    #[must_use]
    pub fn object_reference(&self) -> ObjectReference {
        let Self { kind, namespace, name, uid } = self;
        ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(kind.as_str().to_owned()),
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
            Some(namespace) => write!(f, "{} {namespace}/{name}", kind.as_str()),
            None => write!(f, "{} {name}", kind.as_str()),
        }
    }
}
