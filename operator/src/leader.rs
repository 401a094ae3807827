//! Which replica writes: the one that holds a Lease.
//!
//! As client-go does it: whether another replica's Lease has run out is told by how long it has not changed before our own eyes, never by
//! comparing its times with a clock; every write carries the version that was seen; and whoever cannot renew stops writing while the Lease
//! is still its own.
//!
//! The crate `kube-lease-manager` (0.13.1) is not used. While the API server cannot be reached it says for ever that the Lease is held; it
//! compares the other's times with its own clock, so that one that is ahead takes the Lease from a replica that renews it, and one that is
//! behind sleeps long after nobody does; it sleeps through a release; it renews, and takes away what has run out, without saying which version
//! it saw; and it does not make a deleted Lease again. Seen before a real API server with a Lease of 15 s: two replicas
//! that both lead for 74 s, one of them cut off; a Lease that is renewed taken within 2 s, its holder's clock one hour behind; one that is
//! dead not taken within 79 s, its holder's clock one hour ahead; a holder that leads on for 85 s after its Lease was deleted.

mod election;
mod holding;

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{info, warn};

use self::election::{Election, Step};
pub use self::holding::Holding;
use crate::kubernetes::sentence;
use crate::outage::Outage;
use crate::source::Event;
use crate::tasks::{TaskEnded, Tasks};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which Lease, who contends for it, and how long it lasts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub lease: String,
    /// This replica: its pod's name. No other replica has the same.
    pub identity: String,
    /// How long the Lease lasts after it was renewed; whole seconds.
    pub duration: Duration,
    /// For how long whoever holds it goes on without being able to renew it. The rest of `duration` is for what is still on its way then.
    pub give_up: Duration,
    /// How often it is renewed, or looked at.
    pub retry: Duration,
}

/// This replica, contending for the Lease.
#[derive(Debug)]
pub struct Contender {
    leading: watch::Receiver<bool>,
    holding: watch::Receiver<Option<Holding>>,
    stop: oneshot::Sender<()>,
    tasks: Tasks,
}

/// Everything that changes while a replica contends.
struct Contest {
    api: Api<Lease>,
    election: Election,
    until: watch::Sender<Option<Instant>>,
    holding: watch::Sender<Option<Holding>>,
    options: Options,
    outage: Outage,
    /// It has been said that somebody keeps everybody from writing.
    is_blocked: bool,
}

/// Contends for the Lease from the moment at which this replica is `ready` to write, until [released](Contender::release). The loop hears
/// of each change; so does everybody who asks for [`Contender::leading`].
#[must_use]
pub fn contend(
    client: Client,
    options: Options,
    mut ready: watch::Receiver<bool>,
    events: mpsc::Sender<Vec<Event>>,
) -> Contender {
    let (until, deadline) = watch::channel(None);
    let (sender, leading) = watch::channel(false);
    let (stop, mut stopped) = oneshot::channel();
    let (holder, holding) = watch::channel(None);
    let contest = Contest {
        api: Api::namespaced(client, &options.namespace),
        election: Election::new(options.clone()),
        until,
        holding: holder,
        options,
        outage: Outage::default(),
        is_blocked: false,
    };
    let mut tasks = Tasks::default();
    tasks.spawn("lease clock", keep_time(deadline, sender));
    tasks.spawn("lease news", tell(leading.clone(), events));
    tasks.spawn("lease", async move {
        // Whoever takes it before would keep those from writing who could.
        let is_ready = tokio::select! {
            _ = &mut stopped => false,
            Ok(_) = ready.wait_for(|ready| *ready) => true,
        };
        if is_ready {
            contest.run(stopped).await;
        }
    });
    Contender { leading, holding, stop, tasks }
}

/// Says that this replica leads until the deadline, whatever holds up those who move it.
async fn keep_time(mut deadline: watch::Receiver<Option<Instant>>, leading: watch::Sender<bool>) {
    loop {
        let until = *deadline.borrow_and_update();
        let until = until.filter(|until| Instant::now() < *until);
        set(&leading, until.is_some());
        let changed = match until {
            None => deadline.changed().await,
            Some(until) => tokio::select! {
                changed = deadline.changed() => changed,
                () = sleep_until(until.into()) => Ok(()),
            },
        };
        if changed.is_err() {
            set(&leading, false);
            return;
        }
    }
}

fn set(leading: &watch::Sender<bool>, leads: bool) {
    if leading.send_if_modified(|led| std::mem::replace(led, leads) != leads) {
        if leads {
            info!("this replica writes from now on");
        } else {
            info!("this replica does not write any more");
        }
    }
}

/// Tells the loop. It may be busy: nobody else waits for it.
async fn tell(mut leading: watch::Receiver<bool>, events: mpsc::Sender<Vec<Event>>) {
    let mut told = false;
    loop {
        let changed = leading.changed().await;
        let leads = *leading.borrow_and_update();
        let news = match (told, leads) {
            (false, false) => Vec::new(),
            // Meanwhile others wrote, or might have: whoever writes has forgotten what was sent before.
            (true, true) => vec![Event::Leading(false), Event::Leading(true)],
            _ => vec![Event::Leading(leads)],
        };
        if !news.is_empty() && events.send(news).await.is_err() {
            return;
        }
        told = leads;
        if changed.is_err() {
            return;
        }
    }
}

// === impl Options ===

impl Options {
    /// The usual times, which are those of Kubernetes' own components.
    #[must_use]
    pub fn new(namespace: String, lease: String, identity: String) -> Self {
        Self {
            namespace,
            lease,
            identity,
            duration: Duration::from_secs(15),
            give_up: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

// === impl Contender ===

impl Contender {
    /// Does this replica write?
    #[must_use]
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.leading.clone()
    }

    /// Whose the Lease is, as this replica saw it last.
    #[must_use]
    pub fn holding(&self) -> watch::Receiver<Option<Holding>> {
        self.holding.clone()
    }

    /// Stops contending, and writing. A Lease that is held is given back, so that another replica need not wait for its end.
    pub async fn release(self) {
        let Self { leading: _, holding: _, stop, mut tasks } = self;
        let _ = stop.send(());
        tasks.finish().await;
    }

    /// Waits for what nobody expects: that one of its tasks ends.
    pub(crate) async fn ended(&mut self) -> TaskEnded {
        self.tasks.ended().await
    }
}

// === impl Contest ===

impl Contest {
    async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut turns = interval(self.options.retry);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                () = async { turns.tick().await; self.turn().await } => {}
            }
            self.until.send_replace(self.election.until());
        }
        let led = self.until.send_replace(None).is_some();
        if led {
            self.release().await;
        }
    }

    /// Looks at the Lease, and takes or renews it where that is ours to do.
    async fn turn(&mut self) {
        let words = match timeout(PATIENCE, self.try_turn()).await {
            Ok(Ok(())) => {
                if self.outage.over() {
                    info!("the lease can be had or renewed again");
                }
                return;
            }
            // Another replica was quicker: the next look says so.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => return,
            Ok(Err(error)) => sentence(&error),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        if self.outage.on(&words, Instant::now()) {
            warn!(error = words, "the lease cannot be had or renewed; tried again");
        }
    }

    async fn try_turn(&mut self) -> kube::Result<()> {
        let name = self.election.name().to_owned();
        let lease = self.api.get_opt(&name).await?;
        let step = self.election.saw(lease, Instant::now(), Timestamp::now());
        self.until.send_replace(self.election.until());
        self.tell_of_holder(Instant::now());
        let sent = Instant::now();
        match step {
            Step::Wait => return Ok(()),
            Step::Create(lease) => self.api.create(&PostParams::default(), &lease).await?,
            Step::Replace(lease) => self.api.replace(&name, &PostParams::default(), &lease).await?,
        };
        self.election.wrote(sent);
        Ok(())
    }

    /// Says who writes in place of this replica, and who keeps everybody from writing.
    fn tell_of_holder(&mut self, now: Instant) {
        let holding = self.election.holding();
        let before = self.holding.send_replace(holding.clone());
        let Some(holding) = holding.filter(|holding| !holding.is_ours) else {
            self.is_blocked = false;
            return;
        };
        let holder = &holding.holder;
        if before.is_none_or(|before| before.holder != *holder) {
            info!(holder, "another replica holds the lease");
        }
        let Options { namespace, lease, duration, .. } = &self.options;
        let is_blocked = holding.silent(now) >= *duration && !holding.rest(now).is_zero();
        if is_blocked && !self.is_blocked {
            let until = holding.until(now, Timestamp::now());
            warn!(
                holder,
                %until,
                "the lease is held and not renewed, and nobody writes until it is taken: to take it at once, `kubectl -n {namespace} delete lease {lease}`"
            );
        }
        self.is_blocked = is_blocked;
    }

    async fn release(&self) {
        match timeout(PATIENCE, self.try_release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = sentence(&error);
                warn!(error, "the lease was not released: another replica waits for its end");
            }
            Err(_) => warn!("the lease was not released: another replica waits for its end"),
        }
    }

    async fn try_release(&self) -> kube::Result<()> {
        let name = self.election.name();
        let Some(lease) = self.api.get_opt(name).await? else { return Ok(()) };
        if let Some(lease) = self.election.release(lease, Timestamp::now()) {
            self.api.replace(name, &PostParams::default(), &lease).await?;
            info!("the lease is released");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_loop_hears_of_a_lease_that_was_lost_and_had_again_in_one_moment() {
        let (lead, leading) = watch::channel(false);
        let (sender, mut events) = mpsc::channel(1);
        tokio::spawn(tell(leading, sender));
        lead.send_replace(true);
        let mut heard = async || {
            let batch = events.recv().await.unwrap();
            batch.iter().map(|event| matches!(event, Event::Leading(true))).collect::<Vec<_>>()
        };
        assert_eq!(heard().await, [true]);
        // Nothing else runs between the two.
        lead.send_replace(false);
        lead.send_replace(true);
        assert_eq!(heard().await, [false, true]);
        lead.send_replace(false);
        assert_eq!(heard().await, [false]);
    }
}
