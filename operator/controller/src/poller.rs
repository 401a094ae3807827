//! Poller: the task that asks proxies what they run, as the schedule of the core says, and reports what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_operator_core::bundle::BundleKey;
use corsward_operator_core::event::{Event, Refreshed};
use corsward_operator_core::rollout::proxy::{self, ProxyStats};
use corsward_operator_core::rollout::refresh::RefreshSchedule;
use corsward_operator_core::rollout::schedule::{Schedule, ScrapeRequest};
use corsward_operator_core::rollout::tracker::PollerCommand;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::kubernetes::{sentence, within};
use crate::metrics::{Metrics, Outcome};
use crate::publish::cluster::TaskDeps;
use crate::tasks::{sleep_until, ticks};

/// Timeout for a proxy's answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout for a connection to it: a firewall that drops packets must not delay the other proxies.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Timeout for a refresh of an object.
const WRITE_TIMEOUT: Duration = Duration::from_secs(4);
/// Interval of checks for pods without the filter.
const REFRESH_CHECK_INTERVAL: Duration = Duration::from_secs(1);

type ScrapeClient = HttpClient<HttpConnector, Empty<Bytes>>;

struct Poller {
    schedule: Schedule,
    refreshes: RefreshSchedule,
    deps: TaskDeps,
    http: ScrapeClient,
    answers: JoinSet<(ScrapeRequest, Option<ProxyStats>)>,
    refreshing: JoinSet<Option<Refreshed>>,
}

/// Polls until every sender of commands, which are the expected states of proxies, is gone.
pub(crate) async fn run(deps: TaskDeps, mut commands: mpsc::UnboundedReceiver<PollerCommand>) {
    // A connection that waits for the next question in half a minute would be one in each proxy.
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let http = HttpClient::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let (schedule, refreshes) = (Schedule::default(), RefreshSchedule::default());
    let (answers, refreshing) = (JoinSet::new(), JoinSet::new());
    let mut poller = Poller { schedule, refreshes, deps, http, answers, refreshing };
    let mut look = ticks(REFRESH_CHECK_INTERVAL);
    loop {
        poller.ask();
        let next_deadline = poller.schedule.next_deadline();
        let event = tokio::select! {
            command = commands.recv() => match command {
                Some(PollerCommand::Assign(namespace, expected)) => {
                    poller.schedule.assign(&namespace, expected, Instant::now());
                    None
                }
                Some(PollerCommand::Rest) => {
                    poller.schedule.clear();
                    None
                }
                None => return,
            },
            Some(Ok((request, answer))) = poller.answers.join_next() => {
                poller.schedule.answered(&request, answer, Instant::now());
                None
            }
            Some(Ok(done)) = poller.refreshing.join_next() => done.map(Event::Refreshed),
            () = sleep_until(next_deadline) => None,
            _ = look.tick() => {
                poller.look();
                None
            }
        };
        let told = poller.schedule.drain_updates(Instant::now());
        let told = (!told.is_empty()).then(|| Event::Rollouts(told));
        let events: Vec<Event> = event.into_iter().chain(told).collect();
        if !events.is_empty() && poller.deps.events.send(events).await.is_err() {
            return;
        }
    }
}

// === impl Poller ===

impl Poller {
    /// Polls the proxies that are due.
    fn ask(&mut self) {
        while let Some(request) = self.schedule.next(Instant::now()) {
            let http = self.http.clone();
            self.answers.spawn(async move {
                let answer = ask(&http, &request).await;
                if let Err(error) = &answer {
                    debug!(pod = ?request.pod, error, "a proxy does not report its configuration");
                }
                (request, answer.ok())
            });
        }
    }

    /// Counts, and writes anew the objects whose filter some proxy is without.
    fn look(&mut self) {
        self.deps.metrics.proxies(&self.schedule.counts());
        if !may_refresh(&self.deps) {
            return;
        }
        let now = Instant::now();
        for (key, pods) in self.refreshes.due(self.schedule.missing_filter(now), now) {
            let (objects, metrics) = (self.deps.objects.clone(), Arc::clone(&self.deps.metrics));
            if let Some(namespace) = key.namespace() {
                self.schedule.poll_soon(namespace, now);
            }
            self.refreshing.spawn(async move {
                let said = Timestamp::now().to_string();
                let written = within(WRITE_TIMEOUT, objects.refresh(&key, &said)).await;
                told_of(key, pods, written, &metrics)
            });
        }
    }
}

/// A refresh needs a served module, and is the leader's task.
fn may_refresh(deps: &TaskDeps) -> bool {
    deps.module_readiness.borrow().is_none() && *deps.leading.borrow()
}

/// Says what came of writing an object anew; `None`: nothing.
fn told_of(
    key: BundleKey,
    pods: Vec<String>,
    written: kube::Result<()>,
    metrics: &Metrics,
) -> Option<Refreshed> {
    if let Err(error) = written {
        Outcome::Failed.count(&metrics.plugin_refreshes);
        let error = sentence(&error);
        warn!(bundle = %key, ?pods, error, "cannot refresh the object of proxies without the filter; tried again");
        return None;
    }
    Outcome::Written.count(&metrics.plugin_refreshes);
    info!(bundle = %key, ?pods, "refreshed: agents of proxies without the filter fetch its module again");
    Some(Refreshed { key, pods })
}

async fn ask(http: &ScrapeClient, request: &ScrapeRequest) -> Result<ProxyStats, String> {
    let request = Request::get(proxy::uri(request.address)).body(Empty::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = async {
        let answer = http.request(request).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), proxy::MAX_LEN).collect().await;
        let bytes = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(ProxyStats::read(&String::from_utf8_lossy(&bytes)))
    };
    let late = |_| Err(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()));
    tokio::time::timeout(REQUEST_TIMEOUT, answer).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::cluster::Objects;
    use corsward_operator_core::publish::testing::wasm_plugins;
    use tokio::sync::watch;

    #[tokio::test]
    async fn an_object_is_refreshed_by_who_leads_while_its_module_is_served() {
        let nobody = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = kube::Client::try_from(nobody).unwrap();
        let objects = Objects { client, output: wasm_plugins() };
        for (why, module_readiness, leads, may) in [
            ("nothing is in the way", None, true, true),
            ("nobody serves the module", Some("waiting for 1 of 2".to_owned()), true, false),
            ("another replica leads", None, false, false),
        ] {
            let (_gate, module_readiness) = watch::channel(module_readiness);
            let (_leading, leading) = watch::channel(leads);
            let (events, _) = mpsc::channel(1);
            let (objects, metrics) = (objects.clone(), Arc::default());
            let deps = TaskDeps { objects, leading, module_readiness, events, metrics };
            assert_eq!(may_refresh(&deps), may, "{why}");
        }
    }
}
