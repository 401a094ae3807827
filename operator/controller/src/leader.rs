//! Leader election: the replica that holds the Lease writes.
//!
//! The rules are client-go's: a foreign Lease has expired if this replica has seen no change of it for its duration, and its times are
//! never compared with a clock; every write carries the observed version; a leader that cannot renew stops writing while the Lease is
//! still its own.
//!
//! The crate `kube-lease-manager` (0.13.1) is not used. While the API server cannot be reached it says for ever that the Lease is held; it
//! compares the other's times with its own clock, so that one that is ahead takes the Lease from a replica that renews it, and one that is
//! behind sleeps long after nobody does; it sleeps through a release; it renews, and takes away what has run out, without saying which version
//! it saw; and it does not make a deleted Lease again. Seen before a real API server with a Lease of 15 s: two replicas
//! that both lead for 74 s, one of them cut off; a Lease that is renewed taken within 2 s, its holder's clock one hour behind; one that is
//! dead not taken within 79 s, its holder's clock one hour ahead; a holder that leads on for 85 s after its Lease was deleted.

mod election;

use std::pin::pin;
use std::time::{Duration, Instant};

use corsward_operator_core::event::Event;
use corsward_operator_core::lease_record::LeaseRecord;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use self::election::Election;
use crate::error_log::{ErrorLog, News};
use crate::kubernetes::{sentence, within};
use crate::tasks::{TaskEnded, Tasks, sleep_until, ticks};

/// Timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The Lease, this replica's identity, and the times.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// The namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub lease: String,
    /// This replica: its pod's name. No other replica has the same.
    pub identity: String,
    /// The duration of the Lease after a renewal; whole seconds.
    pub duration: Duration,
    /// Renew deadline: the holder stops leading after this long without a renewal. The rest of `duration` is for requests that are still in flight then.
    pub renew_deadline: Duration,
    /// Interval of renewals, and of looks at a foreign Lease.
    pub retry: Duration,
}

/// This replica, contending for the Lease.
#[derive(Debug)]
pub struct LeaderElector {
    /// Does this replica write?
    pub leading: watch::Receiver<bool>,
    /// The holder of the Lease, as this replica saw it last.
    pub holding: watch::Receiver<Option<LeaseRecord>>,
    stop: oneshot::Sender<()>,
    tasks: Tasks,
}

/// Everything that changes while a replica contends.
struct ElectionLoop {
    api: Api<Lease>,
    election: Election,
    until: watch::Sender<Option<Instant>>,
    holding: watch::Sender<Option<LeaseRecord>>,
    error_log: ErrorLog,
    /// The Lease is this replica's, or may be: a write that takes it was sent.
    claimed: bool,
    /// Whether the log has reported that a foreign holder blocks all writes.
    is_blocked: bool,
}

/// Contends for the Lease from the moment at which this replica is `ready` to write, until [released](LeaderElector::release). The
/// controller and every receiver of [`LeaderElector::leading`] get each change.
pub fn start_election(
    client: Client,
    options: LeaseOptions,
    mut ready: watch::Receiver<bool>,
    events: mpsc::Sender<Vec<Event>>,
) -> LeaderElector {
    let (until, deadline) = watch::channel(None);
    let (sender, leading) = watch::channel(false);
    let (stop, mut stopped) = oneshot::channel();
    let (holder, holding) = watch::channel(None);
    let election_loop = ElectionLoop {
        api: Api::namespaced(client, &options.namespace),
        election: Election::new(options),
        until,
        holding: holder,
        error_log: ErrorLog::default(),
        claimed: false,
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
            election_loop.run(stopped).await;
        }
    });
    LeaderElector { leading, holding, stop, tasks }
}

/// Reports that this replica leads until the deadline, even if the renewal hangs.
async fn keep_time(mut deadline: watch::Receiver<Option<Instant>>, leading: watch::Sender<bool>) {
    loop {
        let until = *deadline.borrow_and_update();
        let until = until.filter(|until| Instant::now() < *until);
        set(&leading, until.is_some());
        let changed = tokio::select! {
            changed = deadline.changed() => changed,
            () = sleep_until(until) => Ok(()),
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
            info!("this replica started leading");
        } else {
            info!("this replica stopped leading");
        }
    }
}

/// Sends changes to the controller. It may be busy: no other task waits for it.
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

// === impl LeaseOptions ===

impl LeaseOptions {
    /// The usual times, which are those of Kubernetes' own components.
    pub fn new(namespace: String, lease: String, identity: String) -> Self {
        Self {
            namespace,
            lease,
            identity,
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

// === impl LeaderElector ===

impl LeaderElector {
    /// Stops contending, and writing. It releases a held Lease, so that the next replica need not wait for its
    /// expiry.
    pub async fn release(self) {
        let Self { leading: _, holding: _, stop, mut tasks } = self;
        let _ = stop.send(());
        tasks.finish().await;
    }

    /// Waits for an unexpected event: the end of one of its tasks.
    pub(crate) async fn ended(&mut self) -> TaskEnded {
        self.tasks.ended().await
    }
}

// === impl ElectionLoop ===

impl ElectionLoop {
    async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut turns = ticks(self.election.options.retry);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                _ = turns.tick() => {}
            }
            if self.turn_until(&mut stop).await {
                break;
            }
            self.until.send_replace(self.election.until);
        }
        self.until.send_replace(None);
        if self.claimed {
            self.release().await;
        }
    }

    /// Takes a turn; true if this replica is to stop. A request that is on its way may take the Lease, so its answer is awaited.
    async fn turn_until(&mut self, stop: &mut oneshot::Receiver<()>) -> bool {
        let mut turn = pin!(self.turn());
        tokio::select! {
            biased;
            _ = stop => {
                turn.await;
                true
            }
            () = &mut turn => false,
        }
    }

    /// Looks at the Lease, and takes or renews it where that is ours to do.
    async fn turn(&mut self) {
        let result = within(REQUEST_TIMEOUT, self.try_turn()).await;
        // Another replica was quicker: the next look says so.
        if matches!(&result, Err(kube::Error::Api(status)) if status.code == 409) {
            return;
        }
        match self.error_log.news(result.as_ref().err().map(sentence)) {
            Some(News::Failed(error)) => {
                warn!(error, "cannot acquire or renew the lease; tried again");
            }
            Some(News::Works) => info!("acquired or renewed the lease again"),
            None => {}
        }
    }

    async fn try_turn(&mut self) -> kube::Result<()> {
        let name = self.election.options.lease.clone();
        let lease = self.api.get_opt(&name).await?;
        let write = self.election.saw(lease, Instant::now(), Timestamp::now());
        self.until.send_replace(self.election.until);
        self.tell_of_holder(Instant::now());
        self.claimed = write.is_some();
        let Some(lease) = write else { return Ok(()) };
        let (sent, params) = (Instant::now(), PostParams::default());
        if lease.metadata.resource_version.is_some() {
            self.api.replace(&name, &params, &lease).await?;
        } else {
            self.api.create(&params, &lease).await?;
        }
        self.election.wrote(sent);
        Ok(())
    }

    /// Logs the holder of the Lease, and a holder that blocks all writes.
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
        let LeaseOptions { namespace, lease, duration, .. } = &self.election.options;
        let is_blocked = holding.silent(now) >= *duration && !holding.rest(now).is_zero();
        if is_blocked && !self.is_blocked {
            let until = holding.until(now, Timestamp::now());
            warn!(
                holder,
                %until,
                "the lease is held without renewals, and no replica writes until its expiry: to release it at once, `kubectl -n {namespace} delete lease {lease}`"
            );
        }
        self.is_blocked = is_blocked;
    }

    async fn release(&self) {
        if let Err(error) = within(REQUEST_TIMEOUT, self.try_release()).await {
            let error = sentence(&error);
            warn!(error, "cannot release the lease: the next leader waits for its expiry");
        }
    }

    async fn try_release(&self) -> kube::Result<()> {
        let name = &self.election.options.lease;
        let Some(lease) = self.api.get_opt(name).await? else { return Ok(()) };
        if let Some(lease) = self.election.release(lease, Timestamp::now()) {
            self.api.replace(name, &PostParams::default(), &lease).await?;
            info!("released the lease");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::State;
    use axum::http::StatusCode;
    use axum::response::{IntoResponse as _, Response};
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use serde_json::{Value, json};
    use std::future::{Ready, ready};
    use std::sync::{Arc, Mutex};
    use tokio::sync::Semaphore;

    /// An API server of one Lease that takes its time for a write, and carries it out whether or not its client still waits.
    #[derive(Clone)]
    struct Slow {
        lease: Arc<Mutex<Option<Value>>>,
        came: Arc<Semaphore>,
        go_on: Arc<Semaphore>,
    }

    impl Slow {
        fn get(State(slow): State<Self>) -> Ready<Response> {
            let missing =
                json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404});
            ready(match slow.lease.lock().unwrap().clone() {
                Some(lease) => Json(lease).into_response(),
                None => (StatusCode::NOT_FOUND, Json(missing)).into_response(),
            })
        }

        async fn write(State(slow): State<Self>, Json(lease): Json<Value>) -> Json<Value> {
            slow.came.add_permits(1);
            let written = tokio::spawn(async move {
                slow.go_on.acquire().await.unwrap().forget();
                *slow.lease.lock().unwrap() = Some(lease.clone());
                lease
            });
            Json(written.await.unwrap())
        }
    }

    #[tokio::test]
    async fn a_lease_that_is_being_taken_at_a_stop_is_given_back() {
        let semaphore = || Arc::new(Semaphore::new(0));
        let slow = Slow { lease: Arc::default(), came: semaphore(), go_on: semaphore() };
        let leases = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";
        let router = Router::new()
            .route(leases, post(Slow::write))
            .route(&format!("{leases}/l"), get(Slow::get).put(Slow::write))
            .with_state(slow.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let options = LeaseOptions::new("ns".to_owned(), "l".to_owned(), "a".to_owned());
        let (events, _heard) = mpsc::channel(16);
        let elector = start_election(client, options, watch::channel(true).1, events);
        let mut leading = elector.leading.clone();

        slow.came.acquire().await.unwrap().forget();
        let released = tokio::spawn(elector.release());
        tokio::task::yield_now().await;
        slow.go_on.add_permits(2);
        released.await.unwrap();
        let holder = |lease: &Value| lease["spec"]["holderIdentity"].clone();
        let written = || slow.lease.lock().unwrap().as_ref().map(holder);
        // Where the Lease is not given back, the write that took it is still on its way.
        while written().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(written(), Some(json!("")));
        assert!(!*leading.borrow_and_update(), "it does not lead");
    }

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
