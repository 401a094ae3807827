//! `kube`: the objects of a cluster, watched. Each becomes what the loop keeps at once: nothing is stored here.

mod enforcement;
mod kinds;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corsward_operator_core::cluster_state::Key;
use corsward_operator_core::event::Event;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use kube::core::ApiResource;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::SendError;

use self::kinds::{
    CLUSTER_POLICIES, GATEWAY_CLASSES, GATEWAYS, HTTP_ROUTES, Kind, NAMESPACES, ORIGIN_SETS, PODS,
    POLICIES, SERVICES, VIRTUAL_SERVICES,
};
pub(crate) use self::kinds::{Raw, VERSION, policy, raw_object};
use crate::kubernetes::is_not_served;
use crate::metrics::Metrics;
use crate::watches::{self, Need, WatchEvent};

/// Most events in one batch.
const MAX_BATCH: usize = 500;

/// The watched kinds, and the options of the watches.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// Are Gateways watched, and routes?
    pub gateways: bool,
    /// Are the classes of Gateways and Istio's `VirtualService` objects watched? They count where Istio's proxies are configured.
    pub istio: bool,
    /// The `ConfigMap` that switches the whole cluster, if there is one.
    pub switch: Option<Key>,
    /// Interval of looks for an optional kind that is missing.
    pub look_again: Duration,
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

/// Follows a kind until the receiver is gone. Everything that is ready is one batch.
fn follow<R, K, V, E>(shared: &Shared, kind: Kind<R, K, V, E>) -> BoxFuture<'_, ()>
where
    R: Resource<DynamicType = ApiResource> + Clone + Debug + DeserializeOwned + Send + 'static,
    K: Ord + Send + 'static,
    V: Send + 'static,
    E: Into<Event> + 'static,
{
    let (name, need, key, value) = (kind.name(), kind.need, kind.key, kind.value);
    let api = Api::<R>::all_with(shared.client.clone(), &kind.api_resource());
    let field_selector = kind.fields.map(str::to_owned);
    let config = watcher::Config { field_selector, ..watcher::Config::default() };
    let keep = move |raw: R| (key(raw.meta()), value(raw));
    let mut batches = watches::changes(api, config, name, need, keep).ready_chunks(MAX_BATCH);
    async move {
        let mut listed = false;
        while let Some(changes) = batches.next().await {
            let (mut batch, mut is_served) = (Vec::new(), true);
            for change in changes {
                match change {
                    Ok(change) => batch.push(kind.event(change)),
                    // There are no objects of it. An API server that has just started and does not know its kinds yet says 503.
                    Err(error) if need.is_optional() && is_not_served(&error) => {
                        batch.push(kind.event(WatchEvent::All(Vec::new())));
                        is_served = false;
                    }
                    Err(_) => shared.metrics.watch_restarted(name),
                }
            }
            let is_list = !listed && (!batch.is_empty() || need == Need::Advisory);
            if !batch.is_empty() && shared.events.send(batch).await.is_err() {
                return;
            }
            if is_list && shared.count_first_list().await.is_err() {
                return;
            }
            listed |= is_list;
            if !is_served {
                tokio::time::sleep(shared.options.look_again).await;
            }
        }
    }
    .boxed()
}

// === impl WatchOptions ===

impl Default for WatchOptions {
    fn default() -> Self {
        Self { gateways: true, istio: true, switch: None, look_again: Duration::from_secs(30) }
    }
}

// === impl Shared ===

impl Shared {
    /// Counts a kind whose first list is there; the last of them is followed by [`Event::Synced`].
    async fn count_first_list(&self) -> Result<(), SendError<Vec<Event>>> {
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.events.send(vec![Event::Synced]).await?;
        }
        Ok(())
    }
}
