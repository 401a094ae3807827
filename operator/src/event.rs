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
    /// What a publisher knows of these bundles now. The first one names everything of ours that is there.
    Published(Vec<PublishStatus>),
    /// How the proxies of these policies stand now.
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
    /// Where: a file's name.
    pub place: String,
    /// The name of the `ClusterCorsPolicy` that it is about, if it is about one.
    pub guardrail: Option<String>,
    /// What.
    pub finding: Finding,
}

/// What the loop learns.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutUpdate {
    /// Of which policy.
    pub(crate) policy: PolicyId,
    /// Of which version of it, as the loop counts.
    pub(crate) revision: u64,
    /// How its proxies stand.
    pub(crate) rollout: Rollout,
}

/// An object that was written anew, so that proxies fetch the filter that they are without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Which.
    pub(crate) key: BundleKey,
    /// The first pods without the filter.
    pub(crate) pods: Vec<String>,
}
