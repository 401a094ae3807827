//! Watches: the events of a kind, with the operator's timeout, pauses and log lines.

use std::fmt::Debug;
use std::future::ready;
use std::time::Instant;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt as _, reflector};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use crate::error_log::ErrorLog;
use crate::kubernetes::{WATCH_SECONDS, watch_sentence};
use crate::watch_backoff::WatchBackoff;

/// A watch that does not end.
pub(crate) type Events<T> = BoxStream<'static, watcher::Result<T>>;

/// The events of the objects of `kind` that have the labels.
pub(crate) fn of_labels<K>(api: Api<K>, kind: &str, labels: &str) -> Events<Event<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    events(api, kind, watcher::Config::default().labels(labels))
}

/// The same, with the objects in a store.
pub(crate) fn stored<K>(
    api: Api<K>,
    kind: &str,
    labels: &str,
) -> (reflector::Store<K>, Events<Event<K>>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    (store, reflector(writer, of_labels(api, kind, labels)).boxed())
}

/// The states of the object of that name; `None`: there is none. kube's `watch_object` has no timeout of the watch.
pub(crate) fn of_object<K>(api: Api<K>, kind: &str, name: &str) -> Events<Option<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut listed = None;
    let state = move |event| {
        ready(match event {
            Ok(Event::Init) => {
                listed = None;
                None
            }
            Ok(Event::InitApply(object)) => {
                listed = Some(object);
                None
            }
            Ok(Event::InitDone) => Some(Ok(listed.take())),
            Ok(Event::Apply(object)) => Some(Ok(Some(object))),
            Ok(Event::Delete(_)) => Some(Ok(None)),
            Err(error) => Some(Err(error)),
        })
    };
    events(api, kind, config).filter_map(state).boxed()
}

fn events<K>(api: Api<K>, kind: &str, config: watcher::Config) -> Events<Event<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let (kind, mut error_log) = (kind.to_owned(), ErrorLog::default());
    watcher(api, config.timeout(WATCH_SECONDS))
        .backoff(WatchBackoff::default())
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
