//! Event: what a source or a publisher saw, or a proxy said, as the loop learns it.

use corsward_policy::{Finding, PolicyId};

use crate::bundle::{BundleKey, PublishStatus};
use crate::cluster_state::Change;
use crate::object::Object;
use crate::rollout_counts::Rollout;

/// Something a source or a publisher saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A policy is there, new or changed.
    Apply(Box<Object>),
    /// A policy is gone.
    Delete(PolicyId),
    /// These policies are there, and no others.
    Reset(Vec<Object>),
    /// This is everything wrong outside of policies.
    Problems(Vec<Problem>),
    /// Something that policies depend on is there, changed or gone.
    ClusterState(Change),
    /// The source has said all there is, for the first time.
    Synced,
    /// The current publish statuses of these bundles. The first event names every existing object of the operator.
    Published(Vec<PublishStatus>),
    /// The current rollouts of these policies.
    Rollouts(Vec<RolloutUpdate>),
    /// An object was written anew.
    Refreshed(Refreshed),
    /// Are policies enforced? So says the switch of the whole cluster.
    Enforcement(bool),
    /// This replica writes from now on, or does not any more.
    Leading(bool),
}

/// Something wrong that belongs to no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name.
    pub place: String,
    /// The name of the `ClusterCorsPolicy` at fault, if one is.
    pub guardrail: Option<String>,
    /// The finding.
    pub finding: Finding,
}

/// An update of the rollout for the controller.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutUpdate {
    /// Of which policy.
    pub policy: PolicyId,
    /// Of which version of it, as the loop counts.
    pub revision: u64,
    /// The state of its proxies.
    pub rollout: Rollout,
}

/// An object that was written anew, so that proxies fetch the filter that they are without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// The bundle.
    pub key: BundleKey,
    /// The first pods without the filter.
    pub pods: Vec<String>,
}
