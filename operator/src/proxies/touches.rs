//! Touches: when to write an object anew, so that Istio's agents fetch a module which they could not fetch before. They never try
//! again by themselves (istio.io/istio, `pkg/wasm/convert.go`: what cannot be fetched is replaced once and for all).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::attachment::AttachmentKey;

/// How soon an object is written anew for a second time; each time after that, twice as late.
const FIRST: Duration = Duration::from_secs(10);
/// But no later than so.
const LAST: Duration = Duration::from_mins(5);
/// How often for the same pods: what did not help so often is not what they need.
const TRIES: u32 = 8;

/// What is written anew, and when it may be again.
#[derive(Debug, Default)]
pub(super) struct Touches {
    known: BTreeMap<AttachmentKey, Touch>,
}

#[derive(Debug)]
struct Touch {
    /// Not before.
    next: Instant,
    pause: Duration,
    /// For which pods, and how often.
    pods: BTreeSet<String>,
    tries: u32,
}

// === impl Touches ===

impl Touches {
    /// The attachments whose objects are to be written anew now, where these are those with a proxy that runs no filter though it
    /// should. An attachment without one is as it should be, and is never touched.
    pub(super) fn due(
        &mut self,
        starving: BTreeMap<AttachmentKey, Vec<String>>,
        now: Instant,
    ) -> Vec<(AttachmentKey, Vec<String>)> {
        self.known.retain(|key, _| starving.contains_key(key));
        let known = &mut self.known;
        let due = starving.into_iter().filter(|(key, pods)| {
            let (pods, tries) = (pods.iter().cloned().collect::<BTreeSet<_>>(), 0);
            let new = || Touch { next: now, pause: FIRST, pods: BTreeSet::new(), tries };
            let touch = known.entry(key.clone()).or_insert_with(new);
            if !pods.is_subset(&touch.pods) {
                touch.tries = 0;
            }
            touch.pods = pods;
            let due = touch.next <= now && touch.tries < TRIES;
            if due {
                touch.tries = touch.tries.saturating_add(1);
                touch.next = now.checked_add(touch.pause).unwrap_or(now);
                touch.pause = touch.pause.saturating_mul(2).min(LAST);
            }
            due
        });
        due.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starving(names: &[&str]) -> BTreeMap<AttachmentKey, Vec<String>> {
        let key = |name: &&str| AttachmentKey::Gateway {
            namespace: "shop".into(),
            name: (*name).to_owned(),
        };
        names.iter().map(|name| (key(name), vec!["pod".to_owned()])).collect()
    }

    #[test]
    fn who_starves_is_fed_less_and_less_often() {
        let (mut touches, start) = (Touches::default(), Instant::now());
        let mut fed = Vec::new();
        for second in 0..6000 {
            let now = start + Duration::from_secs(second);
            if !touches.due(starving(&["a"]), now).is_empty() {
                fed.push(second);
            }
        }
        assert_eq!(fed, [0, 10, 30, 70, 150, 310, 610, 910], "and then it is given up");
        let another = [("a", ["pod", "new"])].map(|(name, pods)| {
            let key = starving(&[name]).into_keys().next().unwrap();
            (key, pods.map(str::to_owned).to_vec())
        });
        let fed = touches.due(another.into(), start + Duration::from_mins(100));
        assert_eq!(fed.len(), 1, "another pod may be helped");
    }

    #[test]
    fn who_does_not_starve_is_left_alone_and_begins_anew() {
        let (mut touches, start) = (Touches::default(), Instant::now());
        let mut due = |names: &[&str], second| {
            touches.due(starving(names), start + Duration::from_secs(second)).len()
        };
        assert_eq!(due(&["a"], 0), 1);
        assert_eq!(due(&["a", "b"], 1), 1, "b for the first time");
        assert_eq!(due(&[], 2), 0);
        assert_eq!(due(&["a"], 3), 1, "a was as it should be in between");
    }
}
