//! The proxies of one namespace, and how each policy of it stands.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_policy::PolicyId;

use super::proxy::{Proxy, State};
use crate::attachment::AttachmentKey;
use crate::proxies::Told;
use crate::proxies::answer::Answer;
use crate::proxies::assignment::{Assignment, Share, Workload};
use crate::proxies::standing::{Laggard, NAMED, Standing, Why};

/// What happens within so long is looked at together.
const BATCH: Duration = Duration::from_millis(50);
/// How long proxies may take to run what was published before it is said that they do not.
const PATIENCE: Duration = Duration::from_secs(10);
/// For how long nothing may have changed before other numbers are told.
const STABLE: Duration = Duration::from_secs(2);
/// For how long numbers that keep changing may differ from what was told.
const CHURN: Duration = Duration::from_secs(10);
/// Most digests that are remembered of one version of a policy.
const REMEMBERED: usize = 8;

/// The proxies of one namespace.
#[derive(Debug, Default)]
pub(super) struct Part {
    assignment: Arc<Assignment>,
    // INVARIANT: in the order of the assignment's workloads.
    proxies: Vec<Proxy>,
    /// Where each pod is in them.
    places: BTreeMap<String, usize>,
    versions: BTreeMap<PolicyId, Version>,
    /// When there may be something to tell.
    looks_at: Option<Instant>,
}

/// One version of a policy.
#[derive(Debug)]
struct Version {
    epoch: u64,
    /// Since when it has been published.
    since: Instant,
    /// The digests of every configuration that holds it: a change of a neighbour is none of it.
    digests: Vec<u64>,
    /// What was told of it.
    told: Option<Standing>,
    news: Option<News>,
}

/// Something else than was told.
#[derive(Debug)]
struct News {
    standing: Standing,
    /// Since when it has been another than was told.
    since: Instant,
    /// Since when it has been this one.
    unchanged_since: Instant,
}

// === impl Part ===

impl Part {
    /// Takes in what should be.
    pub(super) fn assign(&mut self, assignment: Arc<Assignment>, now: Instant) {
        let proxies = std::mem::take(&mut self.proxies).into_iter();
        let names = self.assignment.workloads.iter().map(|workload| workload.pod.clone());
        let mut before: BTreeMap<String, Proxy> = names.zip(proxies).collect();
        self.places.clear();
        for workload in &assignment.workloads {
            let Workload { pod, address, has_proxy, .. } = workload;
            let is_same = |known: &Proxy| known.is_at(*address, *has_proxy);
            let known = before.remove(pod);
            let mut proxy =
                known.filter(is_same).unwrap_or_else(|| Proxy::new(*address, *has_proxy));
            proxy.want(wanted(&assignment, workload), now);
            self.places.insert(pod.clone(), self.proxies.len());
            self.proxies.push(proxy);
        }
        self.versions.retain(|id, _| assignment.shares.contains_key(id));
        for (id, share) in &assignment.shares {
            self.version(id, share.epoch, now).holds(&assignment, share);
        }
        self.assignment = assignment;
        self.look_soon(now);
    }

    fn version(&mut self, id: &PolicyId, epoch: u64, now: Instant) -> &mut Version {
        let new = || Version { epoch, since: now, digests: Vec::new(), told: None, news: None };
        let version = self.versions.entry(id.clone()).or_insert_with(new);
        if version.epoch != epoch {
            *version = new();
        }
        version
    }

    fn proxy(&mut self, pod: &str) -> Option<&mut Proxy> {
        self.proxies.get_mut(*self.places.get(pod)?)
    }

    /// The pod of that name is being asked, where it is; nothing where it was not to be at that time.
    pub(super) fn ask(&mut self, pod: &str, at: Instant) -> Option<IpAddr> {
        self.proxy(pod)?.ask(at)
    }

    /// Takes in what a pod said, or that it said nothing; and says when it is asked next.
    pub(super) fn answered(
        &mut self,
        pod: &str,
        address: IpAddr,
        answer: Option<Answer>,
        settled: Duration,
        now: Instant,
    ) -> Option<Instant> {
        let proxy = self.proxy(pod).filter(|proxy| proxy.address() == Some(address))?;
        let is_news = proxy.answered(answer, settled, now);
        let due = proxy.due();
        if is_news {
            self.look_soon(now);
        }
        due
    }

    fn look_soon(&mut self, now: Instant) {
        let soon = now.checked_add(BATCH);
        self.looks_at = self.looks_at.into_iter().chain(soon).min();
    }

    pub(super) fn looks_at(&self) -> Option<Instant> {
        self.looks_at
    }

    /// Whom to ask when.
    pub(super) fn agenda(&self) -> impl Iterator<Item = (Instant, &str)> {
        let pods = self.assignment.workloads.iter().zip(&self.proxies);
        pods.filter_map(|(workload, proxy)| Some((proxy.due()?, workload.pod.as_str())))
    }

    /// Whoever runs no filter is asked again soon, for something was done about it.
    pub(super) fn hurry(&mut self, now: Instant) {
        for proxy in &mut self.proxies {
            proxy.hurry(now);
        }
    }

    /// What is new to tell, and when to look again.
    pub(super) fn tidings(&mut self, now: Instant) -> Vec<Told> {
        self.looks_at = None;
        let Self { assignment, proxies, versions, looks_at, .. } = self;
        let mut told = Vec::new();
        for (id, version) in versions {
            let Some(share) = assignment.shares.get(id) else { continue };
            let standing = standing(assignment, proxies, share, &version.digests);
            match version.tell(standing, now) {
                Some(at) if at <= now => {
                    let Some(standing) = version.told.clone() else { continue };
                    told.push(Told { policy: id.clone(), epoch: version.epoch, standing });
                }
                at => *looks_at = (*looks_at).into_iter().chain(at).min(),
            }
        }
        told
    }

    /// The pods that have run no filter for a while, and what they should run.
    pub(super) fn starving(&self, now: Instant) -> impl Iterator<Item = (&AttachmentKey, &str)> {
        let pods = self.assignment.workloads.iter().zip(&self.proxies);
        let starving = pods.filter(move |(_, proxy)| proxy.is_starving(now));
        starving.flat_map(|(workload, _)| {
            let attachments = workload.attachments.iter();
            let attachments = attachments.filter_map(|at| self.assignment.attachments.get(*at));
            let kept = attachments.filter(|expected| !expected.retiring);
            kept.map(|expected| (&expected.key, workload.pod.as_str()))
        })
    }

    /// How the workloads stand for which something is published.
    pub(super) fn states(&self) -> impl Iterator<Item = State> {
        let pods = self.assignment.workloads.iter().zip(&self.proxies);
        let wanted = pods.filter(|(workload, _)| !workload.attachments.is_empty());
        wanted.map(|(_, proxy)| proxy.state())
    }
}

// === impl Version ===

impl Version {
    /// Takes in where it is published.
    fn holds(&mut self, assignment: &Assignment, share: &Share) {
        if share.pending {
            return;
        }
        let retiring = assignment.attachments.iter().filter(|expected| expected.retiring);
        let own = share.attachments.iter().filter_map(|at| assignment.attachments.get(*at));
        for expected in retiring.chain(own) {
            if !self.digests.contains(&expected.digest) {
                self.digests.push(expected.digest);
            }
        }
        let old = self.digests.len().saturating_sub(REMEMBERED);
        self.digests.drain(..old);
    }

    /// Takes in how it stands, and says when that is told; nothing where it is known.
    fn tell(&mut self, standing: Standing, now: Instant) -> Option<Instant> {
        if self.told.as_ref() == Some(&standing) {
            self.news = None;
            return None;
        }
        let new = |standing| News { standing, since: now, unchanged_since: now };
        let news = match self.news.take() {
            Some(news) if news.standing == standing => news,
            Some(news) => News { since: news.since, ..new(standing) },
            None => new(standing),
        };
        let at = self.due(&news, now);
        if at.is_some_and(|at| at <= now) {
            self.told = Some(news.standing);
        } else {
            self.news = Some(news);
        }
        at
    }

    /// When the news are told.
    fn due(&self, news: &News, now: Instant) -> Option<Instant> {
        let passes = news.standing.lagging.iter().chain(&news.standing.unasked);
        let is_settled = !passes.into_iter().any(|laggard| laggard.why.may_pass());
        match &self.told {
            None if is_settled => Some(now),
            None => self.since.checked_add(PATIENCE),
            Some(told) if news.standing.is_whole() && !told.is_whole() => Some(now),
            Some(_) => {
                let stable = news.unchanged_since.checked_add(STABLE).filter(|_| is_settled);
                stable.into_iter().chain(news.since.checked_add(CHURN)).min()
            }
        }
    }
}

/// The digests that a workload may run: those of what stays, and of what goes where nothing stays.
fn wanted(assignment: &Assignment, workload: &Workload) -> Vec<u64> {
    let all = workload.attachments.iter().filter_map(|at| assignment.attachments.get(*at));
    let stays = all.clone().any(|expected| !expected.retiring);
    let wanted = all.filter(|expected| !(stays && expected.retiring));
    wanted.map(|expected| expected.digest).collect()
}

/// How the workloads of a policy stand, where it is in the configurations with these digests.
fn standing(
    assignment: &Assignment,
    proxies: &[Proxy],
    share: &Share,
    digests: &[u64],
) -> Standing {
    let Some(group) = assignment.groups.get(share.group) else { return Standing::default() };
    let mut standing = Standing { matched: group.workloads.len(), ..Standing::default() };
    let add = |count: &mut usize| *count = count.saturating_add(1);
    let workloads = group.workloads.iter();
    let workloads =
        workloads.filter_map(|at| Some((at, assignment.workloads.get(*at)?, proxies.get(*at)?)));
    for (at, Workload { pod, .. }, proxy) in workloads {
        let why = match proxy.state_for(digests) {
            State::Current if group.bypassed.contains(at) => Why::Bypassed,
            State::Current => {
                add(&mut standing.current);
                continue;
            }
            State::Not(why) => why,
        };
        if why == Why::Refused {
            add(&mut standing.rejected);
        }
        let named = if why.is_unknown() {
            add(&mut standing.unknown);
            &mut standing.unasked
        } else {
            &mut standing.lagging
        };
        let laggard = || Laggard { pod: pod.clone(), why };
        if named.len() < NAMED {
            named.push(laggard());
        } else if why.may_pass()
            // What may pass keeps the others waiting, and so is named first.
            && let Some(last) = named.iter_mut().rev().find(|named| !named.why.may_pass())
        {
            *last = laggard();
        }
    }
    standing
}
