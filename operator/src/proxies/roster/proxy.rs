//! One workload: what it should run, what its proxy said last, and when it is asked again.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::proxies::answer::Answer;
use crate::proxies::standing::Why;

/// How soon a proxy is asked for the first time; Istio itself waits for longer before it sends anything.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause before a proxy that does not run what it should is asked again.
const LAST: Duration = Duration::from_secs(30);
/// After so many questions in a row without an answer a proxy cannot be asked. Until then its last answer counts. With the pauses between
/// them that is some six seconds: a pod runs before its proxy listens.
const LOST: u32 = 7;
/// For how long a proxy may be without the filter before anybody does something about it.
pub(super) const STARVED: Duration = Duration::from_secs(10);

/// How a workload stands to what is published for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// It runs it.
    Current,
    /// Not, or it is not known to.
    Not(Why),
}

/// A workload and its proxy.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    address: Option<IpAddr>,
    /// Is there one?
    exists: bool,
    /// What it should run. More than one while a shape changes; none: nothing is published for it.
    wanted: Vec<u64>,
    answer: Option<Answer>,
    /// Questions without an answer, in a row.
    failures: u32,
    /// How many configurations it had refused when it last ran what it should.
    refused_before: u64,
    /// How long it is left alone before the next question.
    pause: Duration,
    /// When it is asked next.
    due: Option<Instant>,
    /// Since when it has answered that it runs no filter.
    starving_since: Option<Instant>,
}

// === impl Proxy ===

impl Proxy {
    pub(super) fn new(address: Option<IpAddr>, has_proxy: bool) -> Self {
        Self {
            address,
            exists: has_proxy,
            wanted: Vec::new(),
            answer: None,
            failures: 0,
            refused_before: 0,
            pause: FIRST,
            due: None,
            starving_since: None,
        }
    }

    /// Is it the one that was known: at the same address, and still with a proxy or without?
    pub(super) fn is_at(&self, address: Option<IpAddr>, has_proxy: bool) -> bool {
        self.address == address && self.exists == has_proxy
    }

    /// Takes in what it should run.
    pub(super) fn want(&mut self, wanted: Vec<u64>, now: Instant) {
        if self.wanted == wanted {
            return;
        }
        self.wanted = wanted;
        self.starving_since = None;
        if !self.exists || self.address.is_none() || self.wanted.is_empty() {
            self.due = None;
            return;
        }
        // One that could not be asked before is asked once more, and no sooner than it would be after that.
        if self.failures < LOST {
            self.pause = FIRST;
        }
        self.due = now.checked_add(FIRST);
    }

    /// It is being asked, if it was to be at that time.
    pub(super) fn ask(&mut self, at: Instant) -> Option<IpAddr> {
        self.due.take_if(|due| *due == at)?;
        self.address
    }

    /// Takes in what it said, or that it said nothing, and says whether it stands otherwise now. `settled`: for how long it is left
    /// alone where it runs what it should.
    pub(super) fn answered(
        &mut self,
        answer: Option<Answer>,
        settled: Duration,
        now: Instant,
    ) -> bool {
        let before = (self.answer, self.refused_before, self.failures >= LOST);
        let was_current = self.state() == State::Current;
        if let Some(answer) = answer {
            (self.answer, self.failures) = (Some(answer), 0);
        } else {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= LOST {
                self.answer = None;
            }
        }
        let is_current = answer.is_some() && self.state() == State::Current;
        if let Some(answer) = answer.filter(|_| is_current) {
            self.refused_before = answer.refused;
        }
        let starves = self.answer.is_some_and(|answer| answer.digest.is_none());
        self.starving_since = starves.then(|| self.starving_since.unwrap_or(now));
        let pause = if is_current {
            self.pause = FIRST;
            settled
        } else {
            if was_current {
                self.pause = FIRST;
            }
            let pause = self.pause;
            self.pause = pause.saturating_mul(2).min(LAST.max(settled));
            pause
        };
        self.due = now.checked_add(pause).filter(|_| !self.wanted.is_empty());
        before != (self.answer, self.refused_before, self.failures >= LOST)
    }

    /// When it is asked next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Something was done about it, if it runs no filter.
    pub(super) fn hurry(&mut self, now: Instant) {
        if self.due.is_some() && self.state() == State::Not(Why::NoFilter) {
            self.pause = FIRST;
            self.due = now.checked_add(FIRST);
        }
    }

    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// How it stands to what is published for it.
    pub(super) fn state(&self) -> State {
        self.state_for(&[])
    }

    /// The same, where these digests count as well as the latest.
    pub(super) fn state_for(&self, others: &[u64]) -> State {
        let runs = |digest: u64| self.wanted.contains(&digest) || others.contains(&digest);
        if !self.exists {
            return State::Not(Why::NoSidecar);
        }
        State::Not(match self.answer {
            None if self.failures >= LOST || self.address.is_none() => Why::Unreachable,
            None => Why::NotAsked,
            Some(Answer { digest: None, .. }) => Why::NoFilter,
            Some(Answer { digest: Some(digest), .. }) if runs(digest) => return State::Current,
            Some(Answer { refused, .. }) if refused > self.refused_before => Why::Refused,
            Some(_) => Why::Behind,
        })
    }

    /// Has it run no filter for so long that something must be done?
    pub(super) fn is_starving(&self, now: Instant) -> bool {
        let since = self.starving_since.filter(|_| !self.wanted.is_empty());
        since.is_some_and(|since| now.saturating_duration_since(since) >= STARVED)
    }
}
