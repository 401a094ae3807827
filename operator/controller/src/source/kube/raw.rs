//! Raw: an object as an API server sends it, cut to what is needed while it is read.

use std::borrow::Cow;

use corsward_operator_core::cluster_state::Labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// An object. `S` and `T` are what its spec and its status are read as.
///
/// The client's own types would be read whole and thrown away: of a pod less than a tenth is needed, and of every object the managed
/// fields are the longest part.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "S: Deserialize<'de>, T: Deserialize<'de>")]
pub(crate) struct Raw<S, T = IgnoredAny> {
    #[serde(deserialize_with = "cut")]
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: Option<S>,
    pub(crate) status: Option<T>,
}

/// The used part of an object's metadata.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<Labels>,
    annotations: Option<Labels>,
    owner_references: Option<Vec<OwnerReference>>,
}

fn cut<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let Metadata {
        name,
        namespace,
        uid,
        resource_version,
        generation,
        creation_timestamp,
        deletion_timestamp,
        labels,
        annotations,
        owner_references,
    } = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name,
        namespace,
        uid,
        resource_version,
        generation,
        creation_timestamp,
        deletion_timestamp,
        labels,
        annotations,
        owner_references,
        ..ObjectMeta::default()
    })
}

// === impl Raw ===

impl<S, T> Resource for Raw<S, T> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
