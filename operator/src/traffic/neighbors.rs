//! Neighbours: CORS settings of a mesh and of gateways, by what they lead to.

use std::collections::{BTreeMap, BTreeSet};

use crate::surroundings::{Key, NativeCors, Surroundings};

/// The settings that lead to Services and Gateways of one namespace.
#[derive(Debug)]
pub(super) struct Neighbors<'s> {
    /// Istio's objects, by the names of the Services.
    virtual_services: BTreeMap<&'s str, Vec<&'s Key>>,
    /// Routes, by the names of the Services.
    routes: BTreeMap<&'s str, Vec<&'s Key>>,
    /// Routes, by the names of the Gateways, and the ports of the listeners; absent: of all.
    attached: BTreeMap<&'s str, Vec<(Option<u16>, &'s Key)>>,
}

// === impl Neighbors ===

impl<'s> Neighbors<'s> {
    pub(super) fn of(namespace: &'s str, surroundings: &'s Surroundings) -> Self {
        let Surroundings { virtual_services, http_routes, .. } = surroundings;
        let mut attached = BTreeMap::<_, Vec<_>>::new();
        for (key, route) in http_routes {
            for parent in route.gateways.iter().filter(|to| to.gateway.namespace == namespace) {
                let gateway = surroundings.gateways.get(&parent.gateway);
                let listener = parent.section.as_ref();
                let listener = listener
                    .and_then(|name| gateway.and_then(|gateway| gateway.listeners.get(name)));
                let port = listener.copied().or(parent.port);
                attached.entry(parent.gateway.name.as_str()).or_default().push((port, key));
            }
        }
        Self {
            virtual_services: by_service(namespace, virtual_services),
            routes: by_service(namespace, http_routes),
            attached,
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
    ) -> impl Iterator<Item = &'s Key> {
        let is_meant = move |port: Option<u16>| match (port, ports) {
            (Some(port), Some(ports)) => ports.contains(&port),
            _ => true,
        };
        let attached = self.attached.get(gateway).into_iter().flatten();
        attached.filter(move |(port, _)| is_meant(*port)).map(|(_, key)| *key)
    }
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
