//! Panic guard: no panic leaves a hook, because it would end Envoy.

use std::mem;
use std::panic::{self, AssertUnwindSafe};

use crate::series::PANICS;

/// Runs a hook. Returns `unfiltered` after a panic, which counts, and which the panic log has written.
///
/// The states that hooks share are whole at any moment: values of atomics, and behind locks that are taken over after a panic.
/// An exchange without a plan edits nothing.
pub(crate) fn guard<T>(unfiltered: T, hook: impl FnOnce() -> T) -> T {
    panic::catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|payload| {
        // What it holds could panic when it is dropped.
        mem::forget(payload);
        PANICS.add(1);
        unfiltered
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_counts_and_ends_in_the_given_value() {
        let before = PANICS.get();
        assert_eq!(guard("unfiltered", || "filtered"), "filtered");
        assert_eq!(PANICS.get(), before);
        assert_eq!(guard("unfiltered", || panic!("a test's own")), "unfiltered");
        assert_eq!(PANICS.get(), before + 1);
    }
}
