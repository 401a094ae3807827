//! The publisher into a folder: resource files and the state file, written where the loop is.

use std::collections::BTreeMap;
use std::io;

use corsward_operator_core::bundle::{Bundle, BundleKey, PublishStatus};
use corsward_operator_core::index::{Index, PolicyInForce, Scope};
use corsward_operator_core::plan::ScopePlan;
use corsward_policy::draft::Mode;
use corsward_policy::{Finding, Severity};
use tracing::{error, info, warn};

use crate::controller::RESYNC_INTERVAL;
use crate::metrics::Metrics;
use crate::metrics::publishing::PublishResult;
use crate::publish::Published;
use crate::publish::file::File;
use crate::state::{State, StateFile};

/// The reason why nothing is published while the state is lost and a policy is refused.
const STATE_UNKNOWN: &str = "the configuration in force before the start is unknown: the published configuration stays until every policy is accepted and every file is readable";

/// A folder of resource files, and what is remembered beside it.
#[derive(Debug)]
pub(crate) struct FolderPublisher {
    file: File,
    state_file: StateFile,
    state_load: StateLoad,
    /// Something has been published: proxies have an answer.
    ready: bool,
    /// The last plan could not be published.
    failing: bool,
    /// Whether the published file stays as it was found.
    kept: bool,
    /// The desired content of the state file, after a failed write.
    unsaved: Option<State>,
    /// The number of policies in the last publication, enforced or in `DryRun`.
    enforced: Option<usize>,
}

/// Is it known what was in force before the start?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateLoad {
    /// It is, or all that was published since is.
    Known,
    /// It is not.
    Lost,
}

// === impl FolderPublisher ===

impl FolderPublisher {
    pub(crate) fn new(file: File, state_file: StateFile, state_load: StateLoad) -> Self {
        let (ready, failing, kept, unsaved, enforced) = (false, false, false, None, None);
        Self { file, state_file, state_load, ready, failing, kept, unsaved, enforced }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    pub(super) fn kept(&self) -> Option<&'static str> {
        self.kept.then_some(STATE_UNKNOWN)
    }

    /// Publishes a plan; what is known of its bundles then, unless all stays as it was.
    pub(super) fn publish(
        &mut self,
        plan: &ScopePlan,
        index: &Index,
        metrics: &Metrics,
    ) -> Option<BTreeMap<BundleKey, PublishStatus>> {
        self.kept = self.must_keep(plan, index);
        if let Some(why) = self.kept().or(plan.why_not_all()) {
            error!(why, "some policies are not published; the configuration in force stays");
            metrics.publishing.published(PublishResult::Held);
        }
        if self.kept {
            // Proxies have what somebody published before.
            self.ready = true;
            return None;
        }
        let bundles: Vec<&Bundle> = plan.bundles().map(|(_, held)| &**held).collect();
        if bundles.is_empty() {
            return None;
        }
        // Saved first: whoever stops in between publishes at the next start what was accepted, and takes nothing back.
        self.save(State::of(index, plan));
        self.failing = false;
        let publish_statuses = bundles.into_iter().map(|bundle| {
            let error = self.write(bundle, plan, metrics).err();
            self.failing |= error.is_some();
            self.ready |= error.is_none();
            if let Some(error) = &error {
                error!(%error, "not published; tried again every {RESYNC_INTERVAL:?}");
                metrics.publishing.published(PublishResult::Failed);
            }
            let publish_status = PublishStatus {
                key: bundle.key.clone(),
                digest: error.is_none().then(|| bundle.digest.clone()),
                error: error.map(|error| error.to_string()),
            };
            (bundle.key.clone(), publish_status)
        });
        let publish_statuses = publish_statuses.collect();
        if !self.failing {
            self.state_load = StateLoad::Known;
            self.tell_of_nothing(plan, index);
        }
        Some(publish_statuses)
    }

    /// Logs that no policy is in force, when that is new.
    fn tell_of_nothing(&mut self, plan: &ScopePlan, index: &Index) {
        let is_on = |in_force: &PolicyInForce| in_force.policy.mode() != Mode::Off;
        let in_force = plan.policies.values().filter_map(|planned| planned.in_force.as_ref());
        let is_off = index.why_off(&Scope::Folder).is_some();
        let enforced = if is_off { 0 } else { in_force.filter(|policy| is_on(policy)).count() };
        if enforced == 0 && self.enforced != Some(0) {
            info!("no policy is in force: requests pass as if there were no filter");
        }
        self.enforced = Some(enforced);
    }

    fn write(&self, bundle: &Bundle, plan: &ScopePlan, metrics: &Metrics) -> io::Result<()> {
        let result = match self.file.publish(bundle)? {
            Published::Unchanged => PublishResult::Unchanged,
            Published::Written => {
                let (digest, bytes) = (&bundle.digest, bundle.compiled.len());
                let policies =
                    plan.policies.values().filter(|planned| planned.in_force.is_some()).count();
                info!(digest, bytes, policies, "published");
                PublishResult::Written
            }
        };
        metrics.publishing.published(result);
        Ok(())
    }

    /// True if a publication could withdraw what was in force before the start and is not known any more: some of it may be what
    /// refused texts said before.
    fn must_keep(&self, plan: &ScopePlan, index: &Index) -> bool {
        let refused = |finding: &Finding| finding.severity() == Severity::Refusal;
        self.state_load == StateLoad::Lost
            && self.file.may_hold_policies()
            && (plan.why_not_all().is_some()
                || plan.policies.values().any(|planned| !planned.accepted)
                || index.problems().iter().any(|problem| refused(&problem.finding)))
    }

    fn save(&mut self, state: State) {
        let path = self.state_file.path().display();
        match self.state_file.save(&state) {
            Ok(()) if self.unsaved.take().is_some() => {
                info!(%path, "wrote the state file again");
            }
            Ok(()) => {}
            Err(error) => {
                warn!(%path, %error, "cannot write the state file; tried again every {RESYNC_INTERVAL:?}: a restart loses the configuration in force");
                self.unsaved = Some(state);
            }
        }
    }

    /// Writes again after a foreign removal or change.
    pub(super) fn repair(&mut self, plan: &ScopePlan, metrics: &Metrics) {
        if let Some(state) = self.unsaved.clone() {
            self.save(state);
        }
        if self.kept {
            return;
        }
        for (_, bundle) in plan.bundles() {
            match self.file.publish(bundle) {
                Ok(Published::Unchanged) => {}
                Ok(Published::Written) => {
                    let digest = &bundle.digest;
                    warn!(digest, "repaired a published file after a foreign change");
                    metrics.publishing.published(PublishResult::Written);
                }
                Err(error) => {
                    error!(%error, "cannot repair a published file after a foreign change");
                    metrics.publishing.published(PublishResult::Failed);
                }
            }
        }
    }
}
