//! Wiring: source -> index -> plan -> publisher -> report, until told to stop. One function for each subsystem.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use corsward_policy::Severity;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::admin::{self, Board};
use crate::args::{PublishArg, RunArgs, SourceArg};
use crate::index::Index;
use crate::judge::FullJudge;
use crate::metrics::Fate;
use crate::plan::{Plan, plan};
use crate::publish::file::File;
use crate::publish::{Published, Publisher};
use crate::report::Report;
use crate::source::{Event, dir};
use crate::state::{State, StateFile};
use crate::status::{ConditionType, Status};

/// How often what was published is looked at again, and repaired where somebody changed it.
const REPAIR: Duration = Duration::from_secs(5);
/// Batches that may wait for the loop; the source waits when there are more.
const WAITING: usize = 16;

/// Watches, judges and publishes until told to stop.
///
/// # Errors
///
/// Where something needed is missing at the start.
pub async fn run(args: RunArgs) -> Result<()> {
    let mut stop = stop_signal()?;
    let (state_file, publisher) = publisher(&args)?;
    let mut index = Index::new(Arc::new(FullJudge));
    let state = restore(&state_file, &mut index);
    let board = Arc::new(Board::default());
    let (admin, stop_admin) = serve_admin(args.admin, &board).await?;
    let events = watch(&args.source, &state)?;
    let operator =
        Operator { index, publisher, state_file, board, plan: None, ready: false, failing: false };
    operator.run(events, &mut stop).await;
    let _ = stop_admin.send(());
    admin.await.context("the admin server stops")?;
    info!("stopped");
    Ok(())
}

/// The loop's own: everything that changes with an event.
struct Operator {
    index: Index,
    publisher: Publisher,
    state_file: StateFile,
    board: Arc<Board>,
    plan: Option<Plan>,
    /// Something has been published: proxies have an answer.
    ready: bool,
    /// The last plan could not be published.
    failing: bool,
}

// === impl Operator ===

impl Operator {
    async fn run(mut self, mut events: Receiver<Vec<Event>>, stop: &mut oneshot::Receiver<()>) {
        let mut repair = tokio::time::interval(REPAIR);
        repair.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut *stop => return,
                batch = events.recv() => match batch {
                    Some(batch) => self.on(batch, &mut events),
                    None => return,
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
                    log_problems(problems, self.index.problems());
                }
                changed |= self.index.on(event);
            }
            batch = events.try_recv().ok();
        }
        if changed || self.plan.is_none() {
            self.replan();
        }
    }

    fn replan(&mut self) {
        let began = Instant::now();
        let plan = plan(&self.index);
        self.board.metrics.planned(&plan, began.elapsed(), self.index.problems());
        let previous = self.plan.take().map(|plan| plan.statuses).unwrap_or_default();
        log_statuses(&plan.statuses, &previous);
        self.publish(plan);
    }

    /// Publishes a plan, and says what came of it.
    fn publish(&mut self, mut plan: Plan) {
        let carried_out = self.carry_out(&plan);
        self.failing = carried_out.is_err();
        match carried_out {
            Ok(()) => self.ready |= plan.held.is_none(),
            Err(problem) => {
                error!(error = %problem, "not published; tried again every {REPAIR:?}");
                self.board.metrics.published(Fate::Failed);
                for status in &mut plan.statuses {
                    status.unpublished(&problem.to_string());
                }
            }
        }
        self.board.show(Report::of(&self.index, &plan, self.ready));
        self.plan = Some(plan);
    }

    fn carry_out(&mut self, plan: &Plan) -> std::io::Result<()> {
        if let Some(why) = &plan.held {
            error!(why, "nothing new is published; what is in force stays");
            self.board.metrics.published(Fate::Held);
        }
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
        self.index.settle(plan);
        if let Err(error) = self.state_file.save(&State::of(&self.index)) {
            let path = self.state_file.path().display();
            warn!(%path, %error, "the state file is not written: a restart will not know what is in force");
        }
        Ok(())
    }

    /// What somebody else removed or changed is written again; what failed is tried again.
    fn repair(&mut self) {
        if self.failing {
            self.replan();
            return;
        }
        for attachment in self.plan.iter().flat_map(|plan| &plan.attachments) {
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

fn publisher(args: &RunArgs) -> Result<(StateFile, Publisher)> {
    let PublishArg::File(dir) = &args.publish;
    std::fs::create_dir_all(dir).with_context(|| format!("no folder {}", dir.display()))?;
    if !Path::new(&args.module).exists() {
        let module = &args.module;
        warn!(module, "there is no such module here: Envoy must find it there, or set --module");
    }
    let state = args.state.clone().unwrap_or_else(|| dir.join("corsward.state.json"));
    let file = File::new(dir.clone(), args.module.clone());
    Ok((StateFile::new(state), Publisher::File(file)))
}

/// Puts back what was in force before a restart.
fn restore(file: &StateFile, index: &mut Index) -> State {
    let state = file.load().unwrap_or_else(|error| {
        let path = file.path().display();
        warn!(%path, %error, "starting without a memory of what was in force");
        State::default()
    });
    for policy in state.clone().restore(index) {
        warn!(%policy, "was in force, and this release refuses what it said then");
    }
    state
}

async fn serve_admin(
    addr: SocketAddr,
    board: &Arc<Board>,
) -> Result<(JoinHandle<()>, oneshot::Sender<()>)> {
    let listener = TcpListener::bind(addr).await.with_context(|| {
        format!("cannot serve the admin address {addr}: choose another by --admin")
    })?;
    let addr = listener.local_addr()?;
    info!(%addr, "admin address");
    let router = admin::router(Arc::clone(board));
    let (stop, stopped) = oneshot::channel();
    let serve = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let task = tokio::spawn(async move {
        if let Err(error) = serve.await {
            error!(%error, "the admin address is no longer served");
        }
    });
    Ok((task, stop))
}

fn watch(source: &SourceArg, state: &State) -> Result<Receiver<Vec<Event>>> {
    let (sender, receiver) = channel(WAITING);
    let SourceArg::Dir(dir) = source;
    dir::watch(dir.clone(), state.owners(), sender)
        .with_context(|| format!("cannot watch the folder {}", dir.display()))?;
    info!(dir = %dir.display(), "watching");
    Ok(receiver)
}

fn stop_signal() -> Result<oneshot::Receiver<()>> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let _ = sender.send(());
    });
    Ok(receiver)
}

/// One line for each thing that is newly wrong outside of policies.
fn log_problems(problems: &[crate::source::Problem], known: &[crate::source::Problem]) {
    for problem in problems.iter().filter(|problem| !known.contains(problem)) {
        let (finding, file) = (&problem.finding, &problem.place);
        warn!(file, code = finding.code(), field = finding.field, "{}", finding.message());
    }
}

/// One line for each policy whose fate is news, and one for each of its findings.
fn log_statuses(statuses: &[Status], previous: &[Status]) {
    let known = |status: &Status| {
        let at = previous.binary_search_by(|known| known.policy.cmp(&status.policy)).ok();
        at.and_then(|at| previous.get(at))
    };
    for status in statuses {
        if known(status).is_some_and(|known| known.says_the_same(status)) {
            continue;
        }
        let (policy, generation) = (&status.policy, status.observed_generation);
        if status.holds(ConditionType::Accepted) {
            info!(%policy, generation, "accepted");
        } else if let Some(in_force) = &status.in_force {
            let kept = in_force.generation;
            warn!(%policy, generation, kept, "refused; what was accepted before stays in force");
        } else {
            warn!(%policy, generation, "refused; nothing of it is in force");
        }
        for finding in &status.findings {
            let (code, field) = (finding.code(), &finding.field);
            match finding.severity() {
                Severity::Refusal | Severity::Warning => {
                    warn!(%policy, code, field, "{}", finding.message());
                }
                Severity::Hint => info!(%policy, code, field, "{}", finding.message()),
            }
        }
    }
    for gone in previous {
        if statuses.binary_search_by(|status| status.policy.cmp(&gone.policy)).is_err() {
            info!(policy = %gone.policy, "gone");
        }
    }
}
