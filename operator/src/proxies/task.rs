//! The task that asks proxies what they run, and says what came of it.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use kube::Client;
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use crate::attachment::AttachmentKey;
use crate::kubernetes;
use crate::metrics::proxies::Proxies;
use crate::proxies::answer::{self, Answer};
use crate::proxies::fleet::Order;
use crate::proxies::roster::{Question, Roster};
use crate::proxies::touches::Touches;
use crate::proxies::{Told, Touched};
use crate::publish::cluster::touch;
use crate::publish::output::Output;
use crate::source::Event;

/// How long one proxy may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to take the connection: where a firewall drops it, nobody else should have to wait.
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);
/// How long an object may take to be written anew.
const WRITE_PATIENCE: Duration = Duration::from_secs(4);
/// How often somebody looks who is without a filter and for how long.
const LOOK: Duration = Duration::from_secs(1);

type Asker = HttpClient<HttpConnector, Empty<Bytes>>;

/// What the task hears, and whom it tells.
#[derive(Debug)]
pub(crate) struct Wires {
    /// What proxies should run.
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
    /// Why the module cannot be fetched; nothing where it can.
    pub(crate) gate: watch::Receiver<Option<String>>,
    /// Does this replica write?
    pub(crate) leading: watch::Receiver<bool>,
    /// Whoever wants to know how proxies stand.
    pub(crate) events: mpsc::Sender<Vec<Event>>,
    /// What is counted.
    pub(crate) metrics: Proxies,
}

struct Task {
    client: Client,
    output: Output,
    roster: Roster,
    touches: Touches,
    wires: Wires,
    asker: Asker,
    answers: FuturesUnordered<BoxFuture<'static, (Question, Option<Answer>)>>,
    touching: FuturesUnordered<BoxFuture<'static, Option<Touched>>>,
}

/// Asks for ever, until nobody orders anything any more. `output` is what holds attachments.
pub(crate) async fn run(client: Client, output: Output, wires: Wires) {
    // A connection that waits for the next question in half a minute would be one in each proxy.
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_PATIENCE));
    let asker =
        HttpClient::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let (roster, touches) = (Roster::default(), Touches::default());
    let (answers, touching) = (FuturesUnordered::new(), FuturesUnordered::new());
    let mut task = Task { client, output, roster, touches, wires, asker, answers, touching };
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        task.ask();
        let wakes = task.roster.wakes();
        let event = tokio::select! {
            order = task.wires.orders.recv() => match order {
                Some(order) => {
                    task.on(order);
                    None
                }
                None => return,
            },
            Some((question, answer)) = task.answers.next() => {
                task.roster.answered(&question, answer, Instant::now());
                None
            }
            Some(done) = task.touching.next() => done.map(Event::Touched),
            () = sleep_until(wakes) => None,
            _ = look.tick() => {
                task.look();
                None
            }
        };
        let told = task.roster.tidings(Instant::now());
        let told = Some(told).filter(|told: &Vec<Told>| !told.is_empty()).map(Event::Standings);
        let events: Vec<Event> = event.into_iter().chain(told).collect();
        if !events.is_empty() && task.wires.events.send(events).await.is_err() {
            return;
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

// === impl Wires ===

impl Wires {
    /// Where the module is not served nobody would find it, and where another replica writes it is that one's to do.
    fn may_touch(&self) -> bool {
        self.gate.borrow().is_none() && *self.leading.borrow()
    }
}

// === impl Task ===

impl Task {
    fn on(&mut self, order: Order) {
        match order {
            Order::Assign(namespace, assignment) => {
                self.roster.assign(&namespace, assignment, Instant::now());
            }
            Order::Rest => self.roster.clear(),
        }
    }

    /// Asks whoever is due.
    fn ask(&mut self) {
        while let Some(question) = self.roster.next(Instant::now()) {
            let asker = self.asker.clone();
            self.answers.push(Box::pin(async move {
                let answer = ask(&asker, &question).await;
                if let Err(error) = &answer {
                    debug!(pod = ?question.pod, error, "a proxy does not say what it runs");
                }
                (question, answer.ok())
            }));
        }
    }

    /// Counts, and writes anew the objects whose filter some proxy is without.
    fn look(&mut self) {
        self.wires.metrics.stand(&self.roster.counts());
        if !self.wires.may_touch() {
            return;
        }
        let now = Instant::now();
        for (key, pods) in self.touches.due(self.roster.starving(now), now) {
            let (client, output) = (self.client.clone(), self.output.clone());
            let metrics = self.wires.metrics.clone();
            if let Some(namespace) = key.namespace() {
                self.roster.hurry(namespace, now);
            }
            self.touching.push(Box::pin(async move {
                let said = Timestamp::now().to_string();
                let write = touch(&client, &output, &key, &said);
                let written = tokio::time::timeout(WRITE_PATIENCE, write).await;
                told_of(key, pods, written.ok(), &metrics)
            }));
        }
    }
}

/// Says what came of writing an object anew; `None`: the API server has not answered.
fn told_of(
    key: AttachmentKey,
    pods: Vec<String>,
    written: Option<kube::Result<()>>,
    metrics: &Proxies,
) -> Option<Touched> {
    let error = match written {
        Some(Ok(())) => {
            metrics.touched(true);
            info!(attachment = %key, ?pods, "touched: proxies that run no filter are to fetch its module again");
            return Some(Touched { key, pods });
        }
        Some(Err(error)) => kubernetes::sentence(&error),
        None => "the API server has not answered".to_owned(),
    };
    metrics.touched(false);
    warn!(attachment = %key, ?pods, error, "proxies run no filter, and the object could not be touched; tried again");
    None
}

async fn ask(asker: &Asker, question: &Question) -> Result<Answer, String> {
    let request = Request::get(answer::uri(question.address)).body(Empty::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = async {
        let answer = asker.request(request).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), answer::MAX_LEN).collect().await;
        let bytes = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer::read(&String::from_utf8_lossy(&bytes)))
    };
    let late = |_| Err(format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_touched_by_who_leads_while_its_module_is_served() {
        for (why, gate, leads, may) in [
            ("nothing is in the way", None, true, true),
            ("nobody serves the module", Some("waiting for 1 of 2".to_owned()), true, false),
            ("another replica leads", None, false, false),
        ] {
            let (_, orders) = mpsc::unbounded_channel();
            let (_gate, gate) = watch::channel(gate);
            let (_leading, leading) = watch::channel(leads);
            let (events, _) = mpsc::channel(1);
            let wires = Wires { orders, gate, leading, events, metrics: Proxies::default() };
            assert_eq!(wires.may_touch(), may, "{why}");
        }
    }
}
