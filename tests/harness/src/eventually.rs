//! Eventually: the one way of waiting, with one patience.

use std::time::Duration;

use anyhow::{Result, bail};
use xtask::wait;

/// The timeout of every condition. The longest wait of a healthy cluster is for a kubelet, which takes more than a minute to write a
/// changed `ConfigMap` into a pod.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The result of one look at a condition.
pub trait Look {
    /// The value that a wait ends with.
    type Value;

    /// The value, if it is there. An error is no end of the wait: a server may just be starting.
    fn found(self) -> Result<Option<Self::Value>>;
}

impl Look for bool {
    type Value = ();

    fn found(self) -> Result<Option<()>> {
        Ok(self.then_some(()))
    }
}

impl<T> Look for Option<T> {
    type Value = T;

    fn found(self) -> Result<Option<T>> {
        Ok(self)
    }
}

impl<L: Look> Look for Result<L> {
    type Value = L::Value;

    fn found(self) -> Result<Option<L::Value>> {
        self.and_then(Look::found)
    }
}

/// Looks until a value is there, or a condition holds.
pub fn eventually<L: Look>(what: &str, look: impl FnMut() -> L) -> Result<L::Value> {
    within(PATIENCE, what, look)
}

fn within<L: Look>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> L,
) -> Result<L::Value> {
    let mut failed = None;
    let found = wait::poll(patience, || match look().found() {
        Ok(found) => {
            failed = None;
            found
        }
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let in_vain = || format!("waited {} s in vain for {what}", patience.as_secs());
    match (found, failed) {
        (Some(value), _) => Ok(value),
        (None, Some(error)) => Err(error.context(in_vain())),
        (None, None) => bail!(in_vain()),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_wait_outlives_failed_looks_and_names_the_last_one() {
        let mut looks = 0;
        let third = eventually("the third look", || {
            looks += 1;
            if looks < 2 { Err(anyhow!("too early")) } else { Ok((looks == 3).then_some(looks)) }
        });
        assert_eq!(third.unwrap(), 3);
        let failed = within(Duration::ZERO, "a server", || Err::<bool, _>(anyhow!("refused")));
        assert_eq!(
            format!("{:#}", failed.unwrap_err()),
            "waited 0 s in vain for a server: refused"
        );
        let unmet = within(Duration::ZERO, "a condition", || false);
        assert_eq!(unmet.unwrap_err().to_string(), "waited 0 s in vain for a condition");
    }
}
