//! Proxy: the configuration that it should run, the report of its metrics on the filter in it, and the time of the next poll.
//!
//! A filter reports the first 53 bits of a digest as a gauge (`gauge_of` of `policy/src/wire.rs`), and `PublishedBundle::of` of the
//! tracker cuts the published digest in the same way. A proxy is in sync if its gauge equals one of those that it should have (`wanted` of the
//! schedule); for the status of a policy, earlier configurations with the same spec count too (`holds`).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::event::{OutOfSyncReason, ProxyState};
use crate::rollout::refresh::REFRESH_AFTER;

/// The path, with a filter that Envoy applies to the names of metrics before it writes them: `^wasmcustom\.corsward\.config\.`
const PATH: &str = "/stats/prometheus?filter=%5Ewasmcustom%5C.corsward%5C.config%5C.";
/// The longest answer; an ordinary one has some 200 bytes.
pub const MAX_LEN: usize = 16 * 1024;

/// Delay before the first poll of a proxy; Istio itself waits longer before it sends anything.
const INITIAL_DELAY: Duration = Duration::from_millis(100);
/// The longest pause before a proxy that does not run what it should is asked again.
const MAX_DELAY: Duration = Duration::from_secs(30);
/// Polls in a row without an answer after which a proxy counts as unreachable. Until then its last answer counts. With the pauses between
/// them that is some six seconds: a pod runs before its proxy listens.
const MAX_FAILURES: u32 = 7;

/// The report of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyStats {
    /// The first bits of the digest of what its filter runs; none where it has no filter of ours.
    pub digest: Option<u64>,
    /// The number of configurations that the filter refused.
    pub refused: u64,
}

/// The URI of the metrics that a proxy serves at that address.
pub fn uri(address: SocketAddr) -> String {
    format!("http://{address}{PATH}")
}

// === impl ProxyStats ===

impl ProxyStats {
    /// Reads metrics as Prometheus does. Foreign metrics count for nothing, and so does any other page.
    pub fn read(text: &str) -> Self {
        let mut answer = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let name = name.split_once('{').map_or(name, |(name, _)| name);
            // Envoy writes whole numbers; a collector in between may write a double.
            let number = || value.parse().ok().or_else(|| whole(value.parse().ok()?));
            match name {
                "corsward_config_digest" => answer.digest = number(),
                "corsward_config_refused" => answer.refused = number().unwrap_or_default(),
                _ => {}
            }
        }
        answer
    }
}

/// A double that is a whole number that a double can hold.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is looked at first"
)]
fn whole(number: f64) -> Option<u64> {
    const MAX: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && (0.0..=MAX).contains(&number)).then_some(number as u64)
}

/// A workload and its proxy.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) address: Option<SocketAddr>,
    /// Is there one?
    exists: bool,
    /// The expected digests. Several during a regrouping; none without a published bundle.
    wanted: Vec<u64>,
    answer: Option<ProxyStats>,
    /// Questions without an answer, in a row.
    failures: u32,
    /// The number of refusals at the time when it was last in sync.
    refused_before: u64,
    /// The pause before the next poll.
    pause: Duration,
    /// The time of the next poll.
    pub(super) due: Option<Instant>,
    /// Since when it has answered that it runs no filter.
    missing_filter_since: Option<Instant>,
}

// === impl Proxy ===

impl Proxy {
    pub(super) fn new(address: Option<SocketAddr>, has_proxy: bool) -> Self {
        Self {
            address,
            exists: has_proxy,
            wanted: Vec::new(),
            answer: None,
            failures: 0,
            refused_before: 0,
            pause: INITIAL_DELAY,
            due: None,
            missing_filter_since: None,
        }
    }

    /// Is it the one that was known: at the same address, and still with a proxy or without?
    pub(super) fn is_at(&self, address: Option<SocketAddr>, has_proxy: bool) -> bool {
        self.address == address && self.exists == has_proxy
    }

    /// Takes in what it should run.
    pub(super) fn want(&mut self, wanted: Vec<u64>, now: Instant) {
        if self.wanted == wanted {
            return;
        }
        self.wanted = wanted;
        self.missing_filter_since = None;
        if !self.exists || self.address.is_none() || self.wanted.is_empty() {
            self.due = None;
            return;
        }
        // One that could not be asked before is asked once more, and no sooner than it would be after that.
        if self.failures < MAX_FAILURES {
            self.pause = INITIAL_DELAY;
        }
        self.due = now.checked_add(INITIAL_DELAY);
    }

    /// It is being asked, if it was to be at that time.
    pub(super) fn ask(&mut self, at: Instant) -> Option<SocketAddr> {
        self.due.take_if(|due| *due == at)?;
        self.address
    }

    /// Takes in what it said, or that it said nothing, and says whether it stands otherwise now. `settled`: for how long it is left
    /// alone where it runs what it should.
    pub(super) fn answered(
        &mut self,
        answer: Option<ProxyStats>,
        settled: Duration,
        now: Instant,
    ) -> bool {
        let before = (self.answer, self.refused_before, self.failures >= MAX_FAILURES);
        let was_current = self.state() == ProxyState::Current;
        if let Some(answer) = answer {
            (self.answer, self.failures) = (Some(answer), 0);
        } else {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= MAX_FAILURES {
                self.answer = None;
            }
        }
        let is_current = answer.is_some() && self.state() == ProxyState::Current;
        if let Some(answer) = answer.filter(|_| is_current) {
            self.refused_before = answer.refused;
        }
        let starves = self.answer.is_some_and(|answer| answer.digest.is_none());
        self.missing_filter_since = starves.then(|| self.missing_filter_since.unwrap_or(now));
        let pause = if is_current {
            self.pause = INITIAL_DELAY;
            settled
        } else {
            if was_current {
                self.pause = INITIAL_DELAY;
            }
            let pause = self.pause;
            self.pause = pause.saturating_mul(2).min(MAX_DELAY.max(settled));
            pause
        };
        self.due = now.checked_add(pause).filter(|_| !self.wanted.is_empty());
        before != (self.answer, self.refused_before, self.failures >= MAX_FAILURES)
    }

    /// Something was done about it, if it runs no filter.
    pub(super) fn poll_soon(&mut self, now: Instant) {
        if self.due.is_some() && self.state() == ProxyState::Not(OutOfSyncReason::NoFilter) {
            self.pause = INITIAL_DELAY;
            self.due = now.checked_add(INITIAL_DELAY);
        }
    }

    /// Its state against its published bundles.
    pub(super) fn state(&self) -> ProxyState {
        self.state_for(&[])
    }

    /// The same, where these digests count as well as the latest.
    pub(super) fn state_for(&self, others: &[u64]) -> ProxyState {
        let runs = |digest: u64| self.wanted.contains(&digest) || others.contains(&digest);
        if !self.exists {
            return ProxyState::Not(OutOfSyncReason::NoSidecar);
        }
        ProxyState::Not(match self.answer {
            None if self.failures >= MAX_FAILURES || self.address.is_none() => {
                OutOfSyncReason::Unreachable
            }
            None => OutOfSyncReason::NotAsked,
            Some(ProxyStats { digest: None, .. }) => OutOfSyncReason::NoFilter,
            Some(ProxyStats { digest: Some(digest), .. }) if runs(digest) => {
                return ProxyState::Current;
            }
            Some(ProxyStats { refused, .. }) if refused > self.refused_before => {
                OutOfSyncReason::Refused
            }
            Some(_) => OutOfSyncReason::Behind,
        })
    }

    /// Has it run no filter for so long that something must be done?
    pub(super) fn is_missing_filter(&self, now: Instant) -> bool {
        let since = self.missing_filter_since.filter(|_| !self.wanted.is_empty());
        since.is_some_and(|since| now.saturating_duration_since(since) >= REFRESH_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_says_what_its_filter_runs_and_refused() {
        let envoy = "# TYPE corsward_config_accepted counter\ncorsward_config_accepted{} 3\n\
                     # TYPE corsward_config_refused counter\ncorsward_config_refused{} 2\n\
                     # TYPE corsward_config_digest gauge\ncorsward_config_digest{} 6004799503160661\n";
        for (why, text, digest, refused) in [
            ("as Envoy writes it", envoy, Some(6_004_799_503_160_661), 2),
            ("no filter", "", None, 0),
            ("somebody else's page", "<html>corsward_config_digest 7</html>", None, 0),
            ("with labels", "corsward_config_digest{a=\"b c\"} 7", Some(7), 0),
            ("without braces", "corsward_config_digest 7", Some(7), 0),
            (
                "as a double",
                "corsward_config_digest{} 6.004799503160661e15",
                Some(6_004_799_503_160_661),
                0,
            ),
            ("not a number", "corsward_config_digest{} NaN", None, 0),
            ("below zero", "corsward_config_digest{} -1", None, 0),
        ] {
            assert_eq!(ProxyStats::read(text), ProxyStats { digest, refused }, "{why}");
        }
    }

    #[test]
    fn a_pod_is_asked_at_its_address() {
        for address in ["10.0.0.1:15090", "[fd00::1]:19001"] {
            let want = format!("http://{address}/stats/prometheus?");
            assert!(uri(address.parse().unwrap()).starts_with(&want), "{address}");
        }
    }
}
