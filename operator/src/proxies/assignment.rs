//! Assignment: what the workloads of a namespace should run, and which of them each policy is for. Made of the plan and of what is
//! published.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use corsward_policy::PolicyId;
use corsward_policy::wire::gauge_of;

use crate::attachment::{AttachmentKey, Desired, Sighting};
use crate::plan::{Planned, ScopePlan};
use crate::surroundings::{Key, Pod, Surroundings};
use crate::targets::{GATEWAY_NAME, Place, Placement, includes, is_gateway};
use crate::traffic::Traffic;

/// What the workloads of a namespace should run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// What is published.
    pub(crate) attachments: Vec<Expected>,
    /// Every workload that may count.
    pub(crate) workloads: Vec<Workload>,
    /// Sets of workloads: many policies are for the same ones.
    pub(crate) groups: Vec<Group>,
    /// Policies of which something is published.
    pub(crate) shares: BTreeMap<PolicyId, Share>,
}

/// The workloads that a policy is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// Their places in `workloads`.
    pub(crate) workloads: Vec<usize>,
    /// Those with a port that requests may come to past the filter.
    pub(crate) bypassed: BTreeSet<usize>,
}

/// What is published for a set of proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) key: AttachmentKey,
    /// The gauge of its digest.
    pub(crate) digest: u64,
    /// It is of a former shape, gives the same answers as what replaces it, and goes.
    pub(crate) retiring: bool,
}

/// A running pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) pod: String,
    pub(crate) address: Option<IpAddr>,
    pub(crate) has_proxy: bool,
    /// What its proxy should run, by the place in `attachments`.
    pub(crate) attachments: Vec<usize>,
}

/// A policy's share in what is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The workloads it is for.
    pub(crate) group: usize,
    /// Where it is published, by the place in `attachments`.
    pub(crate) attachments: Vec<usize>,
    /// Counts its versions: what proxies said of another one says nothing of this one.
    pub(crate) epoch: u64,
    /// A newer configuration that holds it is on its way: what is published is not the last word.
    pub(crate) pending: bool,
}

/// A policy and where it is published, before anything is counted.
pub(crate) struct Placed<'p> {
    pub(crate) id: &'p PolicyId,
    pub(crate) planned: &'p Planned,
    pub(crate) epoch: u64,
    pub(crate) pending: bool,
}

// === impl Assignment ===

impl Assignment {
    /// The assignment of a namespace, where `placed` are the policies of which something is published.
    pub(crate) fn of<'p>(
        namespace: &str,
        plan: &ScopePlan,
        sightings: &BTreeMap<AttachmentKey, Sighting>,
        desired: &Desired,
        surroundings: &Surroundings,
        traffic: &Traffic<'_>,
        placed: impl Iterator<Item = Placed<'p>>,
    ) -> Self {
        let mut assignment = Self {
            attachments: sightings
                .values()
                .filter_map(|sighting| Expected::of(sighting, plan, desired))
                .collect(),
            ..Self::default()
        };
        let pods = pods(namespace, surroundings);
        let mut groups: BTreeMap<&[Place], usize> = BTreeMap::new();
        for Placed { id, planned, epoch, pending } in placed {
            let placement = &planned.placement;
            let next = groups.len();
            let group = *groups.entry(&placement.places).or_insert(next);
            if group == next {
                assignment.groups.push(Group::of(placement, &pods, traffic));
            }
            let attachments = assignment.attachments.iter().enumerate();
            let attachments =
                attachments.filter(|(_, expected)| planned.keys.contains(&expected.key));
            let attachments = attachments.map(|(at, _)| at).collect();
            assignment.shares.insert(id.clone(), Share { group, attachments, epoch, pending });
        }
        if assignment.shares.is_empty() {
            return Self::default();
        }
        let workload = |(key, pod): &(&Key, &Pod)| Workload {
            pod: key.name.clone(),
            address: pod.address,
            has_proxy: pod.has_proxy(),
            attachments: assignment.attachments_of(pod),
        };
        assignment.workloads = pods.iter().map(workload).collect();
        assignment
    }

    fn attachments_of(&self, pod: &Pod) -> Vec<usize> {
        let attachments = self.attachments.iter().enumerate();
        attachments.filter(|(_, expected)| is_for(&expected.key, pod)).map(|(at, _)| at).collect()
    }
}

// === impl Group ===

impl Group {
    fn of(placement: &Placement, pods: &[(&Key, &Pod)], traffic: &Traffic<'_>) -> Self {
        let mut group = Self::default();
        for (at, (_, pod)) in pods.iter().enumerate() {
            if !placement.selects(pod) {
                continue;
            }
            group.workloads.push(at);
            if traffic.bypasses(pod, &placement.places) {
                group.bypassed.insert(at);
            }
        }
        group
    }
}

// === impl Expected ===

impl Expected {
    fn of(sighting: &Sighting, plan: &ScopePlan, desired: &Desired) -> Option<Self> {
        let Sighting { key, digest, error: _ } = sighting;
        let digest = digest.as_ref()?;
        let retiring = !plan.has(key);
        // What has not been brought up to date yet gives other answers.
        if retiring && desired.retiring.get(key).is_none_or(|wanted| wanted.digest != *digest) {
            return None;
        }
        Some(Self { key: key.clone(), digest: gauge_of(digest), retiring })
    }
}

/// The pods of a namespace that run and stay.
fn pods<'s>(namespace: &str, surroundings: &'s Surroundings) -> Vec<(&'s Key, &'s Pod)> {
    let first = Key { namespace: namespace.to_owned(), name: String::new() };
    let all = surroundings.pods.range(first..);
    let all = all.take_while(|(key, _)| key.namespace == namespace);
    all.filter(|(_, pod)| !pod.terminating).collect()
}

fn is_for(key: &AttachmentKey, pod: &Pod) -> bool {
    match key {
        AttachmentKey::Folder => false,
        AttachmentKey::Workloads { labels, .. } => {
            !is_gateway(pod) && includes(&pod.labels, labels)
        }
        AttachmentKey::Gateway { name, .. } => pod.labels.get(GATEWAY_NAME) == Some(name),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use corsward_policy::validate::NoJudge;
    use serde_json::json;

    use super::*;
    use crate::attachment::Attachment;
    use crate::index::{Index, Scope};
    use crate::plan::Plan;
    use crate::review::Domain;
    use crate::source::Event;
    use crate::surroundings::{Change, Delta, Gateway, PodProxy, Service, ServicePort, TargetPort};
    use crate::testing::{id, object};

    /// A Gateway `edge`, and these pods with their labels.
    fn shop(pods: &[(&str, &[(&str, &str)])]) -> Index {
        let mut index = Index::new(Arc::new(NoJudge), Domain::Cluster);
        let key = |name: &str| Key { namespace: "shop".into(), name: name.into() };
        let gateway = Delta::Apply(key("edge"), Gateway::default());
        index.on(Event::Surroundings(Change::Gateway(gateway)));
        for (name, labels) in pods {
            let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let pod = Pod { labels, proxy: PodProxy::Sidecar, ..Pod::default() };
            index.on(Event::Surroundings(Change::Pod(Delta::Apply(key(name), pod))));
        }
        index
    }

    /// The assignment where everything is published as planned, and `old` besides.
    fn assign(index: &Index, old: Option<&Attachment>, desired: &Desired) -> Assignment {
        let (mut plan, scope) = (Plan::default(), Scope::Namespace("shop".into()));
        plan.update(index, &scope);
        let plan = plan.scope(&scope).unwrap();
        let published = plan.attachments().map(|(_, attachment)| &**attachment).chain(old);
        let sighting = |one: &Attachment| Sighting {
            key: one.key.clone(),
            digest: Some(one.digest.clone()),
            error: None,
        };
        let sightings = published.map(|one| (one.key.clone(), sighting(one))).collect();
        let placed = plan.policies.iter();
        let placed = placed.map(|(id, planned)| Placed { id, planned, epoch: 1, pending: false });
        let (surroundings, traffic) = (index.surroundings(), index.traffic("shop"));
        Assignment::of("shop", plan, &sightings, desired, surroundings, &traffic, placed)
    }

    /// The pods a policy is for, and how many objects each of them has.
    fn pods<'a>(assignment: &'a Assignment, policy: &str) -> Vec<(&'a str, usize)> {
        let group = &assignment.groups[assignment.shares[&id(policy)].group];
        let workloads = group.workloads.iter().map(|at| &assignment.workloads[*at]);
        workloads.map(|workload| (&*workload.pod, workload.attachments.len())).collect()
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
        let assignment = assign(&index, None, &Desired::default());
        assert_eq!(pods(&assignment, "api"), [("a", 1)]);
        assert_eq!(pods(&assignment, "edge"), [("e", 1)]);
        let unselected = assignment.workloads.iter().find(|workload| workload.pod == "b").unwrap();
        assert_eq!(unselected.attachments, [0; 0], "nobody asks it");
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
            let mut index = shop(&[("a", &[("app", "api")])]);
            index.see_proxies();
            let selector = [("app".to_owned(), "api".to_owned())].into();
            let service = Service { selector, ports };
            let key = Key { namespace: "shop".into(), name: "api".into() };
            index.on(Event::Surroundings(Change::Service(Delta::Apply(key, service))));
            index.apply(object("api", &spec(section)));
            let assignment = assign(&index, None, &Desired::default());
            let group = &assignment.groups[assignment.shares[&id("api")].group];
            assert_eq!(group.bypassed.len(), want, "{why}");
        }
    }

    #[test]
    fn what_goes_counts_once_it_gives_the_same_answers() {
        let mut index = shop(&[("a", &[("app", "api")])]);
        let spec = json!({"cors": {"allowOrigins": ["https://a.example"]}});
        index.apply(object("all", &spec));
        let labels = Arc::new([("app".to_owned(), "api".to_owned())].into());
        let key = AttachmentKey::Workloads { namespace: "shop".into(), labels };
        let old = Attachment::new(key.clone(), "old".to_owned());
        let wanted = |compiled: &str| {
            let attachment = Arc::new(Attachment::new(key.clone(), compiled.to_owned()));
            Desired { retiring: [(Arc::new(key.clone()), attachment)].into(), ..Desired::default() }
        };
        let retiring = |desired: &Desired| {
            let assignment = assign(&index, Some(&old), desired);
            assignment.attachments.iter().filter(|expected| expected.retiring).count()
        };
        assert_eq!(retiring(&wanted("old")), 1);
        assert_eq!(retiring(&wanted("new")), 0, "it has not been brought up to date");
        assert_eq!(retiring(&Desired::default()), 0);
    }
}
