//! Kinds: what is watched, how it is asked for, and what each object becomes.

mod gateways;
mod injection;
mod native;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use corsward_api::{GROUP, KIND};
use corsward_manifest::spelling::Spelling;
use corsward_operator_core::cluster_state::{
    Change, Delta, Key, Labels, MODE_ANNOTATION, Namespace, NamespaceMode, Pod, PodProxy,
    RawObject, Service, ServicePort, TargetPort,
};
use corsward_operator_core::event::Event;
use corsward_operator_core::json_text::JsonText;
use corsward_operator_core::object::{Object, Record, Text};
use corsward_policy::PolicyId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

pub(super) use self::gateways::{GatewayClasses, Gateways};
pub(super) use self::native::{HttpRoutes, VirtualServices};
use super::raw::Raw;

/// The version of our own kinds that is watched.
const VERSION: &str = "v1alpha1";
/// The container of Istio's sidecar.
const PROXY: &str = "istio-proxy";
/// The argument of its agent in a gateway: `proxy router`.
const ROUTER: &str = "router";
/// The marks of a pod in Istio's ambient mode: the label that requests it, and the annotation that confirms it.
const AMBIENT: [(&str, &str); 2] =
    [("istio.io/dataplane-mode", "ambient"), ("ambient.istio.io/redirection", "enabled")];

/// A kind of objects that is watched.
pub(super) trait Watched {
    /// The type of the spec.
    type Spec: Clone + Debug + DeserializeOwned + Send + 'static;
    /// The type of the status.
    type Status: Clone + Debug + DeserializeOwned + Send + 'static;
    /// The key of an object.
    type Key: ObjectKey + Ord + Send;
    /// The value of an object.
    type Value: Send;

    /// The group, the version, the kind and its plural.
    const RESOURCE: [&str; 4];

    /// The field selector; `None` for all objects.
    const FIELDS: Option<&str> = None;

    /// The remedy if the API server lacks the kind.
    const REMEDY: Option<&str> = None;

    /// Is it a kind that need not be served? Of any other, an answer that it is not there is no word about its objects.
    const IS_OPTIONAL: bool = Self::IS_ADVISORY;

    /// Do only findings depend on it? Then readiness does not wait for it.
    const IS_ADVISORY: bool = false;

    /// The value of an object.
    fn value(raw: Raw<Self::Spec, Self::Status>) -> Self::Value;
    /// The event for the controller.
    fn event(delta: Delta<Self::Key, Self::Value>) -> Event;
}

/// A key that metadata gives.
pub(super) trait ObjectKey {
    fn of(metadata: &ObjectMeta) -> Self;
}

/// The remedy if corsward's kinds are missing.
const APPLY: &str = "apply them with `kubectl apply --server-side -f crds/`, or install the chart with its definitions";

/// `CorsPolicy`.
pub(super) struct Policies;
/// `OriginSet`.
pub(super) struct OriginSets;
/// `ClusterCorsPolicy`.
pub(super) struct ClusterPolicies;
/// Namespaces.
pub(super) struct Namespaces;
/// Services.
pub(super) struct Services;
/// Pods that run.
pub(super) struct Pods;

impl ObjectKey for Key {
    fn of(metadata: &ObjectMeta) -> Self {
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: String::of(metadata),
        }
    }
}

impl ObjectKey for PolicyId {
    fn of(metadata: &ObjectMeta) -> Self {
        let Key { namespace, name } = Key::of(metadata);
        Self { namespace, name }
    }
}

impl ObjectKey for String {
    fn of(metadata: &ObjectMeta) -> Self {
        metadata.name.clone().unwrap_or_default()
    }
}

impl Watched for Policies {
    type Spec = Value;
    type Status = Value;
    type Key = PolicyId;
    type Value = Object;

    const RESOURCE: [&str; 4] = [GROUP, VERSION, KIND, "corspolicies"];
    const REMEDY: Option<&str> = Some(APPLY);

    fn value(raw: Raw<Value, Value>) -> Object {
        let Raw { metadata, spec, status } = raw;
        // As in a file: without a spec it is one that says nothing.
        let spec = spec.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        Object {
            id: PolicyId::of(&metadata),
            place: None,
            generation: metadata.generation,
            text: Text::Spec {
                spec: JsonText::of(&spec),
                findings: Vec::new(),
                spelling: Spelling::default(),
            },
            record: Some(Record {
                uid: metadata.uid.unwrap_or_default(),
                created: metadata.creation_timestamp.map(|time| time.0.as_second()),
                status: JsonText::of(&status.unwrap_or_default()),
            }),
        }
    }

    fn event(delta: Delta<PolicyId, Object>) -> Event {
        match delta {
            Delta::Apply(_, object) => Event::Apply(Box::new(object)),
            Delta::Delete(id) => Event::Delete(id),
            Delta::Reset(all) => Event::Reset(all.into_values().collect()),
        }
    }
}

impl Watched for OriginSets {
    type Spec = Value;
    type Status = Value;
    type Key = Key;
    type Value = RawObject;

    const RESOURCE: [&str; 4] = [GROUP, VERSION, "OriginSet", "originsets"];
    const REMEDY: Option<&str> = Some(APPLY);

    fn value(raw: Raw<Value, Value>) -> RawObject {
        written(raw)
    }

    fn event(delta: Delta<Key, RawObject>) -> Event {
        Event::ClusterState(Change::OriginSet(delta))
    }
}

impl Watched for ClusterPolicies {
    type Spec = Value;
    type Status = Value;
    type Key = String;
    type Value = RawObject;

    const RESOURCE: [&str; 4] = [GROUP, VERSION, "ClusterCorsPolicy", "clustercorspolicies"];
    const REMEDY: Option<&str> = Some(APPLY);

    fn value(raw: Raw<Value, Value>) -> RawObject {
        written(raw)
    }

    fn event(delta: Delta<String, RawObject>) -> Event {
        Event::ClusterState(Change::Guardrail(delta))
    }
}

impl Watched for Namespaces {
    type Spec = IgnoredAny;
    type Status = IgnoredAny;
    type Key = String;
    type Value = Namespace;

    const RESOURCE: [&str; 4] = ["", "v1", "Namespace", "namespaces"];

    fn value(raw: Raw<IgnoredAny>) -> Namespace {
        let ObjectMeta { labels, annotations, .. } = raw.metadata;
        let mode = annotations.and_then(|mut annotations| annotations.remove(MODE_ANNOTATION));
        let mode = NamespaceMode::of(mode);
        Namespace { labels: labels.unwrap_or_default(), mode }
    }

    fn event(delta: Delta<String, Namespace>) -> Event {
        Event::ClusterState(Change::Namespace(delta))
    }
}

/// The used part of a Service's spec.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ServiceSpec {
    r#type: Option<String>,
    selector: Option<Labels>,
    ports: Option<Vec<PortSpec>>,
}

/// The used part of a Service's port.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortSpec {
    name: Option<String>,
    port: i64,
    target_port: Option<IntOrString>,
    protocol: Option<String>,
    app_protocol: Option<String>,
}

impl Watched for Services {
    type Spec = ServiceSpec;
    type Status = IgnoredAny;
    type Key = Key;
    type Value = Service;

    const RESOURCE: [&str; 4] = ["", "v1", "Service", "services"];

    fn value(raw: Raw<ServiceSpec>) -> Service {
        let ServiceSpec { r#type, selector, ports } = raw.spec.unwrap_or_default();
        // Kubernetes ignores the selector of a name for something outside of the cluster.
        let selects = r#type.as_deref() != Some("ExternalName");
        Service {
            selector: selector.filter(|_| selects).unwrap_or_default(),
            ports: ports.unwrap_or_default().into_iter().filter_map(port).collect(),
        }
    }

    fn event(delta: Delta<Key, Service>) -> Event {
        Event::ClusterState(Change::Service(delta))
    }
}

/// The used part of a pod's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    host_network: Option<bool>,
    containers: Option<Vec<ContainerSpec>>,
    init_containers: Option<Vec<ContainerSpec>>,
}

/// The used part of a pod's status.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct PodStatus {
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
}

/// The used part of a container.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerSpec {
    name: String,
    args: Option<Vec<String>>,
    restart_policy: Option<String>,
    ports: Option<Vec<ContainerPort>>,
}

/// The used part of a container's port.
#[derive(Clone, Debug, Deserialize)]
struct ContainerPort {
    name: Option<String>,
    #[serde(rename = "containerPort")]
    number: i64,
    protocol: Option<String>,
}

impl Watched for Pods {
    type Spec = PodSpec;
    type Status = PodStatus;
    type Key = Key;
    type Value = Pod;

    const RESOURCE: [&str; 4] = ["", "v1", "Pod", "pods"];

    /// The API server itself says "deleted" of a pod that stops running.
    const FIELDS: Option<&str> = Some("status.phase=Running");

    fn value(raw: Raw<PodSpec, PodStatus>) -> Pod {
        let PodStatus { pod_ip } = raw.status.unwrap_or_default();
        let address = pod_ip.and_then(|address| address.parse().ok());
        let terminating = raw.metadata.deletion_timestamp.is_some();
        let PodSpec { host_network, containers, init_containers } = raw.spec.unwrap_or_default();
        // The order in which EndpointSlices look a named port up: containers, then native sidecars.
        let mut running = containers.unwrap_or_default();
        running.extend(
            init_containers
                .unwrap_or_default()
                .into_iter()
                .filter(|container| container.restart_policy.as_deref() == Some("Always")),
        );
        let proxy = running.iter().find(|container| container.name == PROXY);
        let proxy = match proxy.map(|proxy| proxy.args.as_deref().unwrap_or_default()) {
            None => PodProxy::None,
            Some(args) if args.iter().any(|word| word == ROUTER) => PodProxy::Gateway,
            Some(_) => PodProxy::Sidecar,
        };
        let ambient = proxy == PodProxy::None
            && (has(raw.metadata.labels.as_ref(), AMBIENT[0])
                || has(raw.metadata.annotations.as_ref(), AMBIENT[1]));
        let mut ports = BTreeMap::new();
        for port in running.into_iter().flat_map(|container| container.ports.unwrap_or_default()) {
            let ContainerPort { name, number, protocol } = port;
            if let (Some(name), Ok(number), true) =
                (name, u16::try_from(number), is_tcp(protocol.as_deref()))
            {
                ports.entry(name).or_insert(number);
            }
        }
        Pod {
            ports,
            proxy,
            ambient,
            address,
            terminating,
            workload: injection::workload(&raw.metadata),
            injection: injection::injection(&raw.metadata, host_network),
            inbound: injection::inbound(&raw.metadata),
            labels: raw.metadata.labels.unwrap_or_default(),
        }
    }

    fn event(delta: Delta<Key, Pod>) -> Event {
        Event::ClusterState(Change::Pod(delta))
    }
}

fn written(raw: Raw<Value, Value>) -> RawObject {
    let Raw { metadata, spec, status } = raw;
    RawObject {
        uid: metadata.uid.unwrap_or_default(),
        generation: metadata.generation.unwrap_or_default(),
        spec: Arc::new(spec.unwrap_or_default()),
        status: JsonText::of(&status.unwrap_or_default()),
    }
}

fn port(spec: PortSpec) -> Option<ServicePort> {
    let PortSpec { name, port, target_port, protocol, app_protocol } = spec;
    let port = u16::try_from(port).ok()?;
    let target = match target_port {
        None | Some(IntOrString::Int(0)) => TargetPort::Number(port),
        Some(IntOrString::Int(number)) => TargetPort::Number(u16::try_from(number).ok()?),
        Some(IntOrString::String(name)) => TargetPort::Name(name),
    };
    is_tcp(protocol.as_deref()).then_some(ServicePort { name, port, target, app_protocol })
}

/// Absent, the protocol is TCP. No filter of a proxy sees requests over any other.
fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.is_none_or(|protocol| protocol == "TCP")
}

fn has(labels: Option<&Labels>, (name, value): (&str, &str)) -> bool {
    labels.and_then(|labels| labels.get(name)).is_some_and(|found| found == value)
}

#[cfg(test)]
mod tests;
