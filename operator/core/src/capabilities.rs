//! Capabilities: what the controller may expect of a publisher.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::bundle::BundleKey;
use crate::cluster_state::{Change, ClusterState, Delta, Key, Pod};
use crate::targets::{Placement, TargetProxies, includes, is_gateway};

/// The capabilities of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The proxies that it reaches.
    pub reach: Reach,
    /// It answers [`Command::Publish`](crate::command::Command::Publish) before anything else happens.
    pub answers_at_once: bool,
    /// The replicas that serve its proxies.
    pub replicas: Replicas,
}

/// The proxies that a publisher reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// One place, for which all policies are: their targets are checked and not used. It always has a configuration.
    #[default]
    One,
    /// Those that targets select.
    Targets(ServedTargets),
}

/// The targets that a publisher serves, and the pods of their proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedTargets {
    /// It configures the sidecars of workloads, which a Service, a selector or a namespace names.
    pub workloads: bool,
    /// The controllers of the Gateways whose proxies it configures; none: it serves no Gateway.
    pub gateway_controllers: &'static [&'static str],
    /// The pods of the proxies; `None`: the pods that run its configuration are not known.
    pub pods: Option<ProxyPods>,
}

/// The pods of the proxies that a publisher configures. They are counted, and what keeps requests from them is reported. Their proxies
/// acknowledge: the publisher reports which of them run what is published, as [`Event::Rollouts`](crate::event::Event::Rollouts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyPods {
    /// The label of a Gateway's pods that names the Gateway.
    pub gateway_label: &'static str,
    /// The place of all Gateways' pods; `None`: each Gateway's are in its own namespace.
    pub elsewhere: Option<Elsewhere>,
    /// The port at which the proxies serve Envoy's metrics.
    pub stats_port: u16,
}

/// A namespace for the pods of all Gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The namespace.
    pub namespace: &'static str,
    /// The label of a pod that names the namespace of its Gateway.
    pub label: &'static str,
}

/// Replicas of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// The leader writes for all proxies.
    Leader,
    /// Each replica serves proxies of its own.
    All,
}

/// The place in which the specs in force survive a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The statuses of the objects.
    Statuses,
    /// A state of its own, which [`Command::Remember`](crate::command::Command::Remember) brings. It holds one part, and so serves
    /// [`Reach::One`] only.
    State {
        /// The specs in force before the start are forgotten, and the publisher still serves them.
        is_lost: bool,
    },
}

// === impl Reach ===

impl Reach {
    /// The same proxies, where the pods that run them are not known.
    pub const fn unseen(self) -> Self {
        match self {
            Self::One => Self::One,
            Self::Targets(served) => Self::Targets(ServedTargets { pods: None, ..served }),
        }
    }

    /// The pods of its proxies, if they are known.
    pub fn pods(self) -> Option<ProxyPods> {
        self.served()?.pods
    }

    /// Are policies for workloads of use to it?
    pub(crate) fn serves_workloads(self) -> bool {
        self.served().is_none_or(|served| served.workloads)
    }

    /// Are policies for Gateways of use to it?
    pub(crate) fn serves_gateways(self) -> bool {
        self.served().is_none_or(|served| !served.gateway_controllers.is_empty())
    }

    /// The targets that it serves; `None` for one place.
    fn served(self) -> Option<ServedTargets> {
        match self {
            Self::One => None,
            Self::Targets(served) => Some(served),
        }
    }
}

// === impl ProxyPods ===

impl ProxyPods {
    /// The namespace and the name of the Gateway that a pod belongs to.
    fn gateway_of<'p>(&self, key: &'p Key, pod: &'p Pod) -> Option<(&'p str, &'p str)> {
        let name = pod.labels.get(self.gateway_label)?;
        let namespace = match self.elsewhere {
            None => &key.namespace,
            Some(Elsewhere { namespace, .. }) if key.namespace != namespace => return None,
            Some(Elsewhere { label, .. }) => pod.labels.get(label)?,
        };
        Some((namespace, name))
    }

    /// The running pods whose proxies may have a configuration of `namespace`. Those that are being deleted do not count.
    pub(crate) fn of<'s>(
        self,
        namespace: &'s str,
        cluster_state: &'s ClusterState,
    ) -> impl Iterator<Item = (&'s Key, &'s Pod)> {
        let elsewhere = self.elsewhere.map(|elsewhere| elsewhere.namespace);
        let elsewhere = elsewhere.filter(|elsewhere| *elsewhere != namespace).into_iter();
        let elsewhere = elsewhere.flat_map(|elsewhere| cluster_state.pods_of(elsewhere));
        let elsewhere = elsewhere.filter(move |(key, pod)| {
            self.gateway_of(key, pod).is_some_and(|(of, _)| of == namespace)
        });
        let all = cluster_state.pods_of(namespace).chain(elsewhere);
        all.filter(|(_, pod)| !pod.terminating)
    }

    /// Is a policy of `namespace` that is placed so for the proxy of that pod?
    pub(crate) fn is_placed(
        &self,
        placement: &Placement,
        namespace: &str,
        pod: (&Key, &Pod),
    ) -> bool {
        placement.places.iter().any(|place| self.is_among(namespace, &place.proxies, pod))
    }

    /// Is the bundle for the proxy of that pod?
    pub(crate) fn is_for(&self, bundle: &BundleKey, pod: (&Key, &Pod)) -> bool {
        match bundle {
            BundleKey::All => false,
            BundleKey::Of { namespace, proxies } => self.is_among(namespace, proxies, pod),
        }
    }

    /// Is the proxy of that pod among these of a namespace? A pod of a Gateway is no workload.
    fn is_among(&self, namespace: &str, proxies: &TargetProxies, (key, pod): (&Key, &Pod)) -> bool {
        let gateway = self.gateway_of(key, pod);
        match proxies {
            TargetProxies::Workloads(labels) => {
                let is_gateway = is_gateway(pod) || gateway.is_some();
                key.namespace == namespace && !is_gateway && includes(&pod.labels, labels)
            }
            TargetProxies::Gateway(name) => gateway == Some((namespace, name)),
        }
    }

    /// The namespaces of the Gateways that a changed pod belongs or belonged to.
    pub(crate) fn gateway_namespaces(
        &self,
        change: &Change,
        known: &ClusterState,
    ) -> BTreeSet<String> {
        let (Some(_), Change::Pod(delta)) = (self.elsewhere, change) else {
            return BTreeSet::new();
        };
        let after = match delta {
            Delta::Apply(key, pod) => Some((key, pod)),
            Delta::Delete(_) | Delta::Reset(_) => None,
        };
        let before = delta.key().and_then(|key| known.pods.get_key_value(key));
        let pods = before.into_iter().chain(after);
        let gateways = pods.filter_map(|(key, pod)| self.gateway_of(key, pod));
        gateways.map(|(namespace, _)| namespace.to_owned()).collect()
    }

    /// The address of the metrics of a pod's proxy.
    pub(crate) fn address(&self, pod: &Pod) -> Option<SocketAddr> {
        Some(SocketAddr::new(pod.address?, self.stats_port))
    }
}
