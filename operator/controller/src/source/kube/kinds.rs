//! Kinds: what is watched, how it is asked for, the part of each object that is read, and what it becomes.

mod gateways;
mod pods;

use std::borrow::Cow;
use std::sync::Arc;

use corsward_api::{GATEWAY_GROUP, GROUP, GUARDRAIL_KIND, KIND, ORIGIN_SET_KIND};
use corsward_operator_core::cluster_state::{
    Change, Delta, Gateway, GatewayClass, Key, Labels, MODE_ANNOTATION, Namespace, NamespaceMode,
    NativeCors, Pod, RawObject, Service,
};
use corsward_operator_core::event::Event;
use corsward_operator_core::json_text::JsonText;
use corsward_operator_core::object::{Object, Record};
use corsward_policy::PolicyId;
use k8s_openapi::api::core::v1::ServiceSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    ManagedFieldsEntry, ObjectMeta, OwnerReference, Time,
};
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope, GroupVersionKind};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use self::pods::{PodSpec, PodStatus};
use crate::watches::{Need, WatchEvent};

/// The version of our own kinds that is watched.
pub(crate) const VERSION: &str = "v1alpha1";

/// A kind of objects that is watched. Of each object, an `R` is read, and a `V` is kept by its key; `E` tells of its changes.
pub(super) struct Kind<R, K, V, E = Change> {
    /// The group, the version, the kind and its plural.
    pub(super) resource: [&'static str; 4],
    /// The field selector; `None` for all objects.
    pub(super) fields: Option<&'static str>,
    /// Whether it must be served.
    pub(super) need: Need,
    /// The key of an object.
    pub(super) key: fn(&ObjectMeta) -> K,
    /// The value of an object.
    pub(super) value: fn(R) -> V,
    /// The change for the controller.
    change: fn(Delta<K, V>) -> E,
}

/// An object. `S` and `T` are what its spec and its status are read as.
///
/// The client's own types would be read whole and thrown away: of a pod less than a tenth is needed, and of every object the managed
/// fields are the longest part.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "S: Deserialize<'de>, T: Deserialize<'de>")]
pub(crate) struct Raw<S = IgnoredAny, T = IgnoredAny> {
    #[serde(default, with = "UsedMetadata")]
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: Option<S>,
    pub(crate) status: Option<T>,
}

/// The metadata of an object, of which only the used part is read.
#[derive(Deserialize)]
#[serde(remote = "ObjectMeta", rename_all = "camelCase")]
struct UsedMetadata {
    name: Option<String>,
    generate_name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<Labels>,
    annotations: Option<Labels>,
    owner_references: Option<Vec<OwnerReference>>,
    #[serde(skip)]
    deletion_grace_period_seconds: Option<i64>,
    #[serde(skip)]
    finalizers: Option<Vec<String>>,
    #[serde(skip)]
    managed_fields: Option<Vec<ManagedFieldsEntry>>,
    #[serde(skip)]
    self_link: Option<String>,
}

type Written = Raw<Value, Value>;

/// The version of a group, and the need of its kinds.
type ApiVersion = (&'static str, &'static str, Need);

const OWN: ApiVersion = (GROUP, VERSION, Need::Own);
const CORE: ApiVersion = ("", "v1", Need::Served);
const GATEWAY_API: ApiVersion = (GATEWAY_GROUP, "v1", Need::Advisory);
const ISTIO: ApiVersion = ("networking.istio.io", "v1", Need::Advisory);

/// `CorsPolicy`.
pub(super) const POLICIES: Kind<Written, PolicyId, Object, Event> =
    Kind::new(OWN, KIND, "corspolicies", policy_id, policy, |delta| match delta {
        Delta::Apply(_, object) => Event::Apply(Box::new(object)),
        Delta::Delete(id) => Event::Delete(id),
        Delta::Reset(all) => Event::Reset(all.into_values().collect()),
    });
/// `OriginSet`.
pub(super) const ORIGIN_SETS: Kind<Written, Key, RawObject> =
    Kind::new(OWN, ORIGIN_SET_KIND, "originsets", key, raw_object, Change::OriginSet);
/// `ClusterCorsPolicy`.
pub(super) const CLUSTER_POLICIES: Kind<Written, String, RawObject> =
    Kind::new(OWN, GUARDRAIL_KIND, "clustercorspolicies", name, raw_object, Change::Guardrail);
/// Namespaces.
pub(super) const NAMESPACES: Kind<Raw, String, Namespace> =
    Kind::new(CORE, "Namespace", "namespaces", name, namespace, Change::Namespace);
/// Services.
pub(super) const SERVICES: Kind<Raw<ServiceSpec>, Key, Service> =
    Kind::new(CORE, "Service", "services", key, pods::service, Change::Service);
/// Pods that run. The API server itself says "deleted" of a pod that stops running.
pub(super) const PODS: Kind<Raw<PodSpec, PodStatus>, Key, Pod> = Kind {
    fields: Some("status.phase=Running"),
    ..Kind::new(CORE, "Pod", "pods", key, pods::pod, Change::Pod)
};
/// Gateways of the Gateway API.
pub(super) const GATEWAYS: Kind<Raw<Value>, Key, Gateway> = Kind {
    need: Need::Optional,
    ..Kind::new(GATEWAY_API, "Gateway", "gateways", key, gateways::gateway, Change::Gateway)
};
/// The classes of Gateways. Roles of an older release may not let them be listed: then nothing is known of classes.
pub(super) const GATEWAY_CLASSES: Kind<Written, String, GatewayClass> = Kind::new(
    GATEWAY_API,
    "GatewayClass",
    "gatewayclasses",
    name,
    gateways::class,
    Change::GatewayClass,
);
/// `HTTPRoute` of the Gateway API.
pub(super) const HTTP_ROUTES: Kind<Raw<Value>, Key, NativeCors> =
    Kind::new(GATEWAY_API, "HTTPRoute", "httproutes", key, gateways::http_route, |delta| {
        Change::HttpRoute(gateways::telling(delta))
    });
/// Istio's `VirtualService`.
pub(super) const VIRTUAL_SERVICES: Kind<Raw<Value>, Key, NativeCors> = Kind::new(
    ISTIO,
    "VirtualService",
    "virtualservices",
    key,
    gateways::virtual_service,
    |delta| Change::VirtualService(gateways::telling(delta)),
);

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

// === impl Kind ===

impl<R, K, V, E> Kind<R, K, V, E> {
    const fn new(
        (group, version, need): ApiVersion,
        kind: &'static str,
        plural: &'static str,
        key: fn(&ObjectMeta) -> K,
        value: fn(R) -> V,
        change: fn(Delta<K, V>) -> E,
    ) -> Self {
        Self { resource: [group, version, kind, plural], fields: None, need, key, value, change }
    }

    pub(super) const fn name(&self) -> &'static str {
        let [.., name, _] = self.resource;
        name
    }

    pub(super) fn api_resource(&self) -> ApiResource {
        let [group, version, kind, plural] = self.resource;
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    /// The controller's event for a change.
    pub(super) fn event(&self, change: WatchEvent<(K, V)>) -> Event
    where
        K: Ord,
        E: Into<Event>,
    {
        let delta = match change {
            WatchEvent::All(objects) => Delta::Reset(objects.into_iter().collect()),
            WatchEvent::Applied((key, value)) => Delta::Apply(key, value),
            WatchEvent::Deleted((key, _)) => Delta::Delete(key),
        };
        (self.change)(delta).into()
    }
}

fn name(metadata: &ObjectMeta) -> String {
    metadata.name.clone().unwrap_or_default()
}

fn key(metadata: &ObjectMeta) -> Key {
    Key { namespace: metadata.namespace.clone().unwrap_or_default(), name: name(metadata) }
}

fn policy_id(metadata: &ObjectMeta) -> PolicyId {
    let Key { namespace, name } = key(metadata);
    PolicyId { namespace, name }
}

/// A `CorsPolicy`, as the controller keeps it.
pub(crate) fn policy(raw: Written) -> Object {
    let Raw { metadata, spec, status } = raw;
    // As in a file: without a spec it is one that says nothing.
    let spec = spec.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    Object {
        id: policy_id(&metadata),
        place: None,
        generation: metadata.generation,
        text: JsonText::of(&spec).into(),
        record: Some(Record {
            uid: metadata.uid.unwrap_or_default(),
            created: metadata.creation_timestamp.map(|time| time.0.as_second()),
            status: JsonText::of(&status.unwrap_or_default()),
        }),
    }
}

/// An `OriginSet` or a `ClusterCorsPolicy`, as the controller keeps it.
pub(crate) fn raw_object(raw: Written) -> RawObject {
    let Raw { metadata, spec, status } = raw;
    RawObject {
        uid: metadata.uid.unwrap_or_default(),
        generation: metadata.generation.unwrap_or_default(),
        spec: Arc::new(spec.unwrap_or_default()),
        status: JsonText::of(&status.unwrap_or_default()),
    }
}

fn namespace(raw: Raw) -> Namespace {
    let ObjectMeta { labels, annotations, .. } = raw.metadata;
    let mode = annotations.and_then(|mut annotations| annotations.remove(MODE_ANNOTATION));
    Namespace { labels: labels.unwrap_or_default(), mode: NamespaceMode::of(mode) }
}

#[cfg(test)]
mod tests;
