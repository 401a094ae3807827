//! Election: the holder of the Lease, from the observations of it. A state machine without IO; time is an argument.
//!
//! Leadership begins with an accepted write of a free or expired Lease. It ends at once when the Lease is not its own: of a different
//! holder, empty or deleted (`saw`); else at the deadline (`wrote`): 10 s after the request of the last accepted renewal. `keep_time` of
//! `operator/controller/src/leader.rs` keeps the deadline even if a request hangs, and its `release` empties the Lease at a stop.

use std::time::{Duration, Instant};

use corsward_operator_core::lease_record::LeaseRecord;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;

use super::LeaseOptions;

/// The longest time for which a Lease is honored. No release uses nearly as much, and its holder has stopped writing long before: a
/// longer duration was written by hand or by mistake, and would stop all writing for years.
const MAX_BELIEVED: Duration = Duration::from_mins(10);

/// The holder of the Lease, as far as this replica knows.
#[derive(Debug)]
pub(super) struct Election {
    pub(super) options: LeaseOptions,
    /// The content of the Lease at its last observed change, with the time of the observation.
    observed: Option<(LeaseSpec, Instant)>,
    /// This replica may write until then; absent: it may not.
    pub(super) until: Option<Instant>,
}

// === impl Election ===

impl Election {
    pub(super) fn new(options: LeaseOptions) -> Self {
        Self { options, observed: None, until: None }
    }

    /// Takes in the Lease as it came back from a request, and returns the Lease to write; `None`: a different replica holds it. What is
    /// written carries the observed version, so that of two replicas one is refused; a new Lease has none. `now` is the time by which the answer was there, `clock` is
    /// this machine's clock, which is written into the Lease for people and never compared with anything.
    pub(super) fn saw(
        &mut self,
        lease: Option<Lease>,
        now: Instant,
        clock: Timestamp,
    ) -> Option<Lease> {
        let is_missing = lease.is_none();
        let Lease { metadata, spec } = lease.unwrap_or_default();
        let spec = spec.unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let (ours, free) = (holder == self.options.identity, holder.is_empty());
        let since = self.observe(spec.clone(), now);
        if !ours {
            self.until = None;
        }
        if !ours && !free && now.saturating_duration_since(since) < self.lasts(&spec) {
            return None;
        }
        let (acquired, transitions) = if ours || is_missing {
            (spec.acquire_time, spec.lease_transitions)
        } else {
            (None, Some(spec.lease_transitions.unwrap_or_default().saturating_add(1)))
        };
        let spec = LeaseSpec {
            acquire_time: acquired.or(Some(MicroTime(clock))),
            lease_transitions: transitions.or(Some(0)),
            ..self.renewed(clock)
        };
        let LeaseOptions { namespace, lease, .. } = &self.options;
        let (namespace, name) = (Some(namespace.clone()), Some(lease.clone()));
        let metadata = ObjectMeta { name, namespace, ..metadata };
        Some(Lease { metadata, spec: Some(spec) })
    }

    /// The last observed holder of the Lease; `None` if it was free.
    pub(super) fn holding(&self) -> Option<LeaseRecord> {
        let (spec, since) = self.observed.as_ref()?;
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty())?;
        let is_ours = holder == self.options.identity;
        Some(LeaseRecord { holder, is_ours, since: *since, lasts: self.lasts(spec) })
    }

    /// The API server took what [`saw`](Self::saw) said to write; the request was sent at `sent`.
    pub(super) fn wrote(&mut self, sent: Instant) {
        self.until = sent.checked_add(self.options.renew_deadline);
    }

    /// The Lease as it is given back; nothing where it is not ours.
    pub(super) fn release(&self, lease: Lease, clock: Timestamp) -> Option<Lease> {
        let Lease { metadata, spec } = lease;
        let spec = spec?;
        (spec.holder_identity.as_ref() == Some(&self.options.identity)).then(|| Lease {
            metadata,
            spec: Some(LeaseSpec {
                holder_identity: Some(String::new()),
                renew_time: Some(MicroTime(clock)),
                ..spec
            }),
        })
    }

    /// Time for which a Lease without renewals is honored.
    fn lasts(&self, spec: &LeaseSpec) -> Duration {
        let duration = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let most = MAX_BELIEVED.max(self.options.duration);
        duration.map_or(self.options.duration, Duration::from_secs).min(most)
    }

    /// Since when the Lease says the same, on this replica's own clock, which is never set.
    fn observe(&mut self, spec: LeaseSpec, now: Instant) -> Instant {
        match &self.observed {
            Some((observed, since)) if *observed == spec => *since,
            _ => {
                self.observed = Some((spec, now));
                now
            }
        }
    }

    fn renewed(&self, clock: Timestamp) -> LeaseSpec {
        let seconds = i32::try_from(self.options.duration.as_secs()).unwrap_or(i32::MAX);
        LeaseSpec {
            holder_identity: Some(self.options.identity.clone()),
            lease_duration_seconds: Some(seconds),
            renew_time: Some(MicroTime(clock)),
            ..LeaseSpec::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A replica's time: its own seconds since its start, and the offset of its clock.
    struct Replica {
        election: Election,
        start: Instant,
        skew: i64,
    }

    impl Replica {
        fn new(identity: &str, skew: i64) -> Self {
            let options = LeaseOptions::new("ns".to_owned(), "l".to_owned(), identity.to_owned());
            Self { election: Election::new(options), start: Instant::now(), skew }
        }

        fn at(&self, second: u64) -> Instant {
            self.start.checked_add(Duration::from_secs(second)).unwrap()
        }

        fn clock(&self, second: u64) -> Timestamp {
            Timestamp::from_second(self.skew.saturating_add_unsigned(second)).unwrap()
        }

        fn saw(&mut self, lease: Option<&Lease>, second: u64) -> Option<Lease> {
            let (now, clock) = (self.at(second), self.clock(second));
            self.election.saw(lease.cloned(), now, clock)
        }

        /// Looks and writes, as if every request took no time; what is in the store then.
        fn turn(&mut self, lease: Option<Lease>, second: u64) -> Option<Lease> {
            let Some(new) = self.saw(lease.as_ref(), second) else { return lease };
            self.election.wrote(self.at(second));
            Some(new)
        }

        fn leads(&self, second: u64) -> bool {
            self.election.until.is_some_and(|until| self.at(second) < until)
        }
    }

    fn holder(lease: Option<&Lease>) -> Option<&str> {
        lease?.spec.as_ref()?.holder_identity.as_deref()
    }

    #[test]
    fn one_leads_the_other_waits_whatever_their_clocks_say() {
        for skew in [0, 3600, -3600] {
            let (mut a, mut b) = (Replica::new("a", 0), Replica::new("b", skew));
            let mut lease = None;
            for second in (0..600).step_by(2) {
                lease = a.turn(lease, second);
                lease = b.turn(lease, second + 1);
                assert!(a.leads(second + 1) && !b.leads(second + 1), "skew {skew}, {second} s");
            }
        }
    }

    #[test]
    fn a_lease_that_is_not_renewed_is_taken_after_its_time_whatever_the_clocks_say() {
        for skew in [0, 3600, -3600] {
            let (mut a, mut b) = (Replica::new("a", skew), Replica::new("b", 0));
            let mut lease = a.turn(None, 0);
            let mut taken = None;
            for second in 1..60 {
                lease = b.turn(lease, second);
                assert!(
                    !(a.leads(second) && b.leads(second)),
                    "two write at {second} s, skew {skew}"
                );
                if b.leads(second) && taken.is_none() {
                    taken = Some(second);
                }
            }
            assert_eq!(taken, Some(16), "15 s after it was first seen, skew {skew}");
            assert_eq!(lease.unwrap().spec.unwrap().lease_transitions, Some(1));
        }
    }

    #[test]
    fn a_lease_that_lasts_for_years_is_somebodys_and_is_taken_within_minutes() {
        let mut b = Replica::new("b", 0);
        let spec = LeaseSpec {
            holder_identity: Some("stranger".to_owned()),
            lease_duration_seconds: Some(2_000_000_000),
            ..LeaseSpec::default()
        };
        let mut lease = Some(Lease { spec: Some(spec), ..Lease::default() });
        for (second, leads) in [(0, false), (30, false), (599, false), (600, true)] {
            lease = b.turn(lease, second);
            assert_eq!(b.leads(second), leads, "{second} s");
            let (now, holding) = (b.at(second), b.election.holding().unwrap());
            assert_eq!((holding.holder.as_str(), holding.is_ours), ("stranger", false));
            let left = 600 - second;
            assert_eq!(holding.rest(now), Duration::from_secs(left));
            assert_eq!(holding.until(now, b.clock(second)), b.clock(600));
        }
        assert_eq!(holder(lease.as_ref()), Some("b"));
    }

    #[test]
    fn whoever_cannot_renew_stops_before_anybody_else_may_begin() {
        let mut a = Replica::new("a", 0);
        a.turn(None, 0);
        assert!(a.leads(9) && !a.leads(10), "and the lease lasts for 15 s");
    }

    #[test]
    fn whoever_sees_that_the_lease_is_lost_stops_at_once() {
        let (mut a, mut b) = (Replica::new("a", 0), Replica::new("b", 0));
        a.turn(None, 0);
        let stolen = b.turn(None, 1);
        assert_eq!(a.saw(stolen.as_ref(), 2), None);
        assert!(!a.leads(2));
    }

    #[test]
    fn a_lease_that_is_given_back_is_taken_at_once() {
        let (mut a, mut b) = (Replica::new("a", 0), Replica::new("b", 0));
        let lease = a.turn(None, 0);
        let lease = b.turn(lease, 1);
        assert_eq!(holder(lease.as_ref()), Some("a"));
        let released = a.election.release(lease.clone().unwrap(), a.clock(2));
        let lease = b.turn(released, 3);
        assert_eq!(holder(lease.as_ref()), Some("b"));
        assert!(b.leads(3));
        assert_eq!(a.election.release(lease.unwrap(), a.clock(4)), None, "it is not a's to give");
    }

    #[test]
    fn whoever_starts_again_under_its_name_goes_on() {
        let lease = Replica::new("a", 0).turn(None, 0);
        let mut again = Replica::new("a", 0);
        let lease = again.turn(lease, 5);
        assert!(again.leads(5));
        assert_eq!(lease.unwrap().spec.unwrap().lease_transitions, Some(0), "the same holder");
    }

    #[test]
    fn a_lease_that_was_deleted_is_made_again_and_an_empty_one_is_taken() {
        let mut a = Replica::new("a", 0);
        a.turn(None, 0);
        assert_eq!(a.saw(None, 2).unwrap().metadata.resource_version, None);
        assert!(!a.leads(2), "until it is made");
        let mut b = Replica::new("b", 0);
        assert!(b.saw(Some(&Lease::default()), 0).is_some());
    }

    #[test]
    fn what_is_written_carries_the_version_that_was_seen() {
        let metadata = ObjectMeta {
            resource_version: Some("42".to_owned()),
            labels: Some([("team".to_owned(), "a".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let lease = Lease { metadata: metadata.clone(), spec: None };
        let written = Replica::new("a", 0).saw(Some(&lease), 0).unwrap().metadata;
        assert_eq!(written.resource_version, metadata.resource_version);
        assert_eq!(written.labels, metadata.labels);
    }
}
