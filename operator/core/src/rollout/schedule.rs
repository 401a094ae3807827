//! Schedule: the proxies of every namespace, what each said last, whom to ask next, and what there is to tell of each policy. Without IO.
//!
//! Proxies that do not run the published configuration are polled soon, and less and less often; the others are polled now and
//! then. Updates report lasting states: pods come and go all the time, and a status that follows each of them says less.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_policy::PolicyId;

use crate::bundle::BundleKey;
use crate::cluster_state::Key;
use crate::event::{MAX_NAMED, OutOfSyncPod, OutOfSyncReason, ProxyState, Rollout, RolloutUpdate};
use crate::rollout::proxy::{Proxy, ProxyStats};
use crate::rollout::tracker::{Expected, Share, Workload};

/// Proxies that are asked at one time.
const MAX_CONCURRENT: usize = 128;
/// Interval of polls of proxies in sync.
const RESYNC_INTERVAL: Duration = Duration::from_secs(30);
/// The same, for each proxy that there is: thousands are asked less often.
const RESYNC_PER_PROXY: Duration = Duration::from_millis(20);
/// Changes within this time are handled together.
const BATCH_WINDOW: Duration = Duration::from_millis(50);
/// Time for proxies to run a new bundle before they count as out of sync.
const PROGRESS_DEADLINE: Duration = Duration::from_secs(10);
/// For how long nothing may have changed before other numbers are told.
const STABLE_FOR: Duration = Duration::from_secs(2);
/// For how long numbers that keep changing may differ from what was told.
const MAX_REPORT_DELAY: Duration = Duration::from_secs(10);
/// Most digests that are remembered of one version of a policy.
const MAX_DIGESTS: usize = 8;

/// The proxies of every namespace.
#[derive(Debug, Default)]
pub struct Schedule {
    /// By namespace.
    namespaces: BTreeMap<String, NamespaceSchedule>,
    /// The times of the next polls. Entries that disagree with the proxy itself are out of date.
    due: BTreeSet<(Instant, Key)>,
    /// The number of polls in flight.
    asking: usize,
}

/// A proxy to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrapeRequest {
    /// The pod of the proxy.
    pub pod: Key,
    /// Its address.
    pub address: SocketAddr,
}

/// The proxies of one namespace.
#[derive(Debug, Default)]
struct NamespaceSchedule {
    expected: Arc<Expected>,
    // INVARIANT: in the order of the assignment's workloads.
    proxies: Vec<Proxy>,
    /// The place of each pod in them.
    places: BTreeMap<String, usize>,
    policies: BTreeMap<PolicyId, PolicyRollout>,
    /// The time of the next update.
    looks_at: Option<Instant>,
}

/// One version of a policy.
#[derive(Debug)]
struct PolicyRollout {
    revision: u64,
    /// Since when it has been published.
    since: Instant,
    /// The digests of every configuration that holds it: a change of a different policy in it does not count.
    digests: Vec<u64>,
    /// The last update about it.
    told: Option<Rollout>,
    news: Option<News>,
}

/// Something else than was told.
#[derive(Debug)]
struct News {
    rollout: Rollout,
    /// The time since which it differs from the last update.
    since: Instant,
    /// Since when it has been this one.
    unchanged_since: Instant,
}

// === impl Schedule ===

impl Schedule {
    /// Takes in what the workloads of a namespace should run.
    pub fn assign(&mut self, namespace: &str, expected: Arc<Expected>, now: Instant) {
        if expected.shares.is_empty() {
            self.namespaces.remove(namespace);
            return;
        }
        let schedule = self.namespaces.entry(namespace.to_owned()).or_default();
        schedule.assign(expected, now);
        self.due.extend(agenda(namespace, schedule));
    }

    /// Stops all polls.
    pub fn clear(&mut self) {
        self.namespaces.clear();
        self.due.clear();
    }

    /// The next poll, if one is due. The caller reports its result later.
    pub fn next(&mut self, now: Instant) -> Option<ScrapeRequest> {
        while self.asking < MAX_CONCURRENT {
            let due = self.due.first().filter(|(at, _)| *at <= now)?.clone();
            self.due.remove(&due);
            let (at, pod) = due;
            let schedule = self.namespaces.get_mut(&pod.namespace);
            // It was to be asked, and is gone by now or asked at another time.
            let proxy = schedule.and_then(|schedule| schedule.proxy(&pod.name));
            let Some(address) = proxy.and_then(|proxy| proxy.ask(at)) else { continue };
            self.asking = self.asking.saturating_add(1);
            return Some(ScrapeRequest { pod, address });
        }
        None
    }

    /// Takes in what came of a question; `None`: no answer.
    pub fn answered(&mut self, request: &ScrapeRequest, answer: Option<ProxyStats>, now: Instant) {
        self.asking = self.asking.saturating_sub(1);
        let pause = self.pause();
        let ScrapeRequest { pod, address } = request;
        let Some(schedule) = self.namespaces.get_mut(&pod.namespace) else { return };
        let due = schedule.answered(&pod.name, *address, answer, pause, now);
        self.due.extend(due.map(|due| (due, pod.clone())));
    }

    /// Takes the new updates.
    pub fn drain_updates(&mut self, now: Instant) -> Vec<RolloutUpdate> {
        let due = self
            .namespaces
            .values_mut()
            .filter(|schedule| schedule.looks_at.is_some_and(|at| at <= now));
        due.flat_map(|schedule| schedule.drain_updates(now)).collect()
    }

    /// The next deadline without an answer.
    pub fn next_deadline(&self) -> Option<Instant> {
        let due = self.due.first().filter(|_| self.asking < MAX_CONCURRENT).map(|(at, _)| *at);
        let looks = self.namespaces.values().filter_map(|schedule| schedule.looks_at);
        looks.chain(due).min()
    }

    /// The bundles of which some proxy has answered for a while that it runs no filter, and the first such pods.
    pub fn missing_filter(&self, now: Instant) -> BTreeMap<BundleKey, Vec<String>> {
        let mut missing_filter: BTreeMap<BundleKey, Vec<String>> = BTreeMap::new();
        for (key, pod) in self.namespaces.values().flat_map(|schedule| schedule.missing_filter(now))
        {
            let pods = missing_filter.entry(key.clone()).or_default();
            if pods.len() < MAX_NAMED {
                pods.push(pod.to_owned());
            }
        }
        missing_filter
    }

    /// The object of a bundle was written anew: the proxies without a filter are asked soon whether they have it now.
    pub fn poll_soon(&mut self, namespace: &str, now: Instant) {
        let Some(schedule) = self.namespaces.get_mut(namespace) else { return };
        schedule.proxies.iter_mut().for_each(|proxy| proxy.poll_soon(now));
        self.due.extend(agenda(namespace, schedule));
    }

    /// The number of proxies in each state.
    pub fn counts(&self) -> BTreeMap<ProxyState, usize> {
        let mut counts = BTreeMap::new();
        for state in self.namespaces.values().flat_map(NamespaceSchedule::states) {
            let count: &mut usize = counts.entry(state).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    /// For how long a proxy that runs what it should is left alone.
    fn pause(&self) -> Duration {
        let count = self.due.len().saturating_add(self.asking);
        RESYNC_INTERVAL
            .max(RESYNC_PER_PROXY.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

// === impl NamespaceSchedule ===

impl NamespaceSchedule {
    /// Takes in what should be.
    fn assign(&mut self, expected: Arc<Expected>, now: Instant) {
        let proxies = std::mem::take(&mut self.proxies).into_iter();
        let names = self.expected.workloads.iter().map(|workload| workload.pod.clone());
        let mut before: BTreeMap<String, Proxy> = names.zip(proxies).collect();
        self.places.clear();
        for workload in &expected.workloads {
            let Workload { pod, address, has_proxy, .. } = workload;
            let is_same = |known: &Proxy| known.is_at(*address, *has_proxy);
            let known = before.remove(pod);
            let mut proxy =
                known.filter(is_same).unwrap_or_else(|| Proxy::new(*address, *has_proxy));
            proxy.want(wanted(&expected, workload), now);
            self.places.insert(pod.clone(), self.proxies.len());
            self.proxies.push(proxy);
        }
        self.policies.retain(|id, _| expected.shares.contains_key(id));
        for (id, share) in &expected.shares {
            self.version(id, share.revision, now).holds(&expected, share);
        }
        self.expected = expected;
        self.look_soon(now);
    }

    fn version(&mut self, id: &PolicyId, revision: u64, now: Instant) -> &mut PolicyRollout {
        let new =
            || PolicyRollout { revision, since: now, digests: Vec::new(), told: None, news: None };
        let version = self.policies.entry(id.clone()).or_insert_with(new);
        if version.revision != revision {
            *version = new();
        }
        version
    }

    fn proxy(&mut self, pod: &str) -> Option<&mut Proxy> {
        self.proxies.get_mut(*self.places.get(pod)?)
    }

    /// Takes in what a pod said, or that it said nothing; and says when it is asked next.
    fn answered(
        &mut self,
        pod: &str,
        address: SocketAddr,
        answer: Option<ProxyStats>,
        settled: Duration,
        now: Instant,
    ) -> Option<Instant> {
        let proxy = self.proxy(pod).filter(|proxy| proxy.address == Some(address))?;
        let is_news = proxy.answered(answer, settled, now);
        let due = proxy.due;
        if is_news {
            self.look_soon(now);
        }
        due
    }

    fn look_soon(&mut self, now: Instant) {
        let soon = now.checked_add(BATCH_WINDOW);
        self.looks_at = self.looks_at.into_iter().chain(soon).min();
    }

    /// Takes the new updates, and notes the time of the next look.
    fn drain_updates(&mut self, now: Instant) -> Vec<RolloutUpdate> {
        self.looks_at = None;
        let Self { expected, proxies, policies, looks_at, .. } = self;
        let mut told = Vec::new();
        for (id, version) in policies {
            let Some(share) = expected.shares.get(id) else { continue };
            let rollout = rollout(expected, proxies, share, &version.digests);
            match version.tell(rollout, now) {
                Some(at) if at <= now => {
                    let Some(rollout) = version.told.clone() else { continue };
                    told.push(RolloutUpdate {
                        policy: id.clone(),
                        revision: version.revision,
                        rollout,
                    });
                }
                at => *looks_at = (*looks_at).into_iter().chain(at).min(),
            }
        }
        told
    }

    /// The pods that have run no filter for a while, and what they should run.
    fn missing_filter(&self, now: Instant) -> impl Iterator<Item = (&BundleKey, &str)> {
        let pods = self.expected.workloads.iter().zip(&self.proxies);
        let missing_filter = pods.filter(move |(_, proxy)| proxy.is_missing_filter(now));
        missing_filter.flat_map(|(workload, _)| {
            let bundles = workload.bundles.iter();
            let bundles = bundles.filter_map(|at| self.expected.bundles.get(*at));
            let kept = bundles.filter(|expected| !expected.retiring);
            kept.map(|expected| (&expected.key, workload.pod.as_str()))
        })
    }

    /// The states of the workloads with a published bundle.
    fn states(&self) -> impl Iterator<Item = ProxyState> {
        let pods = self.expected.workloads.iter().zip(&self.proxies);
        let wanted = pods.filter(|(workload, _)| !workload.bundles.is_empty());
        wanted.map(|(_, proxy)| proxy.state())
    }
}

// === impl PolicyRollout ===

impl PolicyRollout {
    /// Takes in where it is published.
    fn holds(&mut self, expected: &Expected, share: &Share) {
        if share.pending {
            return;
        }
        let retiring = expected.bundles.iter().filter(|expected| expected.retiring);
        let own = share.bundles.iter().filter_map(|at| expected.bundles.get(*at));
        for expected in retiring.chain(own) {
            if !self.digests.contains(&expected.digest) {
                self.digests.push(expected.digest);
            }
        }
        let old = self.digests.len().saturating_sub(MAX_DIGESTS);
        self.digests.drain(..old);
    }

    /// Takes in how it stands, and says when that is told; nothing where it is known.
    fn tell(&mut self, rollout: Rollout, now: Instant) -> Option<Instant> {
        if self.told.as_ref() == Some(&rollout) {
            self.news = None;
            return None;
        }
        let new = |rollout| News { rollout, since: now, unchanged_since: now };
        let news = match self.news.take() {
            Some(news) if news.rollout == rollout => news,
            Some(news) => News { since: news.since, ..new(rollout) },
            None => new(rollout),
        };
        let at = self.due(&news, now);
        if at.is_some_and(|at| at <= now) {
            self.told = Some(news.rollout);
        } else {
            self.news = Some(news);
        }
        at
    }

    /// The due time of the update.
    fn due(&self, news: &News, now: Instant) -> Option<Instant> {
        let passes = news.rollout.lagging.iter().chain(&news.rollout.unasked);
        let is_settled = !passes.into_iter().any(|pod| pod.why.may_pass());
        match &self.told {
            None if is_settled => Some(now),
            None => self.since.checked_add(PROGRESS_DEADLINE),
            Some(told) if news.rollout.is_whole() && !told.is_whole() => Some(now),
            Some(_) => {
                let stable = news.unchanged_since.checked_add(STABLE_FOR).filter(|_| is_settled);
                stable.into_iter().chain(news.since.checked_add(MAX_REPORT_DELAY)).min()
            }
        }
    }
}

/// Whom to ask when.
fn agenda<'p>(
    namespace: &'p str,
    schedule: &'p NamespaceSchedule,
) -> impl Iterator<Item = (Instant, Key)> + use<'p> {
    let key = |pod: &str| Key { namespace: namespace.to_owned(), name: pod.to_owned() };
    let pods = schedule.expected.workloads.iter().zip(&schedule.proxies);
    pods.filter_map(move |(workload, proxy)| Some((proxy.due?, key(&workload.pod))))
}

/// The digests that a workload may run: those of what stays, and of what goes where nothing stays.
fn wanted(expected: &Expected, workload: &Workload) -> Vec<u64> {
    let all = workload.bundles.iter().filter_map(|at| expected.bundles.get(*at));
    let stays = all.clone().any(|expected| !expected.retiring);
    let wanted = all.filter(|expected| !(stays && expected.retiring));
    wanted.map(|expected| expected.digest).collect()
}

/// The rollout of a policy whose configurations have these digests.
fn rollout(expected: &Expected, proxies: &[Proxy], share: &Share, digests: &[u64]) -> Rollout {
    let Some(group) = expected.groups.get(share.group) else { return Rollout::default() };
    let mut rollout = Rollout { matched: group.workloads.len(), ..Rollout::default() };
    let add = |count: &mut usize| *count = count.saturating_add(1);
    let workloads = group.workloads.iter();
    let workloads =
        workloads.filter_map(|at| Some((at, expected.workloads.get(*at)?, proxies.get(*at)?)));
    for (at, Workload { pod, .. }, proxy) in workloads {
        let why = match proxy.state_for(digests) {
            ProxyState::Current if group.bypassed.contains(at) => OutOfSyncReason::Bypassed,
            ProxyState::Current => {
                add(&mut rollout.current);
                continue;
            }
            ProxyState::Not(why) => why,
        };
        if why == OutOfSyncReason::Refused {
            add(&mut rollout.rejected);
        }
        let named = if why.is_unknown() {
            add(&mut rollout.unknown);
            &mut rollout.unasked
        } else {
            &mut rollout.lagging
        };
        let pod = || OutOfSyncPod { pod: pod.clone(), why };
        if named.len() < MAX_NAMED {
            named.push(pod());
        } else if why.may_pass()
            // What may pass keeps the others waiting, and so is named first.
            && let Some(last) = named.iter_mut().rev().find(|named| !named.why.may_pass())
        {
            *last = pod();
        }
    }
    rollout
}

#[cfg(test)]
mod tests;
