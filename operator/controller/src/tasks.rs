//! Tasks: what runs for as long as its owner. None may end before: the process would look alive and do half of its work.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinSet};
use tokio::time::{self, Interval, MissedTickBehavior};

/// Tasks that are not expected to end.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

/// A task has ended, or panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the task `{0}` has ended: what is published stays as it is; start the operator again, and report what it logged"
)]
pub(crate) struct TaskEnded(pub(crate) &'static str);

// === impl Tasks ===

impl Tasks {
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Is the task of that name still to end?
    pub(crate) fn runs(&self, name: &str) -> bool {
        self.names.values().any(|known| *known == name)
    }

    /// Waits until one of them ends.
    pub(crate) async fn ended(&mut self) -> TaskEnded {
        let Some(ended) = self.running.join_next_with_id().await else { return pending().await };
        let id = ended.map_or_else(|panic| panic.id(), |(id, ())| id);
        TaskEnded(self.names.remove(&id).unwrap_or_default())
    }

    /// Waits until all have ended, as they were told.
    pub(crate) async fn finish(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

/// Ticks at this interval, the first one at once; a late tick delays the next ones.
pub(crate) fn ticks(every: Duration) -> Interval {
    let mut ticks = time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Waits until that moment, or for ever.
pub(crate) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => time::sleep_until(at.into()).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whichever_task_ends_or_panics_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("patient", pending());
        tasks.spawn("panics", async { panic!("on purpose") });
        assert_eq!(tasks.ended().await, TaskEnded("panics"));
        tasks.spawn("returns", async {});
        assert_eq!(tasks.ended().await, TaskEnded("returns"));
    }
}
