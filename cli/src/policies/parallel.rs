//! Work for all processors: the same function for many values.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// The results of `work` for each value, in order.
pub(crate) fn map<T: Send, R: Send>(values: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = values.len().div_ceil(threads).max(1);
    if threads == 1 || values.len() <= share {
        return values.into_iter().map(work).collect();
    }
    let (mut shares, mut values) = (Vec::new(), values.into_iter());
    loop {
        let next: Vec<T> = values.by_ref().take(share).collect();
        if next.is_empty() {
            break;
        }
        shares.push(next);
    }
    let work = &work;
    thread::scope(|scope| {
        let run = |share: Vec<T>| scope.spawn(move || share.into_iter().map(work).collect());
        let running: Vec<thread::ScopedJoinHandle<'_, Vec<R>>> =
            shares.into_iter().map(run).collect();
        let joined = running.into_iter().map(thread::ScopedJoinHandle::join);
        // A gate with half of the results would be open: a panic goes on.
        joined.flat_map(|results| results.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}
