//! Native CORS: CORS settings of a mesh and of gateways, by what they lead to.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster_state::{ClusterState, Key, NativeCors};

/// The settings that lead to Services and Gateways of one namespace.
#[derive(Debug)]
pub(super) struct NativeCorsRoutes<'s> {
    /// Istio's objects, by the names of the Services.
    virtual_services: BTreeMap<&'s str, Vec<&'s Key>>,
    /// Routes, by the names of the Services.
    routes: BTreeMap<&'s str, Vec<&'s Key>>,
    /// Routes, by the names of the Gateways.
    attached: BTreeMap<&'s str, Vec<Attached<'s>>>,
    cluster_state: &'s ClusterState,
}

/// A route that is attached to a Gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attached<'s> {
    pub(super) route: &'s Key,
    pub(super) gateway: &'s Key,
    /// The port of the listener; absent: of all.
    port: Option<u16>,
    /// Does the Gateway enforce the CORS filter of the route, as far as is known?
    pub(super) enforced: bool,
}

// === impl NativeCorsRoutes ===

impl<'s> NativeCorsRoutes<'s> {
    pub(super) fn of(namespace: &'s str, cluster_state: &'s ClusterState) -> Self {
        let ClusterState { virtual_services, http_routes, .. } = cluster_state;
        let mut attached = BTreeMap::<_, Vec<_>>::new();
        for (key, route) in http_routes {
            for parent in route.gateways.iter().filter(|to| to.gateway.namespace == namespace) {
                let gateway = cluster_state.gateways.get(&parent.gateway);
                let listener = parent.section.as_ref();
                let listener = listener
                    .and_then(|name| gateway.and_then(|gateway| gateway.listeners.get(name)));
                let port = listener.copied().or(parent.port);
                let enforced = enforces(&parent.gateway, cluster_state);
                let one = Attached { route: key, gateway: &parent.gateway, port, enforced };
                attached.entry(parent.gateway.name.as_str()).or_default().push(one);
            }
        }
        Self {
            virtual_services: by_service(namespace, virtual_services),
            routes: by_service(namespace, http_routes),
            attached,
            cluster_state,
        }
    }

    /// The Istio objects that lead to one of these Services.
    pub(super) fn virtual_services(&self, services: &BTreeSet<&str>) -> BTreeSet<&'s Key> {
        leading(&self.virtual_services, services)
    }

    /// The routes that lead to one of these Services.
    pub(super) fn routes(&self, services: &BTreeSet<&str>) -> BTreeSet<&'s Key> {
        leading(&self.routes, services)
    }

    /// The routes that are attached to this Gateway, at one of these ports.
    pub(super) fn attached(
        &self,
        gateway: &str,
        ports: Option<&BTreeSet<u16>>,
    ) -> impl Iterator<Item = Attached<'s>> {
        let is_meant = move |port: Option<u16>| match (port, ports) {
            (Some(port), Some(ports)) => ports.contains(&port),
            _ => true,
        };
        let attached = self.attached.get(gateway).into_iter().flatten();
        attached.filter(move |one| is_meant(one.port)).copied()
    }

    /// The Gateways of a route that do not enforce its CORS filter.
    pub(super) fn unenforced(&self, route: &Key) -> BTreeSet<&'s Key> {
        let route = self.cluster_state.http_routes.get(route);
        let parents = route.into_iter().flat_map(|route| &route.gateways);
        let gateways = parents.map(|parent| &parent.gateway);
        gateways.filter(|gateway| !enforces(gateway, self.cluster_state)).collect()
    }

    /// Is the CORS filter of a route enforced anywhere, as far as is known?
    pub(super) fn is_enforced(&self, route: &Key) -> bool {
        let Some(route) = self.cluster_state.http_routes.get(route) else { return false };
        let mut gateways = route.gateways.iter().map(|parent| &parent.gateway);
        // Of what no Gateway is named nothing is known.
        route.in_mesh
            || route.gateways.is_empty()
            || gateways.any(|gateway| enforces(gateway, self.cluster_state))
    }
}

/// Does a Gateway enforce the CORS filters of its routes? It does unless its class lists other features, and not this one.
fn enforces(gateway: &Key, cluster_state: &ClusterState) -> bool {
    let gateway = cluster_state.gateways.get(gateway);
    let classes = cluster_state.gateway_classes.as_ref();
    let class = classes.and_then(|classes| classes.get(&gateway?.class));
    class.and_then(|class| class.supports_cors) != Some(false)
}

fn by_service<'s>(
    namespace: &'s str,
    objects: &'s BTreeMap<Key, NativeCors>,
) -> BTreeMap<&'s str, Vec<&'s Key>> {
    let mut by_service = BTreeMap::<_, Vec<_>>::new();
    for (key, object) in objects {
        let first = Key { namespace: namespace.to_owned(), name: String::new() };
        let services = object.services.range(first..);
        for service in services.take_while(|service| service.namespace == namespace) {
            by_service.entry(service.name.as_str()).or_default().push(key);
        }
    }
    by_service
}

fn leading<'s>(
    by_service: &BTreeMap<&'s str, Vec<&'s Key>>,
    services: &BTreeSet<&str>,
) -> BTreeSet<&'s Key> {
    // There may be many of either.
    if by_service.is_empty() {
        return BTreeSet::new();
    }
    services.iter().filter_map(|service| by_service.get(service)).flatten().copied().collect()
}
