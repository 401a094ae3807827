//! Refresh: the times at which an object is written anew, so that Istio's agents fetch a module which they could not fetch before. They
//! never try again by themselves (istio.io/istio, `pkg/wasm/convert.go`: what cannot be fetched is replaced once and for all).
//!
//! The first refresh is due when a proxy of the object has reported for [`REFRESH_AFTER`] that it runs no filter
//! (`Proxy::is_missing_filter`), the next ones 10 s, 20 s, 40 s … up to 5 minutes later, eight in all for
//! the same pods. Only the leader writes it, and only while every module server has the
//! module (`may_refresh` of `operator/controller/src/poller.rs`). The annotation is
//! `istio.io.corsward.io/refreshed-at`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::bundle::BundleKey;

/// Time without the filter after which a proxy's plugin is refreshed.
pub(super) const REFRESH_AFTER: Duration = Duration::from_secs(10);
/// Delay before the second refresh of an object; it doubles each time.
const INITIAL_DELAY: Duration = Duration::from_secs(10);
/// But no later than so.
const MAX_DELAY: Duration = Duration::from_mins(5);
/// Most refreshes for the same pods: they need something else then.
const MAX_REFRESHES: u32 = 8;

/// The refreshed objects, with the time of the next refresh.
#[derive(Debug, Default)]
pub struct RefreshSchedule {
    known: BTreeMap<BundleKey, Refresh>,
}

#[derive(Debug)]
struct Refresh {
    /// Not before.
    next: Instant,
    pause: Duration,
    /// For which pods, and how often.
    pods: BTreeSet<String>,
    tries: u32,
}

// === impl RefreshSchedule ===

impl RefreshSchedule {
    /// The bundles whose objects are to be written anew now, where these are those with a proxy that runs no filter though it
    /// should. A bundle without one is as it should be, and is never touched.
    pub fn due(
        &mut self,
        missing_filter: BTreeMap<BundleKey, Vec<String>>,
        now: Instant,
    ) -> Vec<(BundleKey, Vec<String>)> {
        self.known.retain(|key, _| missing_filter.contains_key(key));
        let known = &mut self.known;
        let due = missing_filter.into_iter().filter(|(key, pods)| {
            let (pods, tries) = (pods.iter().cloned().collect::<BTreeSet<_>>(), 0);
            let new = || Refresh { next: now, pause: INITIAL_DELAY, pods: BTreeSet::new(), tries };
            let refresh = known.entry(key.clone()).or_insert_with(new);
            if !pods.is_subset(&refresh.pods) {
                refresh.tries = 0;
            }
            refresh.pods = pods;
            let due = refresh.next <= now && refresh.tries < MAX_REFRESHES;
            if due {
                refresh.tries = refresh.tries.saturating_add(1);
                refresh.next = now.checked_add(refresh.pause).unwrap_or(now);
                refresh.pause = refresh.pause.saturating_mul(2).min(MAX_DELAY);
            }
            due
        });
        due.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::TargetProxies;

    fn missing_filter(names: &[&str]) -> BTreeMap<BundleKey, Vec<String>> {
        let key = |name: &&str| BundleKey::new("shop", TargetProxies::Gateway((*name).to_owned()));
        names.iter().map(|name| (key(name), vec!["pod".to_owned()])).collect()
    }

    #[test]
    fn who_starves_is_fed_less_and_less_often() {
        let (mut refreshes, start) = (RefreshSchedule::default(), Instant::now());
        let mut fed = Vec::new();
        for second in 0..6000 {
            let now = start + Duration::from_secs(second);
            if !refreshes.due(missing_filter(&["a"]), now).is_empty() {
                fed.push(second);
            }
        }
        assert_eq!(fed, [0, 10, 30, 70, 150, 310, 610, 910], "and then it is given up");
        let another = [("a", ["pod", "new"])].map(|(name, pods)| {
            let key = missing_filter(&[name]).into_keys().next().unwrap();
            (key, pods.map(str::to_owned).to_vec())
        });
        let fed = refreshes.due(another.into(), start + Duration::from_mins(100));
        assert_eq!(fed.len(), 1, "another pod may be helped");
    }

    #[test]
    fn who_does_not_starve_is_left_alone_and_begins_anew() {
        let (mut refreshes, start) = (RefreshSchedule::default(), Instant::now());
        let mut due = |names: &[&str], second| {
            refreshes.due(missing_filter(names), start + Duration::from_secs(second)).len()
        };
        assert_eq!(due(&["a"], 0), 1);
        assert_eq!(due(&["a", "b"], 1), 1, "b for the first time");
        assert_eq!(due(&[], 2), 0);
        assert_eq!(due(&["a"], 3), 1, "a was as it should be in between");
    }
}
