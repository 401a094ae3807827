//! Report: the observations about the places of one policy, one after the other, and the findings that follow from them.

use std::collections::{BTreeMap, BTreeSet};

use corsward_policy::Finding;
use corsward_policy::finding::{Names, Reason};

use super::Traffic;
use crate::cluster_state::{Key, Labels, ServicePort, TargetPort};
use crate::finding::{GatewayReason, TrafficReason, WithoutSidecar};
use crate::protocol::Protocol;
use crate::targets::{ProxySet, TargetProxies};

/// The observations. They are sorted and named by long-lived objects: a rolling deployment changes no word.
#[derive(Debug, Default)]
pub(super) struct TrafficReport<'s> {
    without_sidecar: BTreeMap<WithoutSidecar, BTreeSet<&'s str>>,
    undeclared: BTreeSet<String>,
    /// Not HTTP, where there is HTTP beside it, and where there is none.
    not_http: [BTreeSet<String>; 2],
    excluded: BTreeSet<(&'s str, u16)>,
    /// The Services of the policy's pods.
    services: BTreeSet<&'s str>,
    attached: BTreeSet<&'s Key>,
    /// Routes whose CORS filter a Gateway does not enforce, and those Gateways.
    unenforced: (BTreeSet<&'s Key>, BTreeSet<&'s Key>),
}

/// Ports of Services, by the Service's name and the number.
type Ports<'s> = BTreeMap<(&'s str, u16), &'s ServicePort>;

// === impl TrafficReport ===

impl<'s> TrafficReport<'s> {
    pub(super) fn look_at(&mut self, traffic: &Traffic<'s>, place: &ProxySet) {
        let ProxySet { proxies, ports } = place;
        match proxies {
            TargetProxies::Workloads(labels) => {
                let mut leading = declared(traffic, labels, ports.as_ref());
                leading.extend(self.living(traffic, labels, ports.as_ref()));
                self.services.extend(leading.keys().map(|(service, _)| *service));
                if traffic.sees_sidecars {
                    self.record_ports(&leading);
                }
            }
            TargetProxies::Gateway(name) => {
                let attached = traffic.native_cors.attached(name, ports.as_ref());
                self.attached.extend(attached.filter(|one| one.enforced).map(|one| one.route));
                self.look_at_unserved(traffic, place);
            }
        }
    }

    /// Looks at a Gateway whose proxies need not run the filter.
    pub(super) fn look_at_unserved(&mut self, traffic: &Traffic<'s>, place: &ProxySet) {
        let TargetProxies::Gateway(name) = &place.proxies else { return };
        let attached = traffic.native_cors.attached(name, place.ports.as_ref());
        for one in attached.filter(|one| !one.enforced) {
            self.unenforced.0.insert(one.route);
            self.unenforced.1.insert(one.gateway);
        }
    }

    /// Returns the ports of the Services of running pods, and records the causes that keep requests from their sidecars.
    fn living(
        &mut self,
        traffic: &Traffic<'s>,
        labels: &Labels,
        ports: Option<&BTreeSet<u16>>,
    ) -> Ports<'s> {
        let mut leading = Ports::new();
        for group in traffic.groups_of(labels) {
            let workload = group.pod.workload.as_str();
            let cause = group.without_sidecar(traffic.namespace);
            if let Some(cause) = cause.filter(|_| traffic.sees_sidecars) {
                self.without_sidecar.entry(cause).or_default().insert(workload);
            }
            for arrival in group.arrivals_at(ports) {
                leading.insert((arrival.service, arrival.port.port), arrival.port);
                let is_kept = group.pod.has_proxy() && !group.pod.inbound.includes(arrival.number);
                // What the filter would not see anyway is said elsewhere.
                if is_kept && !matches!(Protocol::of(arrival.port), Protocol::Other(_)) {
                    self.excluded.insert((workload, arrival.number));
                }
            }
        }
        leading
    }

    /// Judges what the ports of one place are declared to carry.
    fn record_ports(&mut self, ports: &Ports<'s>) {
        let protocols: Vec<_> =
            ports.iter().map(|(name, port)| (name, Protocol::of(port))).collect();
        let has_http =
            protocols.iter().any(|(_, protocol)| !matches!(protocol, Protocol::Other(_)));
        for ((service, number), protocol) in protocols {
            let name = format!("{service}:{number}");
            match protocol {
                Protocol::Http => {}
                Protocol::Undeclared => drop(self.undeclared.insert(name)),
                Protocol::Other(word) => {
                    let [beside, alone] = &mut self.not_http;
                    let name = format!("{name} ({word})");
                    // Beside HTTP, a database's port is no mistake.
                    if !has_http {
                        alone.insert(name);
                    } else if ["https", "tls"].contains(&word.as_str()) {
                        beside.insert(name);
                    }
                }
            }
        }
    }

    pub(super) fn findings(self, traffic: &Traffic<'s>, field: &str, keeps: bool) -> Vec<Finding> {
        let native_cors = &traffic.native_cors;
        let unenforced = self.unenforced_routes(traffic);
        let mut reasons = Vec::new();
        for (cause, workloads) in self.without_sidecar {
            let namespace = traffic.name.to_owned();
            let workloads = workloads.into_iter().collect();
            reasons.push(TrafficReason::WithoutSidecar { workloads, namespace, cause });
        }
        let [beside, alone] = self.not_http;
        let beside: Names = beside.difference(&alone).cloned().collect();
        let excluded = self.excluded.iter().map(|(workload, port)| format!("{workload}:{port}"));
        let virtual_services = objects(native_cors.virtual_services(&self.services));
        let enforced = native_cors.routes(&self.services).into_iter();
        let enforced = enforced.filter(|route| native_cors.is_enforced(route));
        let routes = objects(enforced.collect());
        let found = [
            (self.undeclared.into_iter().collect(), TrafficReason::Undeclared as fn(Names) -> _),
            (alone.into_iter().collect(), |ports| TrafficReason::NotHttp { ports, beside: false }),
            (beside, |ports| TrafficReason::NotHttp { ports, beside: true }),
            (excluded.collect(), TrafficReason::Excluded),
            (virtual_services, TrafficReason::VirtualService),
            (routes, TrafficReason::RouteBefore),
        ];
        let found = found.into_iter().filter(|(names, _)| !names.is_empty());
        reasons.extend(found.map(|(names, reason)| reason(names)));
        let routes = objects(self.attached);
        if !routes.is_empty() {
            reasons.push(TrafficReason::RouteWithin { routes, kept: keeps });
        }
        let reasons = reasons.into_iter().map(Reason::from);
        reasons.chain(unenforced).map(|reason| Finding::new(field, reason)).collect()
    }

    /// The routes before and within the policy's proxies whose CORS filter has no effect.
    fn unenforced_routes(&self, traffic: &Traffic<'s>) -> Option<Reason> {
        let native_cors = &traffic.native_cors;
        let (mut routes, mut gateways) = self.unenforced.clone();
        for route in native_cors.routes(&self.services) {
            let without = native_cors.unenforced(route);
            routes.extend((!without.is_empty()).then_some(route));
            gateways.extend(without);
        }
        let (routes, gateways) = (objects(routes), objects(gateways));
        let reason = GatewayReason::RouteUnenforced { routes: routes.clone(), gateways };
        (!routes.is_empty()).then(|| reason.into())
    }
}

/// Returns the ports of the Services of pods with these labels, running or not.
fn declared<'s>(
    traffic: &Traffic<'s>,
    labels: &Labels,
    ports: Option<&BTreeSet<u16>>,
) -> Ports<'s> {
    let is_meant = |port: &&ServicePort| match (&port.target, ports) {
        (_, None) => true,
        (TargetPort::Number(number), Some(ports)) => ports.contains(number),
        (TargetPort::Name(_), Some(_)) => false,
    };
    let services = traffic.services_of(labels);
    let ports = services.flat_map(|(name, service)| {
        service.ports.iter().filter(is_meant).map(move |port| ((name, port.port), port))
    });
    ports.collect()
}

/// Objects by their namespaces and names.
fn objects(keys: BTreeSet<&Key>) -> Names {
    keys.into_iter().map(|Key { namespace, name }| format!("{namespace}/{name}")).collect()
}
