//! `kube`: the objects of a cluster, watched. Each becomes what the loop keeps at once: nothing is stored here.

mod enforcement;
mod kinds;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corsward_operator_core::cluster_state::Delta;
use corsward_operator_core::event::Event;
use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream, StreamExt as _};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::utils::Backoff as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tracing::{info, warn};

pub use self::enforcement::Switch;
use self::kinds::{
    CLUSTER_POLICIES, GATEWAY_CLASSES, GATEWAYS, HTTP_ROUTES, Kind, NAMESPACES, Need, ORIGIN_SETS,
    PODS, POLICIES, SERVICES, VIRTUAL_SERVICES,
};
pub(crate) use self::kinds::{Raw, policy, raw_object};
use crate::error_log::ErrorLog;
use crate::kubernetes::{WATCH_SECONDS, backoff, is_not_served, watch_sentence};
use crate::metrics::Metrics;

/// Most events in one batch.
const MAX_BATCH: usize = 500;

/// The watched kinds, and the options of the watches.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// Are Gateways watched, and routes?
    pub gateways: bool,
    /// Are the classes of Gateways and Istio's `VirtualService` objects watched? They count where Istio's proxies are configured.
    pub istio: bool,
    /// The stop of the whole cluster's policies, if there is such a switch.
    pub switch: Option<Switch>,
    /// Interval of looks for an optional kind that is missing.
    pub look_again: Duration,
}

/// The reason why the watch of a kind ended.
#[derive(Debug, PartialEq, Eq)]
enum WatchEnd {
    /// The receiver is gone.
    Closed,
    /// The API server does not know the kind.
    NotServed,
}

/// The shared state of the watches.
struct Shared {
    client: Client,
    options: WatchOptions,
    metrics: Arc<Metrics>,
    events: Sender<Vec<Event>>,
    /// Kinds whose first list is not there yet.
    waiting: AtomicUsize,
}

/// Follows the objects of one kind.
struct Follower<'s, R, K, V, E> {
    shared: &'s Shared,
    kind: Kind<R, K, V, E>,
    /// The objects of an incomplete list.
    list: BTreeMap<K, V>,
    /// The first list is there, or the kind is not served.
    listed: bool,
    error_log: ErrorLog,
    backoff: watcher::ExponentialBackoff,
}

/// Watches until the receiver of `events` is gone. [`Event::Synced`] follows on the first list of every kind.
///
/// An API server without our own kinds is waited for: that there are no policies can only be said where there may be some. One without
/// Gateways has none.
pub async fn watch(
    client: Client,
    options: WatchOptions,
    metrics: Arc<Metrics>,
    events: Sender<Vec<Event>>,
) {
    let shared = Shared { client, options, metrics, events, waiting: AtomicUsize::new(0) };
    let mut kinds = vec![
        follow(&shared, POLICIES),
        follow(&shared, ORIGIN_SETS),
        follow(&shared, CLUSTER_POLICIES),
        follow(&shared, NAMESPACES),
        follow(&shared, SERVICES),
        follow(&shared, PODS),
    ];
    if shared.options.gateways {
        kinds.push(follow(&shared, GATEWAYS));
        kinds.push(follow(&shared, HTTP_ROUTES));
    }
    if shared.options.gateways && shared.options.istio {
        kinds.push(follow(&shared, GATEWAY_CLASSES));
    }
    if shared.options.istio {
        kinds.push(follow(&shared, VIRTUAL_SERVICES));
    }
    if let Some(switch) = shared.options.switch.clone() {
        kinds.push(enforcement::follow(&shared, switch).boxed());
    }
    shared.waiting.store(kinds.len(), Ordering::Relaxed);
    futures::future::join_all(kinds).await;
}

/// Follows a kind until the receiver is gone.
fn follow<R, K, V, E>(shared: &Shared, kind: Kind<R, K, V, E>) -> BoxFuture<'_, ()>
where
    R: Resource<DynamicType = ApiResource> + Clone + Debug + DeserializeOwned + Send + 'static,
    K: Ord + Send + 'static,
    V: Send + 'static,
    E: Into<Event> + 'static,
{
    let (list, listed) = (BTreeMap::new(), false);
    let (error_log, backoff) = (ErrorLog::default(), backoff());
    let mut follower = Follower { shared, kind, list, listed, error_log, backoff };
    async move { while follower.follow().await == WatchEnd::NotServed {} }.boxed()
}

// === impl WatchOptions ===

impl Default for WatchOptions {
    fn default() -> Self {
        Self { gateways: true, istio: true, switch: None, look_again: Duration::from_secs(30) }
    }
}

// === impl Shared ===

impl Shared {
    async fn send(&self, batch: Vec<Event>) -> Result<(), WatchEnd> {
        self.events.send(batch).await.map_err(|_| WatchEnd::Closed)
    }

    /// Counts a kind whose first list is there; the last of them is followed by [`Event::Synced`].
    async fn count_first_list(&self) -> Result<(), WatchEnd> {
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.send(vec![Event::Synced]).await?;
        }
        Ok(())
    }
}

// === impl Follower ===

impl<R, K, V, E> Follower<'_, R, K, V, E>
where
    R: Resource<DynamicType = ApiResource> + Clone + Debug + DeserializeOwned + Send + 'static,
    K: Ord,
    E: Into<Event>,
{
    /// Follows the kind from a first list on.
    async fn follow(&mut self) -> WatchEnd {
        let [group, version, kind, plural] = self.kind.resource;
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let api = Api::<R>::all_with(self.shared.client.clone(), &resource);
        let config = watcher::Config {
            field_selector: self.kind.fields.map(str::to_owned),
            timeout: Some(WATCH_SECONDS),
            ..watcher::Config::default()
        };
        let mut stream = watcher(api, config).boxed();
        loop {
            if let Err(end) = self.step(&mut stream).await {
                return end;
            }
        }
    }

    /// Takes in everything that is ready, as one batch.
    async fn step(
        &mut self,
        stream: &mut (impl Stream<Item = watcher::Result<watcher::Event<R>>> + Unpin),
    ) -> Result<(), WatchEnd> {
        let mut batch = Vec::new();
        let mut next = stream.next().await;
        let failed = loop {
            match next {
                Some(Ok(event)) => batch.extend(self.on(event)),
                Some(Err(error)) => break Some(error),
                // A watcher does not end.
                None => return Err(WatchEnd::NotServed),
            }
            if batch.len() >= MAX_BATCH {
                break None;
            }
            match stream.next().now_or_never() {
                Some(ready) => next = ready,
                None => break None,
            }
        };
        if !batch.is_empty() {
            self.shared.send(batch).await?;
            self.count_as_listed().await?;
        }
        match failed {
            Some(error) => self.failed(&error).await,
            None => Ok(()),
        }
    }

    /// The controller's event for a watcher's event; the objects of a list are collected until it is complete, so
    /// that missing ones are deleted.
    fn on(&mut self, event: watcher::Event<R>) -> Option<Event> {
        let Kind { key, value, .. } = self.kind;
        let delta = match event {
            // It comes before the list is asked for: no sign that anything works.
            watcher::Event::Init => {
                self.list.clear();
                return None;
            }
            watcher::Event::InitApply(raw) => {
                self.list.insert(key(raw.meta()), value(raw));
                return None;
            }
            watcher::Event::InitDone => Delta::Reset(std::mem::take(&mut self.list)),
            watcher::Event::Apply(raw) => Delta::Apply(key(raw.meta()), value(raw)),
            watcher::Event::Delete(raw) => Delta::Delete(key(raw.meta())),
        };
        self.backoff.reset();
        if self.error_log.over() {
            info!(kind = self.kind.name(), "watched again");
        }
        Some((self.kind.change)(delta).into())
    }

    /// Counts an error, says it where it is new, and waits before the next attempt. A watch goes on from where it was, or, where the API
    /// server does not remember that any more, with a new list.
    async fn failed(&mut self, error: &watcher::Error) -> Result<(), WatchEnd> {
        let (kind, need, unknown) = (self.kind.name(), self.kind.need, is_not_served(error));
        if unknown && matches!(need, Need::Optional | Need::Advisory) {
            return self.not_served().await;
        }
        self.shared.metrics.watch_restarted(kind);
        if need == Need::Advisory {
            self.count_as_listed().await?;
        }
        let sentence = watch_sentence(error);
        if self.error_log.on(&sentence, Instant::now()) {
            if unknown && need == Need::Own {
                warn!(
                    kind,
                    "the API server does not know this kind, and nothing is published without it: apply them with `kubectl apply --server-side -f crds/`, or install the chart with its definitions"
                );
            } else {
                warn!(kind, error = sentence, "cannot watch; tried again");
            }
        }
        tokio::time::sleep(self.backoff.next().unwrap_or_default()).await;
        Ok(())
    }

    /// There are no objects of a kind that is not served. An API server that has just started and does not know its kinds yet says 503.
    async fn not_served(&mut self) -> Result<(), WatchEnd> {
        self.shared.send(vec![(self.kind.change)(Delta::Reset(BTreeMap::new())).into()]).await?;
        self.count_as_listed().await?;
        tokio::time::sleep(self.shared.options.look_again).await;
        Err(WatchEnd::NotServed)
    }

    /// Counts the kind once.
    async fn count_as_listed(&mut self) -> Result<(), WatchEnd> {
        let before = std::mem::replace(&mut self.listed, true);
        if before { Ok(()) } else { self.shared.count_first_list().await }
    }
}
