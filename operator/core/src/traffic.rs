//! Traffic: how requests come to the pods of a namespace, and what keeps them from a policy's proxies or answers beside them.

mod native_cors;
mod report;

use std::collections::{BTreeSet, HashMap};

use corsward_policy::Finding;

use self::native_cors::NativeCorsRoutes;
use self::report::TrafficReport;
use crate::cluster_state::{
    ClusterState, Injection, Labels, Namespace, Pod, Service, ServicePort, TargetPort, within,
};
use crate::finding::WithoutSidecar;
use crate::protocol::Protocol;
use crate::targets::{AMBIENT, Placement, ProxySet, TargetProxies, includes, is_gateway};

/// The labels by which a namespace asks for sidecars, of the installation that is there or of one revision.
const INJECTION: [&str; 2] = ["istio-injection", REVISION];
/// The label of a namespace or of a pod that names a revision of Istio.
const REVISION: &str = "istio.io/rev";
/// The label by which a pod asks for a sidecar or for none.
pub const INJECT: &str = "sidecar.istio.io/inject";

/// The paths of requests to the pods of one namespace.
#[derive(Debug)]
pub struct Traffic<'s> {
    /// The namespace's name.
    name: &'s str,
    namespace: Option<&'s Namespace>,
    /// Those with a selector.
    services: Vec<(&'s str, &'s Service)>,
    /// For a selector's first label: the places of its Services in `services`.
    services_by_label: HashMap<(&'s str, &'s str), Vec<usize>>,
    groups: Vec<PodGroup<'s>>,
    groups_by_label: HashMap<(&'s str, &'s str), Vec<usize>>,
    native_cors: NativeCorsRoutes<'s>,
    /// Is it Istio's sidecars that are configured?
    sees_sidecars: bool,
}

/// Pods that do not differ in anything that matters here.
#[derive(Debug)]
struct PodGroup<'s> {
    pod: &'s Pod,
    port_bindings: Vec<PortBinding<'s>>,
}

/// A port of a Service that leads to a port of a pod.
#[derive(Clone, Copy, Debug)]
struct PortBinding<'s> {
    service: &'s str,
    port: &'s ServicePort,
    number: u16,
}

// === impl Traffic ===

impl<'s> Traffic<'s> {
    /// The paths of requests to the pods of a namespace.
    pub(crate) fn of(
        namespace: &'s str,
        cluster_state: &'s ClusterState,
        sees_sidecars: bool,
    ) -> Self {
        let services: Vec<_> = within(namespace, &cluster_state.services)
            .map(|(key, service)| (key.name.as_str(), service))
            .filter(|(_, service)| !service.selector.is_empty())
            .collect();
        let mut services_by_label = HashMap::<_, Vec<_>>::new();
        for (at, (_, service)) in services.iter().enumerate() {
            for (name, value) in service.selector.iter().take(1) {
                services_by_label.entry((name.as_str(), value.as_str())).or_default().push(at);
            }
        }
        let mut traffic = Self {
            name: namespace,
            namespace: cluster_state.namespaces.get(namespace),
            services,
            services_by_label,
            groups: Vec::new(),
            groups_by_label: HashMap::new(),
            native_cors: NativeCorsRoutes::of(namespace, cluster_state),
            sees_sidecars,
        };
        let pods = cluster_state.pods_of(namespace).map(|(_, pod)| pod);
        traffic.group(pods.filter(|pod| !pod.terminating));
        traffic
    }

    /// Groups the pods, and finds out what leads to each group.
    fn group(&mut self, pods: impl Iterator<Item = &'s Pod>) {
        let mut known = HashMap::new();
        for pod in pods {
            let at = *known.entry(pod.kind()).or_insert(self.groups.len());
            if at < self.groups.len() {
                continue;
            }
            let port_bindings = self.port_bindings(pod);
            for (name, value) in &pod.labels {
                let label = (name.as_str(), value.as_str());
                self.groups_by_label.entry(label).or_default().push(at);
            }
            self.groups.push(PodGroup { pod, port_bindings });
        }
    }

    fn port_bindings(&self, pod: &Pod) -> Vec<PortBinding<'s>> {
        let ports = self.services_of(&pod.labels).flat_map(|(service, spec)| {
            spec.ports.iter().filter_map(move |port| {
                let number = match &port.target {
                    TargetPort::Number(number) => *number,
                    TargetPort::Name(name) => *pod.ports.get(name)?,
                };
                Some(PortBinding { service, port, number })
            })
        });
        ports.collect()
    }

    /// The Services that select every pod with these labels.
    fn services_of<'l>(
        &'l self,
        labels: &'l Labels,
    ) -> impl Iterator<Item = (&'s str, &'s Service)> + 'l {
        let candidates = labels.iter().filter_map(|(name, value)| {
            self.services_by_label.get(&(name.as_str(), value.as_str()))
        });
        candidates
            .flatten()
            .filter_map(|at| self.services.get(*at))
            .filter(|(_, service)| includes(labels, &service.selector))
            .copied()
    }

    /// The groups of pods that have these labels, but for those of Gateways.
    fn groups_of<'l>(
        &'l self,
        labels: &'l Labels,
    ) -> Box<dyn Iterator<Item = &'l PodGroup<'s>> + 'l> {
        let is_meant =
            |group: &&PodGroup<'s>| !group.is_gateway() && includes(&group.pod.labels, labels);
        match labels.first_key_value() {
            None => Box::new(self.groups.iter().filter(is_meant)),
            Some((name, value)) => {
                let at = self.groups_by_label.get(&(name.as_str(), value.as_str()));
                let groups = at.into_iter().flatten().filter_map(|at| self.groups.get(*at));
                Box::new(groups.filter(is_meant))
            }
        }
    }

    /// May requests bypass the HTTP filters of a pod's proxy at these places? In a pod with a proxy: at a port without a protocol, or
    /// one that is not intercepted.
    pub(crate) fn bypasses(&self, pod: &Pod, places: &[ProxySet]) -> bool {
        let is_at = |number: u16| {
            places.iter().any(|place| match &place.proxies {
                TargetProxies::Workloads(labels) => {
                    let is_meant = place.ports.as_ref().is_none_or(|ports| ports.contains(&number));
                    is_meant && includes(&pod.labels, labels)
                }
                TargetProxies::Gateway(_) => false,
            })
        };
        let bypasses = |arrival: &PortBinding<'_>| match Protocol::of(arrival.port) {
            Protocol::Http => !pod.inbound.includes(arrival.number),
            Protocol::Undeclared => true,
            Protocol::Other(_) => false,
        };
        let is_meant = self.sees_sidecars && pod.has_proxy() && !is_gateway(pod);
        is_meant
            && self
                .port_bindings(pod)
                .iter()
                .any(|arrival| is_at(arrival.number) && bypasses(arrival))
    }

    /// The findings about the requests to the places of a policy. `field` names the places; under `keeps` the policy keeps the
    /// upstream's headers.
    pub(crate) fn findings(&self, field: &str, placement: &Placement, keeps: bool) -> Vec<Finding> {
        let mut report = TrafficReport::default();
        for place in &placement.places {
            report.look_at(self, place);
        }
        for (place, _) in &placement.unserved {
            report.look_at_unserved(self, place);
        }
        report.findings(self, field, keeps)
    }
}

// === impl PodGroup ===

impl<'s> PodGroup<'s> {
    fn is_gateway(&self) -> bool {
        is_gateway(self.pod)
    }

    /// The routes to these ports.
    fn arrivals_at(&self, ports: Option<&BTreeSet<u16>>) -> impl Iterator<Item = &PortBinding<'s>> {
        let is_meant = move |number| ports.is_none_or(|ports| ports.contains(&number));
        self.port_bindings.iter().filter(move |arrival| is_meant(arrival.number))
    }

    /// The reason why these pods have no sidecar, if they have none.
    fn without_sidecar(&self, namespace: Option<&Namespace>) -> Option<WithoutSidecar> {
        let pod = self.pod;
        let of_namespace = |name| namespace.and_then(|namespace| namespace.labels.get(name));
        let (ambient, value) = AMBIENT;
        if pod.has_proxy() {
            None
        } else if pod.ambient || of_namespace(ambient).is_some_and(|found| found == value) {
            Some(WithoutSidecar::Ambient)
        } else if pod.injection != Injection::Usual {
            let is_on_node = pod.injection == Injection::HostNetwork;
            Some(if is_on_node { WithoutSidecar::HostNetwork } else { WithoutSidecar::OptedOut })
        } else {
            let is_asked = match INJECTION.map(of_namespace) {
                // It counts alone where it is there.
                [Some(injection), _] => injection == "enabled",
                [None, Some(_)] => true,
                [None, None] => {
                    pod.labels.get(INJECT).is_some_and(|inject| inject == "true")
                        || pod.labels.contains_key(REVISION)
                }
            };
            Some(if is_asked { WithoutSidecar::Older } else { WithoutSidecar::NotAsked })
        }
    }
}

#[cfg(test)]
mod tests;
