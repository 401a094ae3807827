//! Tests of the schedule: a namespace of some pods, and a clock that goes on when it is told to.

use super::*;
use crate::event::{OutOfSyncPod, OutOfSyncReason, Rollout};
use crate::rollout::tracker::{PublishedBundle, Share, Workload, WorkloadGroup};
use crate::targets::TargetProxies;
use crate::testing::id;

/// A namespace, and what was told of its policy.
struct Shop {
    schedule: Schedule,
    now: Instant,
    pods: Vec<(&'static str, bool)>,
    digest: u64,
    revision: u64,
    pending: bool,
    told: Vec<Rollout>,
}

// === impl Shop ===

impl Shop {
    /// Its pods, each with a sidecar, and what they should run published just now.
    fn new(pods: &[&'static str]) -> Self {
        let pods = pods.iter().map(|pod| (*pod, true)).collect();
        let (schedule, now, told) = (Schedule::default(), Instant::now(), Vec::new());
        let mut shop = Self { schedule, now, pods, digest: 1, revision: 1, pending: false, told };
        shop.assign();
        shop
    }

    fn assign(&mut self) {
        let key = BundleKey::new("shop", TargetProxies::Workloads(Arc::default()));
        let workload = |(pod, has_proxy): &(&str, bool)| Workload {
            pod: (*pod).to_owned(),
            address: Some(address(pod)),
            has_proxy: *has_proxy,
            bundles: vec![0],
        };
        let share =
            Share { group: 0, bundles: vec![0], revision: self.revision, pending: self.pending };
        let expected = Expected {
            bundles: vec![PublishedBundle { key, digest: self.digest, retiring: false }],
            workloads: self.pods.iter().map(workload).collect(),
            groups: vec![WorkloadGroup {
                workloads: (0..self.pods.len()).collect(),
                ..WorkloadGroup::default()
            }],
            shares: [(id("api"), share)].into(),
        };
        self.schedule.assign("shop", Arc::new(expected), self.now);
    }

    /// Lets time pass, while pods answer what `answer` says.
    fn pass(&mut self, seconds: u64, answer: impl Fn(&str) -> Option<ProxyStats>) -> Vec<String> {
        let end = self.now.checked_add(Duration::from_secs(seconds)).unwrap();
        let mut asked = Vec::new();
        loop {
            while let Some(request) = self.schedule.next(self.now) {
                let answer = answer(&request.pod.name);
                self.schedule.answered(&request, answer, self.now);
                asked.push(request.pod.name);
            }
            let told = self.schedule.drain_updates(self.now).into_iter();
            self.told.extend(
                told.filter(|told| told.revision == self.revision).map(|told| told.rollout),
            );
            match self.schedule.next_deadline() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
        }
        self.now = end;
        asked
    }

    /// The updates since the last call.
    fn told(&mut self) -> Vec<Rollout> {
        std::mem::take(&mut self.told)
    }
}

fn address(pod: &str) -> SocketAddr {
    let bytes: Vec<u8> = pod.bytes().collect();
    ([10, 0, bytes[0], bytes.get(1).copied().unwrap_or_default()], 15_090).into()
}

#[expect(clippy::unnecessary_wraps, reason = "the others are no answer")]
fn runs(digest: u64) -> Option<ProxyStats> {
    Some(ProxyStats { digest: Some(digest), refused: 0 })
}

fn whole(matched: usize) -> Rollout {
    Rollout { matched, current: matched, ..Rollout::default() }
}

fn pod(pod: &str, why: OutOfSyncReason) -> OutOfSyncPod {
    OutOfSyncPod { pod: pod.to_owned(), why }
}

#[test]
fn when_all_run_it_that_is_told_once() {
    let mut shop = Shop::new(&["a", "b"]);
    shop.pass(1, |_| runs(1));
    assert_eq!(shop.told(), [whole(2)]);
    shop.pass(600, |_| runs(1));
    assert_eq!(shop.told(), [], "nothing changed");
}

#[test]
fn whoever_runs_it_is_asked_now_and_then_and_whoever_does_not_again_and_again() {
    let mut shop = Shop::new(&["a", "b"]);
    let asked = shop.pass(10, |pod| if pod == "a" { runs(1) } else { runs(9) });
    let count = |asked: &[String], pod: &str| asked.iter().filter(|asked| *asked == pod).count();
    assert_eq!(count(&asked, "a"), 1);
    assert_eq!(count(&asked, "b"), 7, "0.1 s, 0.2 s, 0.4 s … after one another");
    shop.pass(60, |_| runs(1));
    let asked = shop.pass(60, |_| runs(1));
    assert_eq!((count(&asked, "a"), count(&asked, "b")), (2, 2));
}

#[test]
fn proxies_have_a_while_before_it_is_said_that_they_do_not_run_it() {
    let mut shop = Shop::new(&["a", "b"]);
    let behind = |pod: &str| if pod == "a" { runs(1) } else { runs(9) };
    shop.pass(9, behind);
    assert_eq!(shop.told(), []);
    shop.pass(2, behind);
    let lagging = vec![pod("b", OutOfSyncReason::Behind)];
    assert_eq!(shop.told(), [Rollout { matched: 2, current: 1, lagging, ..Rollout::default() }]);
    shop.pass(30, |_| runs(1));
    assert_eq!(shop.told(), [whole(2)], "at once, when all do");
}

#[test]
fn a_workload_that_cannot_run_it_keeps_nobody_waiting() {
    let mut shop = Shop::new(&["a", "b"]);
    shop.pods.push(("c", false));
    shop.assign();
    shop.pass(1, |_| runs(1));
    let lagging = vec![pod("c", OutOfSyncReason::NoSidecar)];
    assert_eq!(shop.told(), [Rollout { matched: 3, current: 2, lagging, ..Rollout::default() }]);
}

#[test]
fn whoever_cannot_be_asked_is_not_known_and_not_behind() {
    let mut shop = Shop::new(&["a", "b"]);
    let reachable = |pod: &str| if pod == "a" { runs(1) } else { None };
    shop.pass(8, reachable);
    let unasked = vec![pod("b", OutOfSyncReason::Unreachable)];
    let told = [Rollout { matched: 2, current: 1, unknown: 1, unasked, ..Rollout::default() }];
    assert_eq!(shop.told(), told, "before the patience with slow ones is at its end");
    // The next version need not wait for it again.
    (shop.digest, shop.revision) = (2, 2);
    shop.assign();
    shop.pass(1, |pod| if pod == "a" { runs(2) } else { None });
    assert_eq!(shop.told(), told);
}

#[test]
fn a_pod_whose_proxy_listens_seconds_later_is_no_news_until_it_does() {
    let mut shop = Shop::new(&["a", "b"]);
    shop.pass(1, |_| runs(1));
    assert_eq!(shop.told(), [whole(2)]);
    shop.pods.push(("c", true));
    shop.assign();
    shop.pass(5, |pod| if pod == "c" { None } else { runs(1) });
    assert_eq!(shop.told(), []);
    shop.pass(10, |_| runs(1));
    assert_eq!(shop.told(), [whole(3)]);
}

#[test]
fn a_proxy_that_does_not_answer_once_is_believed_for_a_moment() {
    let mut shop = Shop::new(&["a", "b"]);
    shop.pass(29, |_| runs(1));
    assert_eq!(shop.told(), [whole(2)]);
    let now = shop.now;
    let silent = std::cell::Cell::new(2);
    shop.pass(60, |_| {
        let first = silent.get() > 0;
        silent.set(silent.get().max(1) - 1);
        if first { None } else { runs(1) }
    });
    assert_eq!(shop.told(), []);
    assert!(shop.now > now);
    shop.pass(60, |_| None);
    assert_eq!(shop.told()[0].unknown, 2, "and not for ever");
}

#[test]
fn what_was_said_of_another_version_says_nothing_of_this_one() {
    let mut shop = Shop::new(&["a"]);
    shop.pass(1, |_| runs(1));
    assert_eq!(shop.told(), [whole(1)]);
    (shop.digest, shop.revision) = (2, 2);
    shop.assign();
    shop.pass(5, |_| runs(1));
    assert_eq!(shop.told(), [], "it still runs the old one");
    shop.pass(5, |_| runs(2));
    assert_eq!(shop.told(), [whole(1)]);
}

#[test]
fn a_change_of_a_neighbour_is_none_of_a_policy() {
    let mut shop = Shop::new(&["a", "b"]);
    shop.pass(1, |_| runs(1));
    assert_eq!(shop.told(), [whole(2)]);
    shop.pending = true;
    shop.assign();
    (shop.digest, shop.pending) = (2, false);
    shop.assign();
    let asked = shop.pass(20, |pod| if pod == "a" { runs(1) } else { runs(2) });
    assert_eq!(shop.told(), [], "both configurations hold it");
    assert!(asked.iter().filter(|pod| *pod == "a").count() > 3, "yet it is asked for the new one");
}

#[test]
fn pods_that_come_and_go_are_no_news_while_the_numbers_are_the_same() {
    let mut shop = Shop::new(&["a", "b"]);
    shop.pass(1, |_| runs(1));
    assert_eq!(shop.told(), [whole(2)]);
    for name in ["c", "d", "e", "f"] {
        shop.pods.push((name, true));
        shop.assign();
        // Its Envoy starts.
        shop.pass(1, |pod| if pod == name { None } else { runs(1) });
        shop.pods.remove(0);
        shop.assign();
        shop.pass(4, |_| runs(1));
    }
    assert_eq!(shop.told(), []);
    shop.pods.push(("g", true));
    shop.assign();
    shop.pass(5, |_| runs(1));
    assert_eq!(shop.told(), [whole(3)], "one more that stays is news");
}

#[test]
fn a_pod_at_another_address_is_another_pod() {
    let mut shop = Shop::new(&["a"]);
    shop.pass(1, |_| runs(1));
    assert_eq!(shop.told(), [whole(1)]);
    shop.pods[0].1 = false;
    shop.assign();
    shop.pass(5, |_| runs(1));
    assert_eq!(shop.told()[0].lagging, [pod("a", OutOfSyncReason::NoSidecar)]);
}

#[test]
fn a_refused_configuration_is_told_as_that() {
    let refused = |count| Some(ProxyStats { digest: Some(1), refused: count });
    let mut shop = Shop::new(&["a"]);
    shop.pass(1, |_| refused(4));
    assert_eq!(shop.told(), [whole(1)], "what it refused long ago does not count");
    (shop.digest, shop.revision) = (2, 2);
    shop.assign();
    shop.pass(11, |_| refused(5));
    let told = shop.told();
    assert_eq!((told[0].rejected, told[0].current), (1, 0));
    assert_eq!(told[0].lagging, [pod("a", OutOfSyncReason::Refused)]);
}

#[test]
fn a_proxy_that_runs_no_filter_for_a_while_starves() {
    let mut shop = Shop::new(&["a", "b"]);
    let nothing = |pod: &str| if pod == "a" { runs(1) } else { Some(ProxyStats::default()) };
    shop.pass(9, nothing);
    assert_eq!(shop.schedule.missing_filter(shop.now), [].into());
    shop.pass(3, nothing);
    let missing_filter = shop.schedule.missing_filter(shop.now);
    assert_eq!(missing_filter.into_values().collect::<Vec<_>>(), [["b"]]);
    assert_eq!(shop.told()[0].lagging, [pod("b", OutOfSyncReason::NoFilter)]);
    shop.schedule.poll_soon("shop", shop.now);
    let asked = shop.pass(1, |_| runs(1));
    assert_eq!(asked, ["b"], "it is asked at once whether it has it now");
    assert_eq!(shop.schedule.missing_filter(shop.now), [].into());
    assert_eq!(shop.told(), [whole(2)]);
}

#[test]
fn one_that_cannot_be_asked_does_not_starve() {
    let mut shop = Shop::new(&["a"]);
    shop.pass(60, |_| None);
    assert_eq!(shop.schedule.missing_filter(shop.now), [].into());
}

#[test]
fn a_namespace_without_policies_is_left_alone() {
    let mut shop = Shop::new(&["a"]);
    shop.pass(1, |_| runs(1));
    shop.schedule.assign("shop", Arc::default(), shop.now);
    assert_eq!(shop.pass(600, |_| runs(1)), [""; 0]);
    assert_eq!(shop.schedule.counts(), [].into());
}

#[test]
fn no_more_than_a_few_are_asked_at_one_time_and_thousands_less_often() {
    let mut shop = Shop::new(&[]);
    let names: Vec<String> = (0..3000).map(|number| format!("{number:04}")).collect();
    let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
    shop.pods = names.into_iter().map(|name| (name, true)).collect();
    shop.assign();
    shop.now += Duration::from_secs(1);
    let first: Vec<ScrapeRequest> = std::iter::from_fn(|| shop.schedule.next(shop.now)).collect();
    assert_eq!(first.len(), MAX_CONCURRENT);
    for request in &first {
        shop.schedule.answered(request, runs(1), shop.now);
    }
    let rest = shop.pass(1, |_| runs(1));
    assert_eq!(rest.len(), 3000 - MAX_CONCURRENT);
    assert_eq!(shop.pass(50, |_| runs(1)), [""; 0], "3000 proxies are asked once in a minute");
    let asked = shop.pass(60, |_| runs(1)).len();
    assert!((3000..=6000).contains(&asked), "{asked}");
}

#[test]
fn proxies_are_counted_by_what_they_say() {
    let mut shop = Shop::new(&["a", "b", "c", "d"]);
    shop.pods.push(("e", false));
    shop.assign();
    shop.pass(8, |pod| match pod {
        "a" => runs(1),
        "b" => runs(9),
        "c" => Some(ProxyStats::default()),
        _ => None,
    });
    let not = |why| (ProxyState::Not(why), 1);
    let behind = [
        not(OutOfSyncReason::Behind),
        not(OutOfSyncReason::NoFilter),
        not(OutOfSyncReason::Unreachable),
        not(OutOfSyncReason::NoSidecar),
    ];
    let counts = behind.into_iter().chain([(ProxyState::Current, 1)]).collect();
    assert_eq!(shop.schedule.counts(), counts);
}
