//! Targets: what a policy names as its place, and which proxies that is in the cluster as it stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use corsward_api::v1alpha1::{CorsPolicySpec, Selector, TargetRef};
use corsward_policy::Finding;
use serde::{Deserialize, Serialize};

use crate::cluster_state::{
    ClusterState, Key, Labels, Pod, PodProxy, Service, ServicePort, TargetPort,
};
use crate::finding::TargetReason;
use crate::gateway_controller::{FilterSupport, serving};

/// The label of a namespace or a pod that is in Istio's ambient mode, and its value.
pub const AMBIENT: (&str, &str) = ("istio.io/dataplane-mode", "ambient");

/// The label of a Gateway's pods that names it (Gateway API, GEP-1762).
pub(crate) const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// The declared target of a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Target {
    /// Every workload of its namespace.
    #[default]
    Namespace,
    /// The pods with these labels.
    Selector(Arc<Labels>),
    /// These objects.
    Refs(Vec<TargetRef>),
}

/// The effective target of a policy, in the current cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// Every place.
    pub places: Vec<ProxySet>,
    /// Targets that do not exist.
    pub missing: Vec<Finding>,
    /// Targets that exist and cannot be served.
    pub refused: Vec<Finding>,
    /// Gateways whose proxies run no filter, each with its finding. They are none of `places`.
    pub unserved: Vec<(ProxySet, Finding)>,
    /// Gateways among `places` whose proxies may run none, and why.
    pub doubtful: Vec<Finding>,
}

/// A set of proxies, or a part of what they listen to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProxySet {
    /// The proxies.
    pub proxies: TargetProxies,
    /// The ports they listen to; absent: every one. Empty: of a port by name, which no running pod has yet.
    pub ports: Option<BTreeSet<u16>>,
}

/// A set of proxies of a namespace. An object that holds their bundle names them by this as JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum TargetProxies {
    /// The sidecars of the pods that have all these labels; none: of all pods.
    Workloads(Arc<Labels>),
    /// The proxies of the Gateway of that name.
    Gateway(String),
}

// === impl Target ===

impl Target {
    /// The declared target of a spec.
    pub fn of(spec: &CorsPolicySpec) -> Self {
        match (&spec.selector, spec.target_refs.as_slice()) {
            (Some(Selector { match_labels }), _) => Self::Selector(Arc::new(match_labels.clone())),
            (None, []) => Self::Namespace,
            (None, refs) => Self::Refs(refs.to_vec()),
        }
    }

    /// The field that names it.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Namespace => "spec",
            Self::Selector(_) => "spec.selector",
            Self::Refs(_) => "spec.targetRefs",
        }
    }

    /// The effective target, for a policy of `namespace`. The filter runs in the Gateways of `controllers`.
    pub(crate) fn place(
        &self,
        namespace: &str,
        cluster_state: &ClusterState,
        controllers: &[&str],
    ) -> Placement {
        let mut placement = Placement::default();
        match self {
            Self::Namespace => placement.add(TargetProxies::Workloads(Arc::default()), None),
            Self::Selector(labels) => {
                placement.add(TargetProxies::Workloads(Arc::clone(labels)), None);
            }
            Self::Refs(refs) => {
                for (at, target) in refs.iter().enumerate() {
                    let field = format!("spec.targetRefs[{at}]");
                    placement.add_target(&field, namespace, target, (cluster_state, controllers));
                }
            }
        }
        placement.refuse_ambient(namespace, cluster_state);
        // A placement is kept for as long as its policy.
        placement.places.shrink_to_fit();
        placement
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Namespace => f.write_str("Namespace"),
            Self::Selector(labels) => {
                let labels = labels.iter().map(|(name, value)| format!("{name}={value}"));
                f.write_str(&labels.collect::<Vec<_>>().join(","))
            }
            Self::Refs(refs) => {
                let names = refs.iter().map(|target| {
                    let section = target.section_name.as_ref().map(|name| format!(":{name}"));
                    format!("{}/{}{}", target.kind, target.name, section.unwrap_or_default())
                });
                f.write_str(&names.collect::<Vec<_>>().join(","))
            }
        }
    }
}

// === impl Placement ===

impl Placement {
    fn add(&mut self, proxies: TargetProxies, ports: Option<BTreeSet<u16>>) {
        let place = ProxySet { proxies, ports };
        if !self.places.contains(&place) {
            self.places.push(place);
        }
    }

    fn add_target(
        &mut self,
        field: &str,
        namespace: &str,
        target: &TargetRef,
        (cluster_state, controllers): (&ClusterState, &[&str]),
    ) {
        let key = Key { namespace: namespace.to_owned(), name: target.name.clone() };
        let missing = || TargetReason::NotFound {
            kind: target.kind.clone(),
            name: target.name.clone(),
            namespace: namespace.to_owned(),
        };
        let section = target.section_name.as_deref();
        match target.kind.as_str() {
            "Service" => match cluster_state.services.get(&key) {
                Some(service) => self.add_service(field, &key, service, section, cluster_state),
                None => self.missing.push(Finding::new(field, missing())),
            },
            "Gateway" => match cluster_state.gateways.get(&key) {
                Some(gateway) => {
                    let port = section.map(|name| (name, gateway.listeners.get(name).copied()));
                    let ports = match port {
                        Some((name, None)) => {
                            return self.miss_section(field, "Gateway", &key.name, name);
                        }
                        Some((_, Some(port))) => Some([port].into()),
                        None => None,
                    };
                    let served = serving(field, &key.name, gateway, cluster_state, controllers);
                    let proxies = TargetProxies::Gateway(key.name);
                    match served {
                        FilterSupport::Runs => self.add(proxies, ports),
                        FilterSupport::Doubtful(finding) => {
                            self.doubtful.push(finding);
                            self.add(proxies, ports);
                        }
                        FilterSupport::RunsNot(finding) => {
                            self.unserved.push((ProxySet { proxies, ports }, finding));
                        }
                    }
                }
                None => self.missing.push(Finding::new(field, missing())),
            },
            // Said by the review, which refuses the policy.
            _ => {}
        }
    }

    fn add_service(
        &mut self,
        field: &str,
        key: &Key,
        service: &Service,
        section: Option<&str>,
        cluster_state: &ClusterState,
    ) {
        let Service { selector, ports } = service;
        if selector.is_empty() {
            let reason = TargetReason::ServiceWithoutSelector(key.name.clone());
            self.refused.push(Finding::new(field, reason));
            return;
        }
        let proxies = TargetProxies::Workloads(Arc::new(selector.clone()));
        let Some(section) = section else { return self.add(proxies, None) };
        let port = ports.iter().find(|port| port.name.as_deref() == Some(section));
        if let Some(port) = port {
            let ports = pod_ports(port, &key.namespace, selector, cluster_state);
            self.add(proxies, Some(ports));
        } else {
            self.miss_section(field, "Service", &key.name, section);
        }
    }

    /// No object of that name has that section.
    fn miss_section(&mut self, field: &str, kind: &str, name: &str, section: &str) {
        let (kind, name, section) = (kind.to_owned(), name.to_owned(), section.to_owned());
        let reason = TargetReason::SectionNotFound { kind, name, section };
        self.missing.push(Finding::new(format!("{field}.sectionName"), reason));
    }

    /// Everything that there is to say about its targets.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let Self { places: _, missing, refused, unserved, doubtful } = self;
        let unserved = unserved.iter().map(|(_, finding)| finding);
        missing.iter().chain(refused).chain(unserved).chain(doubtful)
    }

    /// The reason why no proxy can run it, if that is because of Gateways without the filter.
    pub(crate) fn why_nowhere(&self) -> Option<&Finding> {
        self.unserved.first().map(|(_, finding)| finding).filter(|_| self.places.is_empty())
    }

    /// Workloads in ambient mode have no proxy of their own: their requests meet a filter at a waypoint only, which is a Gateway.
    fn refuse_ambient(&mut self, namespace: &str, cluster_state: &ClusterState) {
        let (name, value) = AMBIENT;
        let namespace_is_ambient = cluster_state
            .namespaces
            .get(namespace)
            .is_some_and(|namespace| namespace.labels.get(name).is_some_and(|v| v == value));
        let is_ambient = |labels: &Labels| {
            let mut pods = pods(namespace, labels, cluster_state).peekable();
            match pods.peek() {
                Some(_) => {
                    pods.all(|pod| pod.ambient || (namespace_is_ambient && !pod.has_proxy()))
                }
                None => namespace_is_ambient,
            }
        };
        let workloads = self.places.iter().filter_map(|place| match &place.proxies {
            TargetProxies::Workloads(labels) => Some(labels),
            TargetProxies::Gateway(_) => None,
        });
        if workloads.into_iter().any(|labels| is_ambient(labels)) {
            let reason = TargetReason::Ambient(namespace.to_owned());
            self.refused.push(Finding::new("spec.targetRefs", reason));
        }
    }
}

/// The running pods of `namespace` with these labels.
fn pods<'s>(
    namespace: &str,
    labels: &'s Labels,
    cluster_state: &'s ClusterState,
) -> impl Iterator<Item = &'s Pod> {
    let all = cluster_state.pods_of(namespace).map(|(_, pod)| pod);
    all.filter(|pod| includes(&pod.labels, labels))
}

/// Is it a gateway's pod? Policies for workloads are not for it: those for the Gateway are.
pub(crate) fn is_gateway(pod: &Pod) -> bool {
    pod.proxy == PodProxy::Gateway || pod.labels.contains_key(GATEWAY_NAME)
}

/// Has `all` every label of `some`, with its value?
pub(crate) fn includes(all: &Labels, some: &Labels) -> bool {
    some.iter().all(|(name, value)| all.get(name) == Some(value))
}

/// The numbers of a Service's port at its pods.
fn pod_ports(
    port: &ServicePort,
    namespace: &str,
    selector: &Labels,
    cluster_state: &ClusterState,
) -> BTreeSet<u16> {
    match &port.target {
        TargetPort::Number(number) => [*number].into(),
        TargetPort::Name(name) => pods(namespace, selector, cluster_state)
            .filter_map(|pod| pod.ports.get(name).copied())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_state::{Change, Delta, Gateway, Namespace, Pod};
    use crate::publish::istio::{CONTROLLERS, REACH};

    fn key(name: &str) -> Key {
        Key { namespace: "shop".into(), name: name.into() }
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn service(selector: &[(&str, &str)], ports: &[(&str, TargetPort)]) -> Service {
        let ports = ports.iter().map(|(name, target)| ServicePort {
            name: Some((*name).to_owned()),
            port: 80,
            target: target.clone(),
            app_protocol: None,
        });
        Service { selector: labels(selector), ports: ports.collect() }
    }

    fn shop() -> ClusterState {
        let mut shop = ClusterState::default();
        let ports = [("http", TargetPort::Number(8080)), ("named", TargetPort::Name("web".into()))];
        let api = service(&[("app", "api")], &ports);
        shop.on(Change::Service(Delta::Apply(key("api"), api)));
        shop.on(Change::Service(Delta::Apply(key("external"), service(&[], &[]))));
        let listeners = [("https".to_owned(), 443)].into();
        let gateway = Gateway { class: "istio".into(), listeners };
        shop.on(Change::Gateway(Delta::Apply(key("edge"), gateway)));
        shop
    }

    fn target(kind: &str, name: &str, section: Option<&str>) -> Target {
        let group = if kind == "Gateway" { "gateway.networking.k8s.io" } else { "" };
        Target::Refs(vec![TargetRef {
            group: group.into(),
            kind: kind.into(),
            name: name.into(),
            section_name: section.map(str::to_owned),
        }])
    }

    fn place(target: &Target, cluster_state: &ClusterState) -> Placement {
        target.place("shop", cluster_state, &CONTROLLERS)
    }

    fn codes(findings: &[Finding]) -> Vec<&'static str> {
        findings.iter().map(Finding::code).collect()
    }

    fn pod(pairs: &[(&str, &str)], port: u16) -> Pod {
        let ports = [("web".to_owned(), port)].into();
        Pod { labels: labels(pairs), ports, proxy: PodProxy::Sidecar, ..Pod::default() }
    }

    #[test]
    fn a_service_is_its_selector_and_a_section_its_port() {
        let shop = shop();
        let places = |section| place(&target("Service", "api", section), &shop).places;
        let proxies = TargetProxies::Workloads(Arc::new(labels(&[("app", "api")])));
        assert_eq!(places(None), [ProxySet { proxies: proxies.clone(), ports: None }]);
        let ports = Some([8080].into());
        assert_eq!(places(Some("http")), [ProxySet { proxies, ports }]);
    }

    #[test]
    fn workloads_are_counted_with_a_proxy_or_without() {
        let mut shop = shop();
        let api = pod(&[("app", "api")], 80);
        let plain = Pod { proxy: PodProxy::None, ..api.clone() };
        let going = Pod { terminating: true, ..api.clone() };
        let gateway = pod(&[("app", "api"), (GATEWAY_NAME, "edge")], 80);
        let router = Pod { proxy: PodProxy::Gateway, ..api.clone() };
        for (name, pod) in [("a", api), ("b", plain), ("c", going), ("d", gateway), ("e", router)] {
            shop.on(Change::Pod(Delta::Apply(key(name), pod)));
        }
        let count = |target: &Target| {
            let (pods, placement) = (REACH.pods().unwrap(), place(target, &shop));
            pods.of("shop", &shop).filter(|pod| pods.is_placed(&placement, "shop", *pod)).count()
        };
        assert_eq!(count(&target("Service", "api", None)), 2, "with a sidecar and without");
        assert_eq!(count(&Target::Namespace), 2, "no policy for workloads is for a gateway's pods");
        assert_eq!(count(&target("Gateway", "edge", None)), 1);
    }

    #[test]
    fn a_port_by_name_is_what_the_pods_call_so() {
        let mut shop = shop();
        let ports = |shop: &ClusterState| {
            place(&target("Service", "api", Some("named")), shop).places[0].ports.clone()
        };
        assert_eq!(ports(&shop), Some(BTreeSet::new()), "no pod runs yet");
        shop.on(Change::Pod(Delta::Apply(key("a"), pod(&[("app", "api")], 9000))));
        shop.on(Change::Pod(Delta::Apply(key("b"), pod(&[("app", "other")], 7000))));
        assert_eq!(ports(&shop), Some([9000].into()));
    }

    #[test]
    fn what_is_missing_is_named_and_so_is_what_cannot_be_served() {
        let shop = shop();
        for (why, kind, name, section, want) in [
            ("no such Service", "Service", "web", None, "CORS-E524"),
            ("no such port", "Service", "api", Some("grpc"), "CORS-E525"),
            ("no such Gateway", "Gateway", "inner", None, "CORS-E524"),
            ("no such listener", "Gateway", "edge", Some("http"), "CORS-E525"),
        ] {
            let placement = place(&target(kind, name, section), &shop);
            assert_eq!(codes(&placement.missing), [want], "{why}");
            assert_eq!(placement.places, [], "{why}");
        }
        let placement = place(&target("Service", "external", None), &shop);
        assert_eq!(codes(&placement.refused), ["CORS-E526"]);
    }

    #[test]
    fn ambient_workloads_are_refused_unless_they_have_a_sidecar_all_the_same() {
        let mut shop = shop();
        let refused = |shop: &ClusterState, target: &Target| {
            codes(&place(target, shop).refused).contains(&"CORS-E527")
        };
        let api = target("Service", "api", None);
        assert!(!refused(&shop, &api));
        let labels = labels(&[AMBIENT]);
        let namespace = Namespace { labels, ..Namespace::default() };
        shop.on(Change::Namespace(Delta::Apply("shop".into(), namespace)));
        assert!(refused(&shop, &api));
        assert!(refused(&shop, &Target::Namespace));
        assert!(!refused(&shop, &target("Gateway", "edge", None)), "a waypoint is a Gateway");
        shop.on(Change::Pod(Delta::Apply(key("a"), pod(&[("app", "api")], 9000))));
        assert!(!refused(&shop, &api));
    }
}
