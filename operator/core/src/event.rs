//! Events: what a source or a publisher saw, or proxies said of their rollouts, as the controller takes it in, and when.

use std::time::Instant;

use corsward_policy::{Finding, PolicyId};
use k8s_openapi::jiff::Timestamp;
use strum::Display;

use crate::bundle::{BundleKey, PublishStatus};
use crate::cluster_state::Change;
use crate::object::Object;

/// Most workloads that are named.
pub(crate) const MAX_NAMED: usize = 3;

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

/// The counts of a policy's workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// The number of its workloads.
    pub matched: usize,
    /// The number of them that run it, by their proxies' own metrics.
    pub current: usize,
    /// The number of them that refused it.
    pub rejected: usize,
    /// Of how many nothing is known.
    pub unknown: usize,
    /// The first few that do not run it.
    pub lagging: Vec<OutOfSyncPod>,
    /// The first few of which nothing is known.
    pub unasked: Vec<OutOfSyncPod>,
}

/// A workload that is not known to run a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfSyncPod {
    /// The pod's name.
    pub pod: String,
    /// The reason.
    pub why: OutOfSyncReason,
}

/// The reason why a workload is not known to run a policy.
#[derive(Clone, Copy, Debug, Display, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutOfSyncReason {
    /// It has no proxy.
    #[strum(to_string = "no sidecar")]
    NoSidecar,
    /// It runs it, and a port leads past it.
    #[strum(to_string = "a port leads past the filter")]
    Bypassed,
    /// Its proxy has no filter of ours.
    #[strum(to_string = "its proxy runs no filter")]
    NoFilter,
    /// Its proxy runs a different configuration.
    #[strum(to_string = "its proxy runs a different configuration")]
    Behind,
    /// Its proxy refused the configuration.
    #[strum(to_string = "its proxy refused the configuration")]
    Refused,
    /// Its proxy has not answered yet.
    #[strum(to_string = "its proxy has not answered yet")]
    NotAsked,
    /// Its proxy cannot be reached.
    #[strum(to_string = "its proxy cannot be asked")]
    Unreachable,
}

/// The state of a workload against its published bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyState {
    /// It runs it.
    Current,
    /// Not, or it is not known to.
    Not(OutOfSyncReason),
}

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the clock that never goes back.
    pub instant: Instant,
    /// By the clock of the wall, for times that people read.
    pub timestamp: Timestamp,
}

// === impl Event ===

impl From<Change> for Event {
    fn from(change: Change) -> Self {
        Self::ClusterState(change)
    }
}

// === impl Rollout ===

impl Rollout {
    /// The number of workloads known not to run it.
    pub(crate) fn behind(&self) -> usize {
        self.matched.saturating_sub(self.current).saturating_sub(self.unknown)
    }

    /// Do all of them run it?
    pub(crate) fn is_whole(&self) -> bool {
        self.current == self.matched
    }

    /// Has none of them said anything?
    pub(crate) fn is_silent(&self) -> bool {
        self.matched > 0 && self.unknown == self.matched
    }

    /// The first few that do not run it, in words.
    pub(crate) fn out_of_sync_pods(&self) -> String {
        words(&self.lagging, self.behind())
    }

    /// The first few of which nothing is known, in words.
    pub(crate) fn unknown_pods(&self) -> String {
        words(&self.unasked, self.unknown)
    }
}

/// These, and how many more there are.
fn words(named: &[OutOfSyncPod], all: usize) -> String {
    let named = named.iter().map(|OutOfSyncPod { pod, why }| format!("{pod} ({why})"));
    let mut words: Vec<String> = named.collect();
    let more = all.saturating_sub(words.len());
    words.extend((more > 0).then(|| format!("{more} more")));
    words.join(", ")
}

// === impl OutOfSyncReason ===

impl OutOfSyncReason {
    /// Is it unknown whether the workload runs the policy?
    pub(crate) const fn is_unknown(self) -> bool {
        matches!(self, Self::NotAsked | Self::Unreachable)
    }

    /// May it be otherwise in a moment?
    pub(crate) const fn may_pass(self) -> bool {
        matches!(self, Self::NoFilter | Self::Behind | Self::NotAsked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_are_named_and_the_others_counted() {
        let pod = |pod: &str| OutOfSyncPod { pod: pod.into(), why: OutOfSyncReason::NoSidecar };
        let lagging = vec![pod("a"), pod("b")];
        let rollout = Rollout { matched: 5, current: 1, lagging, ..Rollout::default() };
        assert_eq!(rollout.out_of_sync_pods(), "a (no sidecar), b (no sidecar), 2 more");
    }
}
