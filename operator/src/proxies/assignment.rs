//! Assignment: what the workloads of a namespace should run, and which of them each policy is for. Made of the plan and of what is
//! published.

use std::collections::BTreeMap;
use std::net::IpAddr;

use corsward_policy::PolicyId;
use corsward_policy::wire::gauge_of;

use crate::attachment::{AttachmentKey, Desired, Sighting};
use crate::plan::{Planned, ScopePlan};
use crate::surroundings::{Key, Pod, Surroundings};
use crate::targets::{GATEWAY_NAME, Place, includes};

/// What the workloads of a namespace should run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// What is published.
    pub(crate) attachments: Vec<Expected>,
    /// Every workload that may count.
    pub(crate) workloads: Vec<Workload>,
    /// Sets of workloads, by their places in `workloads`: many policies are for the same ones.
    pub(crate) groups: Vec<Vec<usize>>,
    /// Policies of which something is published.
    pub(crate) shares: BTreeMap<PolicyId, Share>,
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
                let selected =
                    pods.iter().enumerate().filter(|(_, (_, pod))| placement.selects(pod));
                assignment.groups.push(selected.map(|(at, _)| at).collect());
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
            has_proxy: pod.has_proxy,
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
    let gateway = pod.labels.get(GATEWAY_NAME);
    match key {
        AttachmentKey::Folder => false,
        AttachmentKey::Workloads { labels, .. } => {
            gateway.is_none() && includes(&pod.labels, labels)
        }
        AttachmentKey::Gateway { name, .. } => gateway == Some(name),
    }
}
