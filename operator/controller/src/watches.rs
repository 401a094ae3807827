//! Watches: the changes of a kind, with the operator's timeout, pauses and log lines.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::ready;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use crate::error_log::{ErrorLog, News};
use crate::kubernetes::{WATCH_SECONDS, backoff, is_not_served, watch_sentence};

/// A watch that does not end.
pub(crate) type Watch<T> = BoxStream<'static, watcher::Result<T>>;

/// A change of the objects that are watched.
#[derive(Debug)]
pub(crate) enum WatchEvent<T> {
    /// These are there, and no others.
    All(Vec<T>),
    /// It is there, new or changed.
    Applied(T),
    /// It is gone.
    Deleted(T),
}

/// What follows if the API server does not serve a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It is one of ours: the log names the remedy, and nothing is published.
    Own,
    /// An answer that it is not there is no word about its objects.
    Served,
    /// There are no objects.
    Optional,
    /// The same, and only findings depend on it: readiness does not wait for it.
    Advisory,
}

/// The changes of the objects of `kind` that have the labels.
pub(crate) fn of_labels<K>(api: Api<K>, kind: &str, labels: &str) -> Watch<WatchEvent<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    changes(api, watcher::Config::default().labels(labels), kind, Need::Served, |object| object)
}

/// The states of the object of that name; `None`: there is none. kube's `watch_object` has no timeout of the watch.
pub(crate) fn of_object<K>(api: Api<K>, kind: &str, name: &str) -> Watch<Option<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let state = |change| match change {
        WatchEvent::All(mut objects) => objects.pop(),
        WatchEvent::Applied(object) => Some(object),
        WatchEvent::Deleted(_) => None,
    };
    changes(api, config, kind, Need::Served, |object| object).map_ok(state).boxed()
}

/// The changes of the objects of `kind`, each list as one. Of each object, only what `keep` returns stays in memory.
pub(crate) fn changes<K, T>(
    api: Api<K>,
    config: watcher::Config,
    kind: &str,
    need: Need,
    keep: impl Fn(K) -> T + Send + 'static,
) -> Watch<WatchEvent<T>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: Send + 'static,
{
    let (kind, mut error_log, mut list) = (kind.to_owned(), ErrorLog::default(), Vec::new());
    let change = move |event| match event {
        Event::Init => {
            list.clear();
            None
        }
        Event::InitApply(object) => {
            list.push(keep(object));
            None
        }
        Event::InitDone => Some(WatchEvent::All(std::mem::take(&mut list))),
        Event::Apply(object) => Some(WatchEvent::Applied(keep(object))),
        Event::Delete(object) => Some(WatchEvent::Deleted(keep(object))),
    };
    let changes = watcher(api, config.timeout(WATCH_SECONDS)).map_ok(change);
    // The pauses come last: `Init` precedes the request for a list, and is no sign that anything works.
    let changes = changes.filter_map(|change| ready(change.transpose())).backoff(backoff());
    changes
        .inspect(move |change| report(&kind, need, change.as_ref().err(), &mut error_log))
        .boxed()
}

/// Logs that a watch fails, and that it goes on.
fn report(kind: &str, need: Need, error: Option<&watcher::Error>, error_log: &mut ErrorLog) {
    let unknown = error.is_some_and(is_not_served);
    if unknown && need.is_optional() {
        return;
    }
    match error_log.news(error.map(watch_sentence)) {
        Some(News::Failed(_)) if unknown && need == Need::Own => warn!(
            kind,
            "the API server does not know this kind, and nothing is published without it: apply them with `kubectl apply --server-side -f crds/`, or install the chart with its definitions"
        ),
        Some(News::Failed(error)) => warn!(kind, error, "cannot watch; tried again"),
        Some(News::Works) => info!(kind, "watched again"),
        None => {}
    }
}

// === impl WatchEvent ===

impl<K: Resource> WatchEvent<K> {
    /// Carries the change out in a store of objects by their names.
    pub(crate) fn store(self, objects: &mut BTreeMap<String, K>) {
        match self {
            Self::All(all) => {
                *objects = all.into_iter().map(|object| (object.name_any(), object)).collect();
            }
            Self::Applied(object) => drop(objects.insert(object.name_any(), object)),
            Self::Deleted(object) => drop(objects.remove(&object.name_any())),
        }
    }
}

// === impl Need ===

impl Need {
    /// May an API server do without the kind?
    pub(crate) fn is_optional(self) -> bool {
        matches!(self, Self::Optional | Self::Advisory)
    }
}
