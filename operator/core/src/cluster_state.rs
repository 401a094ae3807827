//! Cluster state: the objects of a cluster beside policies, as far as policies depend on them. A store without IO.
//!
//! Of each such object these fields stay in memory; the readers of `operator/controller/src/source/kube/kinds.rs` fill them. Of an
//! `OriginSet` and a `ClusterCorsPolicy` their findings and what is in force stay, too (`origin_sets.rs`, `guardrails.rs`).

mod spec;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use corsward_policy::Finding;
use serde_json::Value;

pub use self::spec::is_tcp;
use crate::finding::PlacementReason;
use crate::json_text::JsonText;

/// Labels of an object, or those a selector asks for.
pub type Labels = BTreeMap<String, String>;

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// Everything beside policies that policies depend on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterState {
    /// By name.
    pub namespaces: BTreeMap<String, Namespace>,
    /// Services.
    pub services: BTreeMap<Key, Service>,
    /// Running pods.
    pub pods: BTreeMap<Key, Pod>,
    /// Gateways (Gateway API); empty where the kind is not served.
    pub gateways: BTreeMap<Key, Gateway>,
    /// Classes of Gateways by name; `None` until they have been listed, and where they are not watched.
    pub gateway_classes: Option<BTreeMap<String, GatewayClass>>,
    /// Istio's `VirtualService` objects that say something about CORS; empty where the kind is not served.
    pub virtual_services: BTreeMap<Key, NativeCors>,
    /// `HTTPRoute` objects (Gateway API) that say something about CORS; empty where the kind is not served.
    pub http_routes: BTreeMap<Key, NativeCors>,
    /// Origin sets.
    pub origin_sets: BTreeMap<Key, RawObject>,
    /// Cluster-wide guardrails (`ClusterCorsPolicy`), by name.
    pub guardrails: BTreeMap<String, RawObject>,
}

/// A change of one watched object.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Of a namespace.
    Namespace(Delta<String, Namespace>),
    /// Of a Service.
    Service(Delta<Key, Service>),
    /// Of a pod. One that does not run any more is gone.
    Pod(Delta<Key, Pod>),
    /// Of a Gateway.
    Gateway(Delta<Key, Gateway>),
    /// Of a `GatewayClass`.
    GatewayClass(Delta<String, GatewayClass>),
    /// Of a `VirtualService`.
    VirtualService(Delta<Key, NativeCors>),
    /// Of an `HTTPRoute`.
    HttpRoute(Delta<Key, NativeCors>),
    /// Of an `OriginSet`.
    OriginSet(Delta<Key, RawObject>),
    /// Of a `ClusterCorsPolicy`.
    Guardrail(Delta<String, RawObject>),
}

/// A change of one kind of objects.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta<K, T> {
    /// It is there, new or changed.
    Apply(K, T),
    /// It is gone.
    Delete(K),
    /// These are there, and no others.
    Reset(BTreeMap<K, T>),
}

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its labels.
    pub labels: Labels,
    /// Its annotation `corsward.io/mode`.
    pub mode: NamespaceMode,
}

/// The annotation that stops the policies of a namespace.
pub const MODE_ANNOTATION: &str = "corsward.io/mode";

/// The meaning of a namespace's annotation `corsward.io/mode`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NamespaceMode {
    /// Nothing: policies are enforced.
    #[default]
    Unset,
    /// `Off`, in upper or lower case: no policy is in force.
    Off,
    /// Something else, which means nothing.
    Unknown(String),
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// `spec.selector`; empty: its endpoints are no pods, or not known to Kubernetes.
    pub selector: Labels,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; a Service with one port need not name it.
    pub name: Option<String>,
    /// The port of the Service.
    pub port: u16,
    /// The port of the pods.
    pub target: TargetPort,
    /// Its declared protocol.
    pub app_protocol: Option<String>,
}

/// A port of a Service's pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By the name of a container's port.
    Name(String),
}

/// A running pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its labels.
    pub labels: Labels,
    /// Its containers' named ports.
    pub ports: BTreeMap<String, u16>,
    /// Its container `istio-proxy`.
    pub proxy: PodProxy,
    /// Is it in Istio's ambient mode (label `istio.io/dataplane-mode`), without a sidecar?
    pub ambient: bool,
    /// `status.podIP`; none until it has one.
    pub address: Option<IpAddr>,
    /// Whether it is being deleted. It finishes its requests, and no longer counts.
    pub terminating: bool,
    /// Its workload, as `kubectl` names it and longer-lived than one pod: `deployment/api`.
    pub workload: String,
    /// Its declaration about a sidecar.
    pub injection: Injection,
    /// The ports that its sidecar intercepts.
    pub inbound: Inbound,
}

/// The role of a pod's container `istio-proxy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PodProxy {
    /// There is none.
    #[default]
    None,
    /// A sidecar.
    Sidecar,
    /// A gateway (`proxy router`). Plugins for workloads are not for it.
    Gateway,
}

/// A pod's declaration about a sidecar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Injection {
    /// It gets one where one is asked for.
    #[default]
    Usual,
    /// It asks for none.
    OptedOut,
    /// It gets none, because it uses the network of its node.
    HostNetwork,
}

/// The ports whose connections a pod's sidecar is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Inbound {
    /// All of them.
    #[default]
    All,
    /// All but these.
    Except(BTreeSet<u16>),
    /// These.
    Only(BTreeSet<u16>),
}

/// A Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// `spec.gatewayClassName`.
    pub class: String,
    /// The port of each listener, by the listener's name.
    pub listeners: BTreeMap<String, u16>,
}

/// A `GatewayClass`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayClass {
    /// `spec.controllerName`.
    pub controller: String,
    /// Does `status.supportedFeatures` list the CORS filter of `HTTPRoute` objects? `None`: it lists nothing at all.
    pub supports_cors: Option<bool>,
}

/// The CORS settings in an object of a mesh or of the Gateway API: their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeCors {
    /// The Services that the requests lead to.
    pub services: BTreeSet<Key>,
    /// The Gateways that it is attached to.
    pub gateways: BTreeSet<ParentGateway>,
    /// Is it attached to something else than Gateways, such as a Service of a mesh?
    pub in_mesh: bool,
}

/// A Gateway, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParentGateway {
    /// The Gateway.
    pub gateway: Key,
    /// The name of a listener.
    pub section: Option<String>,
    /// The port of a listener.
    pub port: Option<u16>,
}

/// An object of our own group that is not a policy, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct RawObject {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `spec`; `Null` where there is none.
    pub spec: Arc<Value>,
    /// `status`; `null` where there is none.
    pub status: JsonText,
}

// === impl ClusterState ===

impl ClusterState {
    /// The pods of a namespace, those being deleted too.
    pub(crate) fn pods_of(&self, namespace: &str) -> impl Iterator<Item = (&Key, &Pod)> {
        within(namespace, &self.pods)
    }

    /// Takes in a change; `true`: something is different now.
    pub fn on(&mut self, change: Change) -> bool {
        match change {
            Change::Namespace(delta) => delta.apply_to(&mut self.namespaces),
            Change::Service(delta) => delta.apply_to(&mut self.services),
            Change::Pod(delta) => delta.apply_to(&mut self.pods),
            Change::Gateway(delta) => delta.apply_to(&mut self.gateways),
            Change::GatewayClass(delta) => {
                let was_unknown = self.gateway_classes.is_none();
                delta.apply_to(self.gateway_classes.get_or_insert_default()) || was_unknown
            }
            Change::VirtualService(delta) => delta.apply_to(&mut self.virtual_services),
            Change::HttpRoute(delta) => delta.apply_to(&mut self.http_routes),
            Change::OriginSet(delta) => delta.apply_to(&mut self.origin_sets),
            Change::Guardrail(delta) => delta.apply_to(&mut self.guardrails),
        }
    }
}

// === impl Namespace ===

impl Namespace {
    /// The finding about a mode without a meaning.
    pub fn unknown_mode(&self) -> Option<Finding> {
        let NamespaceMode::Unknown(word) = &self.mode else { return None };
        let reason = PlacementReason::UnknownNamespaceMode(word.clone());
        Some(Finding::new("metadata.namespace", reason))
    }
}

// === impl NamespaceMode ===

impl NamespaceMode {
    /// The meaning of the annotation's value.
    pub fn of(annotation: Option<String>) -> Self {
        match annotation {
            None => Self::Unset,
            Some(word) if word.eq_ignore_ascii_case("Off") => Self::Off,
            Some(word) => Self::Unknown(word),
        }
    }
}

// === impl Change ===

impl Change {
    /// The namespaces that the change may matter to, where `known` is what was there before; `None`: all of them.
    pub fn namespaces(&self, known: &ClusterState) -> Option<BTreeSet<String>> {
        match self {
            Self::Namespace(delta) => delta.key().map(|name| [name.clone()].into()),
            Self::Service(delta) => delta.key().map(Key::in_set),
            Self::Pod(delta) => delta.key().map(Key::in_set),
            Self::Gateway(delta) => {
                let gateway = delta.key()?;
                let is_parent = |route: &&NativeCors| {
                    route.gateways.iter().any(|parent| parent.gateway == *gateway)
                };
                // Its class says whether the CORS filters of its routes are enforced.
                let routes = known.http_routes.values().filter(is_parent);
                let led_to = routes.flat_map(NativeCors::namespaces);
                Some(led_to.chain([&gateway.namespace]).cloned().collect())
            }
            Self::VirtualService(delta) => {
                NativeCors::changed_namespaces(delta, &known.virtual_services)
            }
            Self::HttpRoute(delta) => NativeCors::changed_namespaces(delta, &known.http_routes),
            Self::OriginSet(delta) => delta.key().map(Key::in_set),
            Self::GatewayClass(_) | Self::Guardrail(_) => None,
        }
    }
}

// === impl Key ===

impl Key {
    fn in_set(&self) -> BTreeSet<String> {
        [self.namespace.clone()].into()
    }
}

// === impl Pod ===

impl Pod {
    /// Has it a proxy of Istio's?
    pub fn has_proxy(&self) -> bool {
        self.proxy != PodProxy::None
    }

    /// Everything that policies depend on, but for what differs from pod to pod of a workload.
    pub(crate) fn kind(&self) -> impl Eq + Hash {
        let Self { labels, ports, proxy, ambient, workload, injection, inbound, .. } = self;
        (labels, ports, workload, injection, inbound, proxy, ambient)
    }
}

// === impl Inbound ===

impl Inbound {
    /// Is the sidecar given connections to that port?
    pub(crate) fn includes(&self, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Except(ports) => !ports.contains(&port),
            Self::Only(ports) => ports.contains(&port),
        }
    }
}

// === impl NativeCors ===

impl NativeCors {
    /// Does it say nothing?
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.gateways.is_empty()
    }

    /// The previous and the new destinations of an object; `None`: all.
    fn changed_namespaces(
        delta: &Delta<Key, Self>,
        known: &BTreeMap<Key, Self>,
    ) -> Option<BTreeSet<String>> {
        let is = match delta {
            Delta::Apply(_, object) => Some(object),
            Delta::Delete(_) => None,
            Delta::Reset(_) => return None,
        };
        let was = delta.key().and_then(|key| known.get(key));
        Some(is.into_iter().chain(was).flat_map(Self::namespaces).cloned().collect())
    }

    /// The namespaces that it may matter to.
    pub fn namespaces(&self) -> impl Iterator<Item = &String> {
        let gateways = self.gateways.iter().map(|parent| &parent.gateway);
        self.services.iter().chain(gateways).map(|key| &key.namespace)
    }
}

// === impl Delta ===

impl<K, T> Delta<K, T> {
    /// The one object it is about.
    pub fn key(&self) -> Option<&K> {
        match self {
            Self::Apply(key, _) | Self::Delete(key) => Some(key),
            Self::Reset(_) => None,
        }
    }
}

impl<K: Ord, T: PartialEq> Delta<K, T> {
    fn apply_to(self, objects: &mut BTreeMap<K, T>) -> bool {
        match self {
            Self::Apply(key, object) => {
                let changed = objects.get(&key) != Some(&object);
                objects.insert(key, object);
                changed
            }
            Self::Delete(key) => objects.remove(&key).is_some(),
            Self::Reset(all) => {
                let changed = *objects != all;
                *objects = all;
                changed
            }
        }
    }
}

/// The objects of a namespace.
pub(crate) fn within<'s, T>(
    namespace: &str,
    objects: &'s BTreeMap<Key, T>,
) -> impl Iterator<Item = (&'s Key, &'s T)> + use<'s, T> {
    let first = Key { namespace: namespace.to_owned(), name: String::new() };
    let namespace = first.namespace.clone();
    objects.range(first..).take_while(move |(key, _)| key.namespace == namespace)
}
