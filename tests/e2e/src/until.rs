//! Waiting for a cluster to come to a condition.

use std::time::Duration;

use anyhow::{Result, bail};
use xtask::wait;

/// Default timeout for a condition.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Poll interval. Each poll is a process or a request.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The same where the time counts.
const LOOK_CLOSELY: Duration = Duration::from_millis(10);

/// Looks until `probe` yields a value. A look that fails is not the end of it: what is asked may just be starting.
pub(crate) fn until<T>(what: &str, probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    until_within(TIMEOUT, what, probe)
}

/// The same with a patience of one's own.
pub(crate) fn until_within<T>(
    patience: Duration,
    what: &str,
    probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    look(patience, LOOK_EVERY, what, probe)
}

/// Looks more often, where the time it takes is a figure.
pub(crate) fn until_at_once<T>(what: &str, probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    look(TIMEOUT, LOOK_CLOSELY, what, probe)
}

fn look<T>(
    patience: Duration,
    every: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let mut failed = None;
    let found = wait::poll(patience, every, || {
        let look = probe();
        failed = None;
        look.unwrap_or_else(|error| {
            failed = Some(error);
            None
        })
    });
    let in_vain = || format!("waited {} s in vain for {what}", patience.as_secs());
    match (found, failed) {
        (Some(value), _) => Ok(value),
        (None, Some(error)) => Err(error.context(in_vain())),
        (None, None) => bail!(in_vain()),
    }
}
