//! Roster: the proxies of every namespace, what each said last, whom to ask next, and what there is to tell. Without IO.
//!
//! Whoever does not run what is published is asked again soon, and less and less often; whoever does is asked now and then. What
//! is told is what lasts: pods come and go all the time, and a status that follows each of them says less.

mod part;
mod proxy;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::attachment::AttachmentKey;
use crate::proxies::Told;
use crate::proxies::answer::Answer;
use crate::proxies::assignment::Assignment;
use crate::proxies::standing::NAMED;
use crate::surroundings::Key;
use part::Part;
pub(crate) use proxy::State;

/// Proxies that are asked at one time.
const AT_ONCE: usize = 128;
/// How often a proxy that runs what it should is asked again.
const NOW_AND_THEN: Duration = Duration::from_secs(30);
/// The same, for each proxy that there is: thousands are asked less often.
const FOR_EACH: Duration = Duration::from_millis(20);

/// The proxies of every namespace.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// By namespace.
    parts: BTreeMap<String, Part>,
    /// When to ask whom. What does not agree with the proxy itself is out of date.
    due: BTreeSet<(Instant, Key)>,
    /// How many are being asked.
    asking: usize,
}

/// A proxy to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) pod: Key,
    pub(crate) address: IpAddr,
}

// === impl Roster ===

impl Roster {
    /// Takes in what the workloads of a namespace should run.
    pub(crate) fn assign(&mut self, namespace: &str, assignment: Arc<Assignment>, now: Instant) {
        if assignment.shares.is_empty() {
            self.parts.remove(namespace);
            return;
        }
        let part = self.parts.entry(namespace.to_owned()).or_default();
        part.assign(assignment, now);
        self.due.extend(agenda(namespace, part));
    }

    /// Nobody is asked any more.
    pub(crate) fn clear(&mut self) {
        self.parts.clear();
        self.due.clear();
    }

    /// Whom to ask next, if anybody is due. Whoever takes it says later what came of it.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Question> {
        while self.asking < AT_ONCE {
            let due = self.due.first().filter(|(at, _)| *at <= now)?.clone();
            self.due.remove(&due);
            let (at, pod) = due;
            let part = self.parts.get_mut(&pod.namespace);
            // It was to be asked, and is gone by now or asked at another time.
            let Some(address) = part.and_then(|part| part.ask(&pod.name, at)) else { continue };
            self.asking = self.asking.saturating_add(1);
            return Some(Question { pod, address });
        }
        None
    }

    /// Takes in what came of a question; `None`: no answer.
    pub(crate) fn answered(&mut self, question: &Question, answer: Option<Answer>, now: Instant) {
        self.asking = self.asking.saturating_sub(1);
        let pause = self.pause();
        let Question { pod, address } = question;
        let Some(part) = self.parts.get_mut(&pod.namespace) else { return };
        let due = part.answered(&pod.name, *address, answer, pause, now);
        self.due.extend(due.map(|due| (due, pod.clone())));
    }

    /// What is new to tell.
    pub(crate) fn tidings(&mut self, now: Instant) -> Vec<Told> {
        let due =
            self.parts.values_mut().filter(|part| part.looks_at().is_some_and(|at| at <= now));
        due.flat_map(|part| part.tidings(now)).collect()
    }

    /// When there may be something to do, though nobody answers.
    pub(crate) fn wakes(&self) -> Option<Instant> {
        let due = self.due.first().filter(|_| self.asking < AT_ONCE).map(|(at, _)| *at);
        let looks = self.parts.values().filter_map(Part::looks_at);
        looks.chain(due).min()
    }

    /// The attachments of which some proxy has answered for a while that it runs no filter, and the first such pods.
    pub(crate) fn starving(&self, now: Instant) -> BTreeMap<AttachmentKey, Vec<String>> {
        let mut starving: BTreeMap<AttachmentKey, Vec<String>> = BTreeMap::new();
        for (key, pod) in self.parts.values().flat_map(|part| part.starving(now)) {
            let pods = starving.entry(key.clone()).or_default();
            if pods.len() < NAMED {
                pods.push(pod.to_owned());
            }
        }
        starving
    }

    /// The object of an attachment was written anew: the proxies without a filter are asked soon whether they have it now.
    pub(crate) fn hurry(&mut self, namespace: &str, now: Instant) {
        let Some(part) = self.parts.get_mut(namespace) else { return };
        part.hurry(now);
        self.due.extend(agenda(namespace, part));
    }

    /// How many proxies are in each state.
    pub(crate) fn counts(&self) -> BTreeMap<State, usize> {
        let mut counts = BTreeMap::new();
        for state in self.parts.values().flat_map(Part::states) {
            let count: &mut usize = counts.entry(state).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    /// For how long a proxy that runs what it should is left alone.
    fn pause(&self) -> Duration {
        let count = self.due.len().saturating_add(self.asking);
        NOW_AND_THEN.max(FOR_EACH.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

fn agenda<'p>(
    namespace: &'p str,
    part: &'p Part,
) -> impl Iterator<Item = (Instant, Key)> + use<'p> {
    let key = |pod: &str| Key { namespace: namespace.to_owned(), name: pod.to_owned() };
    part.agenda().map(move |(at, pod)| (at, key(pod)))
}

#[cfg(test)]
mod tests;
