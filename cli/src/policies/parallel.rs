//! Work for all processors: the same function for many values.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Parts of the values that each thread takes, one after the other: a processor may be busy with something else.
const PARTS: usize = 16;

/// The results of `work` for each value, in order.
pub(crate) fn map<T: Send, R: Send>(values: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(values.len());
    if threads <= 1 {
        return values.into_iter().map(work).collect();
    }
    let part = values.len().div_ceil(threads.saturating_mul(PARTS)).max(1);
    let queue = Mutex::new(values.into_iter().enumerate());
    let run = || {
        let mut results = Vec::new();
        loop {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let next: Vec<(usize, T)> = queue.by_ref().take(part).collect();
            drop(queue);
            if next.is_empty() {
                return results;
            }
            results.extend(next.into_iter().map(|(at, value)| (at, work(value))));
        }
    };
    let mut all: Vec<(usize, R)> = thread::scope(|scope| {
        let running: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut all = run();
        for thread in running {
            // A gate with half of the results would be open: a panic goes on.
            all.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}
