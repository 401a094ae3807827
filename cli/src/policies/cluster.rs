//! Cluster: the plan of a cluster that has the objects of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corsward_api::v1alpha1::TargetRef;
use corsward_operator_core::bundle::Bundle;
use corsward_operator_core::cluster_state::{
    Change, Delta, Gateway, Key, Namespace, NamespaceMode, Service, ServicePort, TargetPort,
};
use corsward_operator_core::index::{Index, Scope};
use corsward_operator_core::object::Object;
use corsward_operator_core::plan::{Plan, Planned, ScopePlan};
use corsward_operator_core::publish::istio::REACH;
use corsward_operator_core::targets::Target;
use corsward_operator_core::validation::Validation;
use corsward_policy::{Finding, PolicyId};

use super::LiveObjects;
use super::parallel::map;
use super::proxies::OffSwitch;

/// The label of the pods of a Service that no file shows.
pub(super) const STAND_IN: &str = "corsward.io/service";

/// The objects beside policies, and the plan of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    services: BTreeMap<Key, Service>,
    gateways: BTreeMap<Key, Gateway>,
    /// The Services, and the Gateways with a listener, that policies name and no file shows.
    unseen: Vec<String>,
    /// The namespaces in which no policy is in force.
    off: BTreeSet<String>,
    /// No policy of any namespace is in force.
    is_all_off: bool,
    plans: Vec<Plan>,
}

// === impl Cluster ===

impl Cluster {
    pub(super) fn add(&mut self, services: Vec<(Key, Service)>, gateways: Vec<(Key, Gateway)>) {
        self.services.extend(services);
        self.gateways.extend(gateways);
    }

    /// Takes the objects in, of which it has none of that name.
    pub(super) fn borrow(&mut self, other: &Self) {
        for (key, service) in &other.services {
            self.services.entry(key.clone()).or_insert_with(|| service.clone());
        }
        for (key, gateway) in &other.gateways {
            self.gateways.entry(key.clone()).or_insert_with(|| gateway.clone());
        }
    }

    /// Plans validated policies. Nothing of the policies is validated again.
    pub(super) fn plan(
        &mut self,
        validated: Vec<(Object, Validation)>,
        namespaces: &BTreeMap<String, Namespace>,
        live: &LiveObjects,
    ) {
        let off = namespaces.iter().filter(|(_, it)| it.mode == NamespaceMode::Off);
        self.off = off.map(|(name, _)| name.clone()).collect();
        self.is_all_off = live.is_off;
        let mut index = Index::new(REACH.unseen());
        let mut put = |change| index.change(change);
        put(Change::Namespace(Delta::Reset(namespaces.clone())));
        self.stand_in(&validated, live);
        put(Change::Service(Delta::Reset(self.services.clone())));
        put(Change::Gateway(Delta::Reset(self.gateways.clone())));
        for (object, validation) in validated {
            index.apply_validated(object, validation);
        }
        let scopes: Vec<Scope> = index.take_changed().into_iter().collect();
        self.plans = map(scopes, |scope| {
            let mut plan = Plan::default();
            plan.update(&index, &scope);
            plan
        });
    }

    /// Adds a Service or a Gateway for each one that policies name and no file shows. Of two Services it is not known whether they share a
    /// pod, so they do not. One that a live cluster would show is not there.
    fn stand_in(&mut self, validated: &[(Object, Validation)], live: &LiveObjects) {
        // A target stands for what all policies say of it.
        let mut sections: BTreeMap<(&str, Key), BTreeSet<&str>> = BTreeMap::new();
        for (object, validation) in validated {
            let Some(accepted) = &validation.accepted else { continue };
            let Target::Refs(refs) = &accepted.target else { continue };
            for TargetRef { group: _, kind, name, section_name } in refs {
                let key = Key { namespace: object.id.namespace.clone(), name: name.clone() };
                let named = sections.entry((kind, key)).or_default();
                named.extend(section_name.as_deref());
            }
        }
        for ((kind, key), sections) in sections {
            if live.lists(kind, &key.namespace) {
                continue;
            }
            // Any numbers will do, as long as no two sections share one.
            let ports =
                (1_u16..).zip(&sections).map(|(port, section)| ((*section).to_owned(), port));
            let is_seen = match kind {
                "Gateway" => self.gateways.contains_key(&key) || sections.is_empty(),
                _ => self.services.contains_key(&key),
            };
            if !is_seen {
                self.unseen.push(format!("{kind} {}/{}", key.namespace, key.name));
            }
            if kind == "Gateway" {
                let gateway = || Gateway { listeners: ports.collect(), ..Gateway::default() };
                self.gateways.entry(key).or_insert_with(gateway);
            } else {
                let selector = [(STAND_IN.to_owned(), key.name.clone())].into();
                let ports = ports.map(|(name, port)| ServicePort {
                    name: Some(name),
                    port,
                    target: TargetPort::Number(port),
                    app_protocol: None,
                });
                let service = || Service { selector, ports: ports.collect() };
                self.services.entry(key).or_insert_with(service);
            }
        }
    }

    /// The objects whose content decides which proxies get a policy, and which no file shows.
    pub(super) fn unseen(&self) -> &[String] {
        &self.unseen
    }

    /// The findings about a policy beside the others of its proxies, about its targets, and about what the operator would not publish.
    pub(super) fn findings(&self, id: &PolicyId) -> Vec<Finding> {
        let planned = self.scope(&id.namespace).and_then(|scope| scope.policies.get(id));
        let findings = planned.into_iter().flat_map(|planned| {
            let about_it = planned.about_other_policies().chain(planned.placement.findings());
            about_it.cloned().chain(planned.about_size())
        });
        findings.collect()
    }

    fn scope(&self, namespace: &str) -> Option<&ScopePlan> {
        let at = self.plans.binary_search_by(|plan| {
            let scope = plan.scopes().keys().next().and_then(Scope::namespace);
            scope.unwrap_or_default().cmp(namespace)
        });
        self.plans.get(at.ok()?)?.scopes().values().next()
    }

    /// Every policy of the plan in a namespace.
    pub(super) fn planned(&self, namespace: &str) -> impl Iterator<Item = &Planned> {
        self.scope(namespace).into_iter().flat_map(|scope| scope.policies.values())
    }

    /// The switch that keeps the policies of a namespace out of force; `None`: those of the whole cluster.
    pub(super) fn off(&self, namespace: Option<&str>) -> Option<OffSwitch> {
        if self.is_all_off {
            return Some(OffSwitch::Cluster);
        }
        namespace.filter(|name| self.off.contains(*name)).map(|_| OffSwitch::Namespace)
    }

    pub(super) fn service(&self, key: &Key) -> Option<&Service> {
        self.services.get(key)
    }

    pub(super) fn gateway(&self, key: &Key) -> Option<&Gateway> {
        self.gateways.get(key)
    }

    /// The bundles of all proxies.
    pub(super) fn bundles(&self) -> impl Iterator<Item = &Arc<Bundle>> {
        let scopes = self.plans.iter().flat_map(|plan| plan.scopes().values());
        scopes.flat_map(ScopePlan::bundles).map(|(_, bundle)| bundle)
    }
}
