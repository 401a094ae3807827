//! The loop: events into the index, a plan out of it, the plan to the publisher, and what came of it to the board.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_policy::{Finding, Severity};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::admin::Board;
use crate::index::Index;
use crate::journal;
use crate::metrics::Fate;
use crate::plan::{Plan, plan};
use crate::publish::{Published, Publisher};
use crate::report::Report;
use crate::source::Event;
use crate::state::{State, StateFile};
use crate::status::ConditionType;

/// How often what was published is looked at again, and repaired where somebody changed it.
const REPAIR: Duration = Duration::from_secs(5);

/// Why nothing is published where the memory is lost and not everything is accepted.
const FORGOTTEN: &str = "what was in force before the start is not known: what is published stays as it is until every policy is accepted and every file can be read";

/// Everything that changes with an event.
#[derive(Debug)]
pub(crate) struct Operator {
    index: Index,
    publisher: Publisher,
    state_file: StateFile,
    board: Arc<Board>,
    memory: Memory,
    plan: Option<Plan>,
    /// The source has said all it has.
    synced: bool,
    /// Something has been published: proxies have an answer.
    ready: bool,
    /// The last plan could not be published.
    failing: bool,
    /// What the state file should say, where it could not be written.
    unsaved: Option<State>,
}

/// Is it known what was in force before the start?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It is, or all that was published since is.
    Known,
    /// It is not.
    Lost,
}

/// Nobody watches the policies any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the policies are no longer watched: what is published stays as it is; start the operator again, and report what it logged"
)]
pub(crate) struct SourceEnded;

// === impl Operator ===

impl Operator {
    pub(crate) fn new(
        index: Index,
        publisher: Publisher,
        state_file: StateFile,
        board: Arc<Board>,
        memory: Memory,
    ) -> Self {
        let (plan, synced, ready, failing, unsaved) = (None, false, false, false, None);
        Self { index, publisher, state_file, board, memory, plan, synced, ready, failing, unsaved }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    ///
    /// Where nobody sends events any more.
    pub(crate) async fn run(
        mut self,
        mut events: Receiver<Vec<Event>>,
        stop: &mut oneshot::Receiver<()>,
    ) -> Result<(), SourceEnded> {
        let mut repair = tokio::time::interval(REPAIR);
        repair.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut *stop => return Ok(()),
                batch = events.recv() => match batch {
                    Some(batch) => self.on(batch, &mut events),
                    // Told to stop at the same moment, it was told to stop.
                    None => return stop.try_recv().map_err(|_| SourceEnded),
                },
                _ = repair.tick() => self.repair(),
            }
        }
    }

    /// Takes in everything that waits, then plans once.
    fn on(&mut self, batch: Vec<Event>, events: &mut Receiver<Vec<Event>>) {
        let mut changed = false;
        let mut batch = Some(batch);
        while let Some(events_of_one) = batch {
            for event in events_of_one {
                if let Event::Problems(problems) = &event {
                    journal::problems(problems, self.index.problems());
                }
                self.synced |= matches!(event, Event::Reset(_));
                changed |= self.index.on(event);
            }
            batch = events.try_recv().ok();
        }
        // A folder that could not be listed yet is not an empty one.
        if self.synced && (changed || self.plan.is_none()) {
            self.replan();
        }
    }

    fn replan(&mut self) {
        let began = Instant::now();
        let plan = plan(&self.index);
        let plan = if self.must_keep(&plan) { plan.kept(FORGOTTEN) } else { plan };
        self.board.metrics.planned(&plan, began.elapsed(), self.index.problems());
        let previous = self.plan.take().map(|plan| plan.statuses).unwrap_or_default();
        journal::statuses(&plan.statuses, &previous);
        self.publish(plan);
    }

    /// Whoever has forgotten what was in force must not withdraw it: some of it may be what refused texts said before.
    fn must_keep(&self, plan: &Plan) -> bool {
        let refused = |finding: &Finding| finding.severity() == Severity::Refusal;
        self.memory == Memory::Lost
            && plan.attachments.iter().any(|attachment| self.publisher.has(attachment))
            && (plan.held.is_some()
                || plan.statuses.iter().any(|status| !status.holds(ConditionType::Accepted))
                || self.index.problems().iter().any(|problem| refused(&problem.finding)))
    }

    /// Publishes a plan, and says what came of it.
    fn publish(&mut self, plan: Plan) {
        let carried_out = self.carry_out(&plan);
        self.failing = carried_out.is_err();
        let report = match carried_out {
            Ok(()) => {
                // With the memory still lost, what somebody published before is kept.
                self.ready |= !plan.attachments.is_empty() || self.memory == Memory::Lost;
                Report::of(&self.index, &plan, self.ready)
            }
            Err(problem) => {
                error!(error = %problem, "not published; tried again every {REPAIR:?}");
                self.board.metrics.published(Fate::Failed);
                let plan = plan.unpublished(&self.index, &problem.to_string());
                Report::of(&self.index, &plan, self.ready)
            }
        };
        self.board.show(report);
        self.plan = Some(plan);
    }

    fn carry_out(&mut self, plan: &Plan) -> io::Result<()> {
        if let Some(why) = &plan.held {
            let held_back = plan.statuses.iter().filter(|status| status.is_held_back());
            let policies =
                held_back.map(|status| status.policy.to_string()).collect::<Vec<_>>().join(", ");
            error!(why, policies, "these policies are held back; what is in force of them stays");
            self.board.metrics.published(Fate::Held);
        }
        if plan.attachments.is_empty() {
            return Ok(());
        }
        // Saved first: whoever stops in between publishes at the next start what was accepted, and takes nothing back.
        self.save(State::of(&self.index, &plan.in_force));
        for attachment in &plan.attachments {
            let fate = match self.publisher.publish(attachment)? {
                Published::Unchanged => Fate::Unchanged,
                Published::Written => {
                    let (digest, bytes) = (&attachment.digest, attachment.compiled.len());
                    info!(digest, bytes, policies = plan.in_force.len(), "published");
                    Fate::Written
                }
            };
            self.board.metrics.published(fate);
        }
        self.memory = Memory::Known;
        plan.settle(&mut self.index);
        Ok(())
    }

    fn save(&mut self, state: State) {
        let path = self.state_file.path().display();
        match self.state_file.save(&state) {
            Ok(()) if self.unsaved.take().is_some() => {
                info!(%path, "the state file is written again");
            }
            Ok(()) => {}
            Err(error) => {
                warn!(%path, %error, "the state file is not written, which is tried again every {REPAIR:?}: a restart will not know what is in force");
                self.unsaved = Some(state);
            }
        }
    }

    /// What somebody else removed or changed is written again; what failed is tried again.
    fn repair(&mut self) {
        if self.failing
            && let Some(plan) = self.plan.take()
        {
            self.publish(plan);
            return;
        }
        if let Some(state) = self.unsaved.clone() {
            self.save(state);
        }
        let Some(plan) = &self.plan else { return };
        for attachment in &plan.attachments {
            match self.publisher.publish(attachment) {
                Ok(Published::Unchanged) => {}
                Ok(Published::Written) => {
                    warn!(
                        digest = attachment.digest,
                        "what was published had been changed: repaired"
                    );
                    self.board.metrics.published(Fate::Written);
                }
                Err(error) => {
                    error!(%error, "what was published had been changed, and cannot be repaired");
                    self.board.metrics.published(Fate::Failed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::file::File;
    use corsward_policy::validate::NoJudge;

    #[test]
    fn a_source_that_ends_is_an_error_and_a_stop_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let run = |told_to_stop: bool| {
            let operator = Operator::new(
                Index::new(Arc::new(NoJudge)),
                Publisher::File(File::new(dir.path().to_owned(), "filter.wasm".to_owned())),
                StateFile::new(dir.path().join("state.json")),
                Arc::new(Board::default()),
                Memory::Known,
            );
            let (_, events) = tokio::sync::mpsc::channel(1);
            let (sender, mut stop) = oneshot::channel();
            if told_to_stop {
                sender.send(()).unwrap();
                return runtime.block_on(operator.run(events, &mut stop)).is_ok();
            }
            let ended = runtime.block_on(operator.run(events, &mut stop));
            drop(sender);
            ended.is_ok()
        };
        assert!(!run(false));
        for _ in 0..16 {
            assert!(run(true), "though the source ends too");
        }
    }
}
