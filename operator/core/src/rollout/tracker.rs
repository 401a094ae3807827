//! Tracker: what the workloads of each namespace should run, and what their proxies reported of each policy. Made of the plan and of what
//! is published.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use corsward_policy::PolicyId;
use corsward_policy::wire::gauge_of;

use crate::bundle::{BundleKey, Desired, PublishStatus};
use crate::capabilities::ProxyPods;
use crate::cluster_state::{Key, Pod};
use crate::event::{Rollout, RolloutUpdate};
use crate::index::{Index, Scope};
use crate::plan::{Planned, ScopePlan};
use crate::targets::ProxySet;

/// A command to the poller.
#[derive(Clone, Debug)]
pub enum PollerCommand {
    /// The expected state of a namespace's workloads.
    Assign(String, Arc<Expected>),
    /// A different replica polls now.
    Rest,
}

/// The proxies as the controller knows them.
#[derive(Debug)]
pub struct Tracker {
    pods: ProxyPods,
    policies: BTreeMap<PolicyId, PolicyRevision>,
    rollouts: BTreeMap<PolicyId, Rollout>,
    /// The last assignments, by namespace.
    expected: BTreeMap<String, Arc<Expected>>,
    last_revision: u64,
}

/// The revision of a policy that its proxies run, and their places. Other changes of a policy do not start a new revision.
#[derive(Debug)]
struct PolicyRevision {
    revision: u64,
    digest: Arc<str>,
    places: Vec<ProxySet>,
    off: bool,
}

/// The expected state of a namespace's workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The published bundles.
    pub bundles: Vec<PublishedBundle>,
    /// Every workload that may count.
    pub workloads: Vec<Workload>,
    /// Sets of workloads: many policies are for the same ones.
    pub(crate) groups: Vec<WorkloadGroup>,
    /// Policies of which something is published.
    pub shares: BTreeMap<PolicyId, Share>,
}

/// The workloads that a policy is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkloadGroup {
    /// Their places in `workloads`.
    pub(crate) workloads: Vec<usize>,
    /// Those with a port that requests may come to past the filter.
    pub(crate) bypassed: BTreeSet<usize>,
}

/// The published bundle of a set of proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedBundle {
    /// Its proxies.
    pub key: BundleKey,
    /// The gauge of its digest.
    pub digest: u64,
    /// It is of a former shape, gives the same answers as what replaces it, and goes.
    pub retiring: bool,
}

/// A running pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The name of its pod, after its namespace and a slash if that is a different one.
    pub pod: String,
    /// The address of its proxy's metrics.
    pub address: Option<SocketAddr>,
    /// Whether there is a proxy in it.
    pub has_proxy: bool,
    /// The bundles that its proxy should run, by their places in `bundles`.
    pub bundles: Vec<usize>,
}

/// A policy's share in what is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The workloads it is for.
    pub(crate) group: usize,
    /// Its bundles, by their places in `bundles`.
    pub(crate) bundles: Vec<usize>,
    /// Its revision: reports about a previous one do not count.
    pub(crate) revision: u64,
    /// A newer configuration that holds it is on its way: what is published is not the last word.
    pub(crate) pending: bool,
}

/// A policy and where it is published, before anything is counted.
#[derive(Debug)]
struct Placed<'p> {
    /// The policy.
    id: &'p PolicyId,
    /// Its plan.
    planned: &'p Planned,
    /// Its revision.
    revision: u64,
    /// A newer configuration that holds it is on its way.
    pending: bool,
}

// === impl Tracker ===

impl Tracker {
    /// A tracker of the proxies in `pods`.
    pub(crate) fn new(pods: ProxyPods) -> Self {
        Self {
            pods,
            policies: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            expected: BTreeMap::new(),
            last_revision: 0,
        }
    }

    /// Stops all polls, and drops all reports.
    pub(crate) fn rest(&mut self) -> PollerCommand {
        *self = Self { last_revision: self.last_revision, ..Self::new(self.pods) };
        PollerCommand::Rest
    }

    /// Takes in what the workloads of a part should run; a command if that is new. `is_pending`: is a newer configuration on its way that holds the policy?
    pub(crate) fn assign(
        &mut self,
        scope: &Scope,
        index: &Index,
        plan: &ScopePlan,
        published: (Option<&BTreeMap<BundleKey, PublishStatus>>, &Desired),
        is_pending: impl Fn(&Planned) -> bool,
    ) -> Option<PollerCommand> {
        let namespace = scope.namespace()?;
        let off = index.why_off(scope).is_some();
        let gone = self.gone(namespace, plan);
        for id in &gone {
            self.forget(id);
        }
        let mut placed = Vec::new();
        for (id, planned) in &plan.policies {
            let in_force = index.entries().get(id).and_then(|entry| entry.in_force.as_ref());
            let digest = in_force.filter(|_| planned.in_force.is_some()).map(|known| &known.digest);
            let Some(digest) = digest else {
                self.forget(id);
                continue;
            };
            let pending = is_pending(planned);
            let revision = if pending {
                // What it will be counts from when it is there.
                self.policies.get(id).map(|version| version.revision)
            } else {
                Some(self.revision(id, digest, &planned.placement.places, off))
            };
            placed.extend(revision.map(|revision| Placed { id, planned, revision, pending }));
        }
        let (publish_statuses, desired) = published;
        let nothing = BTreeMap::new();
        let publish_statuses = publish_statuses.unwrap_or(&nothing);
        let expected =
            Expected::of(namespace, self.pods, index, plan, publish_statuses, desired, placed);
        self.expect(namespace, expected)
    }

    /// The version of a policy that is published now.
    fn revision(
        &mut self,
        id: &PolicyId,
        digest: &Arc<str>,
        places: &[ProxySet],
        off: bool,
    ) -> u64 {
        if let Some(known) = self.policies.get(id)
            && (&known.digest, &*known.places, known.off) == (digest, places, off)
        {
            return known.revision;
        }
        self.last_revision = self.last_revision.saturating_add(1);
        let (revision, digest, places) = (self.last_revision, Arc::clone(digest), places.to_vec());
        self.policies.insert(id.clone(), PolicyRevision { revision, digest, places, off });
        self.rollouts.remove(id);
        revision
    }

    fn expect(&mut self, namespace: &str, expected: Expected) -> Option<PollerCommand> {
        let known = self.expected.get(namespace);
        if known.map_or(expected.shares.is_empty(), |known| **known == expected) {
            return None;
        }
        let expected = Arc::new(expected);
        if expected.shares.is_empty() {
            self.expected.remove(namespace);
        } else {
            self.expected.insert(namespace.to_owned(), Arc::clone(&expected));
        }
        Some(PollerCommand::Assign(namespace.to_owned(), expected))
    }

    /// The policies of a namespace that are not in its plan any more.
    fn gone(&self, namespace: &str, plan: &ScopePlan) -> Vec<PolicyId> {
        let first = PolicyId { namespace: namespace.to_owned(), name: String::new() };
        let all = self.policies.range(first..).map(|(id, _)| id);
        let all = all.take_while(|id| id.namespace == namespace);
        all.filter(|id| !plan.policies.contains_key(*id)).cloned().collect()
    }

    fn forget(&mut self, id: &PolicyId) {
        self.policies.remove(id);
        self.rollouts.remove(id);
    }

    /// Takes in how policies stand, and says in which parts.
    pub(crate) fn record_rollouts(&mut self, updates: Vec<RolloutUpdate>) -> BTreeSet<Scope> {
        let mut scopes = BTreeSet::new();
        for RolloutUpdate { policy, revision, rollout } in updates {
            // Of another version nothing follows for this one.
            if self.policies.get(&policy).is_some_and(|version| version.revision == revision) {
                scopes.insert(Scope::Namespace(policy.namespace.clone()));
                self.rollouts.insert(policy, rollout);
            }
        }
        scopes
    }

    /// The rollout of a policy, if its workloads have reported.
    pub(crate) fn rollout(&self, id: &PolicyId) -> Option<&Rollout> {
        self.rollouts.get(id)
    }
}

// === impl Expected ===

impl Expected {
    /// The assignment of a namespace, where `placed` are the policies of which something is published, for proxies in `pods`.
    fn of(
        namespace: &str,
        pods: ProxyPods,
        index: &Index,
        plan: &ScopePlan,
        publish_statuses: &BTreeMap<BundleKey, PublishStatus>,
        desired: &Desired,
        placed: Vec<Placed<'_>>,
    ) -> Self {
        if placed.is_empty() {
            return Self::default();
        }
        let mut expected = Self {
            bundles: publish_statuses
                .values()
                .filter_map(|publish_status| PublishedBundle::of(publish_status, plan, desired))
                .collect(),
            ..Self::default()
        };
        let running: Vec<_> = pods.of(namespace, &index.cluster_state).collect();
        let traffic = index.traffic(namespace);
        let mut groups: BTreeMap<&[ProxySet], usize> = BTreeMap::new();
        for Placed { id, planned, revision, pending } in placed {
            let placement = &planned.placement;
            let next = groups.len();
            let group = *groups.entry(&placement.places).or_insert(next);
            if group == next {
                let is_meant = |pod: &(&Key, &Pod)| pods.is_placed(placement, namespace, *pod);
                let bypasses = |pod: &Pod| traffic.bypasses(pod, &placement.places);
                expected.groups.push(WorkloadGroup::of(&running, is_meant, bypasses));
            }
            let bundles = expected.bundles.iter().enumerate();
            let bundles = bundles.filter(|(_, expected)| planned.keys.contains(&expected.key));
            let bundles = bundles.map(|(at, _)| at).collect();
            expected.shares.insert(id.clone(), Share { group, bundles, revision, pending });
        }
        let workload = |(key, pod): &(&Key, &Pod)| Workload {
            pod: match key {
                Key { namespace: of, name } if of == namespace => name.clone(),
                Key { namespace, name } => format!("{namespace}/{name}"),
            },
            address: pods.address(pod),
            has_proxy: pod.has_proxy(),
            bundles: expected.bundles_of(pods, (key, pod)),
        };
        expected.workloads = running.iter().map(workload).collect();
        expected
    }

    fn bundles_of(&self, pods: ProxyPods, pod: (&Key, &Pod)) -> Vec<usize> {
        let bundles = self.bundles.iter().enumerate();
        let own = bundles.filter(|(_, expected)| pods.is_for(&expected.key, pod));
        own.map(|(at, _)| at).collect()
    }
}

// === impl WorkloadGroup ===

impl WorkloadGroup {
    fn of(
        running: &[(&Key, &Pod)],
        is_meant: impl Fn(&(&Key, &Pod)) -> bool,
        passes_by: impl Fn(&Pod) -> bool,
    ) -> Self {
        let meant = running.iter().enumerate().filter(|(_, pod)| is_meant(pod));
        let bypassed = meant.clone().filter(|(_, (_, pod))| passes_by(pod));
        Self {
            bypassed: bypassed.map(|(at, _)| at).collect(),
            workloads: meant.map(|(at, _)| at).collect(),
        }
    }
}

// === impl PublishedBundle ===

impl PublishedBundle {
    fn of(publish_status: &PublishStatus, plan: &ScopePlan, desired: &Desired) -> Option<Self> {
        let PublishStatus { key, digest, error: _ } = publish_status;
        let digest = digest.as_ref()?;
        let retiring = !plan.has(key);
        // What has not been brought up to date yet gives other answers.
        if retiring && desired.retiring.get(key).is_none_or(|wanted| wanted.digest != *digest) {
            return None;
        }
        Some(Self { key: key.clone(), digest: gauge_of(digest), retiring })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::bundle::Bundle;
    use crate::capabilities::Reach;
    use crate::cluster_state::{
        Change, Delta, Gateway, PodProxy, Service, ServicePort, TargetPort,
    };
    use crate::index::Scope;
    use crate::plan::Plan;
    use crate::publish::istio::REACH;
    use crate::targets::{GATEWAY_NAME, TargetProxies};
    use crate::testing::{id, object};

    /// A Gateway `edge`, and these pods with their labels.
    fn shop(pods: &[(&str, &[(&str, &str)])]) -> Index {
        shop_of(REACH.unseen(), pods)
    }

    fn shop_of(reach: Reach, pods: &[(&str, &[(&str, &str)])]) -> Index {
        let mut index = Index::new(reach);
        let key = |name: &str| Key { namespace: "shop".into(), name: name.into() };
        let gateway = Delta::Apply(key("edge"), Gateway::default());
        index.change(Change::Gateway(gateway));
        for (name, labels) in pods {
            let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let pod = Pod { labels, proxy: PodProxy::Sidecar, ..Pod::default() };
            index.change(Change::Pod(Delta::Apply(key(name), pod)));
        }
        index
    }

    /// The assignment where everything is published as planned, and `old` besides.
    fn assign(index: &Index, old: Option<&Bundle>, desired: &Desired) -> Expected {
        let (mut plan, scope) = (Plan::default(), Scope::Namespace("shop".into()));
        plan.update(index, &scope);
        let plan = plan.scope(&scope).unwrap();
        let published = plan.bundles().map(|(_, bundle)| &**bundle).chain(old);
        let publish_status = |one: &Bundle| PublishStatus {
            key: one.key.clone(),
            digest: Some(one.digest.clone()),
            error: None,
        };
        let publish_statuses =
            published.map(|one| (one.key.clone(), publish_status(one))).collect();
        let placed = plan.policies.iter();
        let placed =
            placed.map(|(id, planned)| Placed { id, planned, revision: 1, pending: false });
        let placed = placed.collect();
        let pods = REACH.pods().unwrap();
        Expected::of("shop", pods, index, plan, &publish_statuses, desired, placed)
    }

    /// The pods a policy is for, and how many objects each of them has.
    fn pods<'a>(expected: &'a Expected, policy: &str) -> Vec<(&'a str, usize)> {
        let group = &expected.groups[expected.shares[&id(policy)].group];
        let workloads = group.workloads.iter().map(|at| &expected.workloads[*at]);
        workloads.map(|workload| (&*workload.pod, workload.bundles.len())).collect()
    }

    #[test]
    fn each_policy_is_for_its_own_workloads_and_a_gateways_pods_are_the_gateways() {
        let edge = [(GATEWAY_NAME, "edge"), ("app", "api")];
        let mut index = shop(&[("a", &[("app", "api")]), ("b", &[("app", "web")]), ("e", &edge)]);
        let cors = json!({"allowOrigins": ["https://a.example"]});
        let selector = json!({"matchLabels": {"app": "api"}});
        index.apply(object("api", &json!({"selector": selector, "cors": cors})));
        let gateway =
            json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}]);
        index.apply(object("edge", &json!({"targetRefs": gateway, "cors": cors})));
        let expected = assign(&index, None, &Desired::default());
        assert_eq!(pods(&expected, "api"), [("a", 1)]);
        assert_eq!(pods(&expected, "edge"), [("e", 1)]);
        let unselected = expected.workloads.iter().find(|workload| workload.pod == "b").unwrap();
        assert_eq!(unselected.bundles, [0; 0], "nobody asks it");
    }

    #[test]
    fn a_workload_is_bypassed_where_a_port_of_the_policys_says_no_protocol() {
        let port = |name: &str, number| ServicePort {
            name: Some(name.to_owned()),
            port: number,
            app_protocol: None,
            target: TargetPort::Number(number),
        };
        let spec = |section: &str| {
            let section = (!section.is_empty()).then_some(section);
            let target =
                json!([{"group": "", "kind": "Service", "name": "api", "sectionName": section}]);
            json!({"targetRefs": target, "cors": {"allowOrigins": ["https://a.example"]}})
        };
        for (why, ports, section, want) in [
            ("HTTP", vec![port("http", 80)], "", 0),
            ("nobody says", vec![port("web", 80)], "", 1),
            ("one of two", vec![port("http", 80), port("web", 81)], "", 1),
            ("the policy is about the other", vec![port("http", 80), port("web", 81)], "http", 0),
            ("no HTTP filter is meant to see it", vec![port("http", 80), port("tcp", 81)], "", 0),
        ] {
            let mut index = shop_of(REACH, &[("a", &[("app", "api")])]);
            let selector = [("app".to_owned(), "api".to_owned())].into();
            let service = Service { selector, ports };
            let key = Key { namespace: "shop".into(), name: "api".into() };
            index.change(Change::Service(Delta::Apply(key, service)));
            index.apply(object("api", &spec(section)));
            let expected = assign(&index, None, &Desired::default());
            let group = &expected.groups[expected.shares[&id("api")].group];
            assert_eq!(group.bypassed.len(), want, "{why}");
        }
    }

    #[test]
    fn what_goes_counts_once_it_gives_the_same_answers() {
        let mut index = shop(&[("a", &[("app", "api")])]);
        let spec = json!({"cors": {"allowOrigins": ["https://a.example"]}});
        index.apply(object("all", &spec));
        let labels = Arc::new([("app".to_owned(), "api".to_owned())].into());
        let key = BundleKey::new("shop", TargetProxies::Workloads(labels));
        let old = Bundle::new(key.clone(), "old".to_owned());
        let wanted = |compiled: &str| {
            let bundle = Arc::new(Bundle::new(key.clone(), compiled.to_owned()));
            Desired {
                retiring: [(Arc::new(key.clone()), bundle)].into_iter().collect(),
                ..Desired::default()
            }
        };
        let retiring = |desired: &Desired| {
            let expected = assign(&index, Some(&old), desired);
            expected.bundles.iter().filter(|expected| expected.retiring).count()
        };
        assert_eq!(retiring(&wanted("old")), 1);
        assert_eq!(retiring(&wanted("new")), 0, "it has not been brought up to date");
        assert_eq!(retiring(&Desired::default()), 0);
    }
}
