//! Watches: the events of a kind, with the operator's timeout, pauses and log lines.

use std::fmt::Debug;
use std::future::ready;
use std::time::Instant;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt as _, reflector};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use crate::error_log::ErrorLog;
use crate::kubernetes::{WATCH_SECONDS, backoff, watch_sentence};

/// A watch that does not end.
pub(crate) type Events<T> = BoxStream<'static, watcher::Result<T>>;

/// A change of the objects that are watched.
#[derive(Debug)]
pub(crate) enum WatchEvent<K> {
    /// These are there, and no others.
    All(Vec<K>),
    /// It is there, new or changed.
    Applied(K),
    /// It is gone.
    Deleted(K),
}

/// The changes of the objects of `kind` that have the labels.
pub(crate) fn of_labels<K>(api: Api<K>, kind: &str, labels: &str) -> Events<WatchEvent<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    changes(events(api, kind, watcher::Config::default().labels(labels)))
}

/// The objects of `kind` that have the labels, in a store, and the events that change it.
pub(crate) fn stored<K>(
    api: Api<K>,
    kind: &str,
    labels: &str,
) -> (reflector::Store<K>, Events<Event<K>>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let events = events(api, kind, watcher::Config::default().labels(labels));
    (store, reflector(writer, events).boxed())
}

/// The states of the object of that name; `None`: there is none. kube's `watch_object` has no timeout of the watch.
pub(crate) fn of_object<K>(api: Api<K>, kind: &str, name: &str) -> Events<Option<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let state = |event| match event {
        WatchEvent::All(mut objects) => objects.pop(),
        WatchEvent::Applied(object) => Some(object),
        WatchEvent::Deleted(_) => None,
    };
    changes(events(api, kind, config)).map_ok(state).boxed()
}

/// The changes that the events of a watcher make, each list as one.
fn changes<K: Send + 'static>(events: Events<Event<K>>) -> Events<WatchEvent<K>> {
    let mut list = Vec::new();
    let change = move |event| match event {
        Event::Init => {
            list.clear();
            None
        }
        Event::InitApply(object) => {
            list.push(object);
            None
        }
        Event::InitDone => Some(WatchEvent::All(std::mem::take(&mut list))),
        Event::Apply(object) => Some(WatchEvent::Applied(object)),
        Event::Delete(object) => Some(WatchEvent::Deleted(object)),
    };
    events.map_ok(change).filter_map(|change| ready(change.transpose())).boxed()
}

fn events<K>(api: Api<K>, kind: &str, config: watcher::Config) -> Events<Event<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let (kind, mut error_log) = (kind.to_owned(), ErrorLog::default());
    watcher(api, config.timeout(WATCH_SECONDS))
        .backoff(backoff())
        .inspect(move |event| report(&kind, event.as_ref(), &mut error_log))
        .boxed()
}

/// Logs that a watch fails, and that it goes on.
fn report<K>(kind: &str, event: Result<&Event<K>, &watcher::Error>, error_log: &mut ErrorLog) {
    match event {
        // It comes before a list is asked for: no sign that anything works.
        Ok(Event::Init) => {}
        Ok(_) => {
            if error_log.over() {
                info!(kind, "watched again");
            }
        }
        Err(error) => {
            let error = watch_sentence(error);
            if error_log.on(&error, Instant::now()) {
                warn!(kind, error, "cannot watch; tried again");
            }
        }
    }
}
