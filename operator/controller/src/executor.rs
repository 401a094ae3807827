//! Executor: it receives events and questions, has the controller decide, and carries the commands out.

#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_operator_core::command::{Command, Measurement, ObjectEvent};
use corsward_operator_core::controller::Controller;
use corsward_operator_core::event::{Event, Moment};
use corsward_operator_core::index::Index;
use corsward_operator_core::report::Report;
use jiff::Timestamp;
use tokio::sync::mpsc::{Receiver, Sender};
use tracing::debug;

use crate::admin::AdminState;
use crate::change_log;
use crate::last_good::LastGood;
use crate::metrics::Outcome;
use crate::publish::{Publisher, RESYNC_INTERVAL};
use crate::request::Request;
use crate::tasks::ticks;

/// The controller, and what carries its commands out.
#[derive(Debug)]
pub struct Executor {
    controller: Controller,
    deps: ExecutorDeps,
    /// The time spent on what waits for a first list.
    spent: Duration,
}

/// What carries commands out.
#[derive(Debug)]
pub struct ExecutorDeps {
    /// Where configuration goes.
    pub publisher: Box<dyn Publisher>,
    /// Where the specs in force survive a restart.
    pub last_good: Box<dyn LastGood>,
    /// Where Events go, if there is a place for them.
    pub object_events: Option<Sender<ObjectEvent>>,
    /// Metrics and readiness.
    pub admin_state: Arc<AdminState>,
}

/// All watches of the policies have ended.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the policies are no longer watched: what is published stays as it is; start the operator again, and report what it logged"
)]
pub struct SourceEnded;

// === impl Executor ===

impl Executor {
    /// An executor for a controller of the objects in `index`.
    pub fn new(index: Index, deps: ExecutorDeps) -> Self {
        let (capabilities, memory) = (deps.publisher.capabilities(), deps.last_good.memory());
        let controller = Controller::new(index, capabilities, memory);
        let mut executor = Self { controller, deps, spent: Duration::ZERO };
        let events = executor.deps.publisher.start();
        executor.handle(events);
        executor
    }

    /// Runs until no sender of events is left.
    pub async fn run(
        mut self,
        mut events: Receiver<Vec<Event>>,
        mut requests: Receiver<Request>,
    ) -> SourceEnded {
        let mut resync = ticks(RESYNC_INTERVAL);
        loop {
            tokio::select! {
                batch = events.recv() => match batch {
                    Some(mut batch) => {
                        // Everything that waits is planned once.
                        while let Ok(next) = events.try_recv() {
                            batch.extend(next);
                        }
                        self.handle(batch);
                    }
                    None => return SourceEnded,
                },
                Some(request) = requests.recv() => self.answer(request),
                _ = resync.tick() => self.resync(),
            }
        }
    }

    /// Answers a question. For a client that went away, nothing is computed.
    fn answer(&mut self, request: Request) {
        match request {
            Request::Report(reply) if reply.is_closed() => {}
            Request::Check(_, reply) if reply.is_closed() => {}
            Request::Report(reply) => drop(reply.send(self.report())),
            Request::Check(object, reply) => {
                if let Some(findings) = self.controller.check(object) {
                    let _ = reply.send(findings);
                }
            }
        }
    }

    /// Everything there is to say.
    pub fn report(&self) -> Report {
        self.controller.report()
    }

    /// Passes events to the controller and carries its commands out, until the publisher answers nothing more at once.
    pub fn handle(&mut self, mut batch: Vec<Event>) {
        loop {
            let began = Instant::now();
            let commands = self.controller.handle(batch, now());
            self.spent = self.spent.saturating_add(began.elapsed());
            batch = self.execute(commands);
            if batch.is_empty() {
                break;
            }
        }
        if self.controller.is_synced() {
            let spent = std::mem::take(&mut self.spent);
            self.deps.admin_state.metrics.plan_seconds.observe(spent.as_secs_f64());
        }
    }

    /// Time has passed: what failed is retried, and what a foreign writer changed is repaired.
    fn resync(&mut self) {
        let commands = self.controller.tick(now());
        let mut events = self.execute(commands);
        self.deps.last_good.resync();
        events.extend(self.deps.publisher.resync());
        if !events.is_empty() {
            self.handle(events);
        }
    }

    /// Carries commands out, in their order; what the publisher answers at once.
    fn execute(&mut self, commands: Vec<Command>) -> Vec<Event> {
        let ExecutorDeps { publisher, last_good, object_events, admin_state } = &mut self.deps;
        let mut events = Vec::new();
        for command in commands {
            match command {
                Command::Remember(state) => last_good.remember(*state),
                Command::Publish(desired) => events.extend(publisher.publish(desired)),
                Command::PollProxies(command) => events.extend(publisher.expect(command)),
                Command::WriteStatus(write) => last_good.write_status(write),
                Command::RecordEvent(object_event) => {
                    if let Some(sender) = object_events
                        && let Err(error) = sender.try_send(object_event)
                    {
                        debug!(%error, "an Event is lost");
                    }
                }
                Command::Log(line) => change_log::write(&line),
                Command::Measure(measurement) => measure(admin_state, measurement),
                Command::SetReady(ready) => admin_state.set_ready(ready),
            }
        }
        events
    }
}

fn measure(admin_state: &AdminState, measurement: Measurement) {
    let metrics = &admin_state.metrics;
    match measurement {
        Measurement::Enforcing(enforcing) => {
            metrics.enforcing.set(i64::from(enforcing));
        }
        Measurement::Leading(leading) => {
            metrics.leader.set(i64::from(leading));
        }
        Measurement::Propagated(took) => metrics.propagation_seconds.observe(took.as_secs_f64()),
        Measurement::Withheld => metrics.published("file", Outcome::Held),
        Measurement::Totals(totals, problems) => metrics.totals(totals, problems),
    }
}

fn now() -> Moment {
    Moment { instant: Instant::now(), timestamp: Timestamp::now() }
}
