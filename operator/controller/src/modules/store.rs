//! Store: the leader's module in a `ConfigMap` for all replicas, and those that nothing names any more collected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corsward_operator_core::filter_module::{MODULE_LABEL, short};
use corsward_operator_core::names::{FIELD_MANAGER, MANAGED_BY};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::error_log::{ErrorLog, News};
use crate::kubernetes::{found, sentence};
use crate::modules::cache::{self, ModuleCache};
use crate::watches::{self, WatchEvent};

/// Interval of retries.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// Number of checks of a module before its collection.
const CHECKS_BEFORE_COLLECT: u32 = 12;

/// Keeps modules in `ConfigMap`s.
pub(super) struct ModuleStore {
    pub(super) maps: Api<ConfigMap>,
    /// The objects that may name modules, by kind.
    pub(super) plugins: Vec<Api<DynamicObject>>,
    pub(super) cache: Arc<ModuleCache>,
    pub(super) keep: Duration,
    /// The `ConfigMap`s have been listed.
    pub(super) listed: watch::Sender<bool>,
    /// The last time at which the own module was made anew, because a different one had its place.
    pub(super) remade: Option<Instant>,
    /// Since when nothing has named a module.
    pub(super) unnamed: BTreeMap<String, Instant>,
    pub(super) error_log: ErrorLog,
}

// === impl ModuleStore ===

impl ModuleStore {
    /// Keeps modules for ever.
    pub(super) async fn run(mut self, mut leading: watch::Receiver<bool>) {
        let selector = format!("{}={},{MODULE_LABEL}", MANAGED_BY.0, MANAGED_BY.1);
        let mut events = watches::of_labels(self.maps.clone(), "ConfigMap", &selector);
        loop {
            let mut wait = self.look();
            let listed = *self.listed.borrow();
            if listed && *leading.borrow_and_update() {
                let error = self.tend().await.err();
                if error.is_some() {
                    wait = RETRY_INTERVAL;
                }
                match self.error_log.news(error.as_ref().map(sentence)) {
                    Some(News::Failed(error)) => {
                        warn!(error, "cannot store or collect modules; tried again");
                    }
                    Some(News::Works) => info!("stored and collected modules again"),
                    None => {}
                }
            } else {
                self.unnamed.clear();
            }
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(WatchEvent::All(maps))) => {
                        self.cache.reset(&maps);
                        self.listed.send_replace(true);
                    }
                    Some(Ok(WatchEvent::Applied(map))) => self.cache.put(&map),
                    Some(Ok(WatchEvent::Deleted(map))) => self.cache.remove(&map.name_any()),
                    Some(Err(_)) => {}
                    None => return,
                },
                changed = leading.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Interval of checks of modules without an event.
    fn look(&self) -> Duration {
        self.keep.checked_div(CHECKS_BEFORE_COLLECT).unwrap_or(RETRY_INTERVAL)
    }

    /// Stores our own module, and collects what nothing has named for long enough.
    async fn tend(&mut self) -> kube::Result<()> {
        let (stored, own) = (self.cache.stored.borrow().clone(), &self.cache.own.sha256);
        let (own_name, now) = (cache::name(own), Instant::now());
        let lately = |at: Instant| now.saturating_duration_since(at) < self.look();
        match stored.get(&own_name) {
            Some(Some(module)) if module.sha256 == *own => {}
            None => self.store().await?,
            // Whoever changes what is made changes it each time, and what was changed wakes us.
            Some(_) if self.remade.is_some_and(lately) => {}
            Some(_) => {
                // It cannot be changed, so it is made anew.
                self.delete(&own_name).await?;
                self.remade = Some(now);
                self.store().await?;
            }
        }
        self.unnamed.retain(|name, _| stored.contains_key(name));
        for (name, module) in &stored {
            let named = match module {
                _ if *name == own_name => true,
                Some(module) => self.is_named(&module.sha256).await?,
                None => false,
            };
            if named {
                self.unnamed.remove(name);
                continue;
            }
            let since = *self.unnamed.entry(name.clone()).or_insert(now);
            if now.saturating_duration_since(since) >= self.keep {
                self.delete(name).await?;
                info!(name, "deleted a module that no plugin names");
                self.unnamed.remove(name);
            }
        }
        Ok(())
    }

    async fn store(&self) -> kube::Result<()> {
        let map = cache::config_map(&self.cache.own);
        let params =
            PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        match self.maps.create(&params, &map).await {
            Ok(map) => {
                let name = map.name_any();
                self.cache.put(&map);
                if self.cache.stored.borrow().get(&name).is_some_and(Option::is_none) {
                    warn!(
                        name,
                        "the API server stores a changed module: look for a webhook that changes it"
                    );
                } else {
                    info!(name, "stored the module for all replicas");
                }
                Ok(())
            }
            // The watch has not told us of it yet.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Does an object of any kind name the module? A kind that is not served has none.
    async fn is_named(&self, sha256: &str) -> kube::Result<bool> {
        let selector = format!("{MODULE_LABEL}={}", short(sha256));
        let params = ListParams::default().labels(&selector).limit(1);
        for plugins in &self.plugins {
            let list = found(plugins.list_metadata(&params).await)?;
            if list.is_some_and(|list| !list.items.is_empty()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn delete(&self, name: &str) -> kube::Result<()> {
        found(self.maps.delete(name, &DeleteParams::default()).await)?;
        self.cache.remove(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::ServedModule;
    use axum::body::Body;
    use axum::extract::{RawQuery, State};
    use axum::http::StatusCode;
    use axum::routing::{delete, get};
    use axum::{Json, Router};
    use corsward_operator_core::bundle::hex;
    use kube::Client;
    use kube::api::ApiResource;
    use serde_json::{Value, json};
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use tokio::sync::broadcast;

    /// An API server with a webhook that changes every `ConfigMap`.
    #[derive(Clone)]
    struct FakeApiServer {
        told: broadcast::Sender<Value>,
        made: Arc<AtomicUsize>,
        is_there: Arc<AtomicBool>,
    }

    impl FakeApiServer {
        fn tell(&self, kind: &str, object: &Value) {
            let mut event = json!({"type": kind, "object": object});
            event["object"]["metadata"]["resourceVersion"] = "2".into();
            let _ = self.told.send(event);
        }

        fn list(State(meddler): State<Self>, RawQuery(query): RawQuery) -> Ready<Body> {
            if !query.is_some_and(|query| query.contains("watch=true")) {
                let list = json!({
                    "apiVersion": "v1", "kind": "ConfigMapList",
                    "metadata": {"resourceVersion": "1"}, "items": [],
                });
                return ready(list.to_string().into());
            }
            let told = futures::stream::unfold(meddler.told.subscribe(), |mut told| async {
                let event = told.recv().await.ok()?;
                Some((Ok::<_, Infallible>(format!("{event}\n")), told))
            });
            ready(Body::from_stream(told))
        }

        fn create(
            State(meddler): State<Self>,
            Json(mut object): Json<Value>,
        ) -> Ready<(StatusCode, Json<Value>)> {
            if meddler.is_there.swap(true, Ordering::SeqCst) {
                let exists = json!({"kind": "Status", "status": "Failure", "code": 409});
                return ready((StatusCode::CONFLICT, Json(exists)));
            }
            meddler.made.fetch_add(1, Ordering::SeqCst);
            object["metadata"]["annotations"] = json!({});
            meddler.tell("ADDED", &object);
            ready((StatusCode::CREATED, Json(object)))
        }

        fn delete(State(meddler): State<Self>) -> Ready<Json<Value>> {
            meddler.is_there.store(false, Ordering::SeqCst);
            let own = cache::config_map(&own());
            meddler.tell("DELETED", &serde_json::to_value(own).unwrap());
            ready(Json(json!({"apiVersion": "v1", "kind": "Status", "status": "Success"})))
        }
    }

    fn own() -> ServedModule {
        ServedModule::of("ours")
    }

    #[tokio::test]
    async fn a_module_that_somebody_changes_on_its_way_is_not_made_again_and_again() {
        let meddler = FakeApiServer {
            told: broadcast::channel(1024).0,
            made: Arc::default(),
            is_there: Arc::default(),
        };
        let maps = "/api/v1/namespaces/system/configmaps";
        let router = Router::new()
            .route(maps, get(FakeApiServer::list).post(FakeApiServer::create))
            .route(&format!("{maps}/{{name}}"), delete(FakeApiServer::delete))
            .with_state(meddler.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let cache = Arc::new(ModuleCache::new(own()));
        let store = ModuleStore {
            maps: Api::namespaced(client.clone(), "system"),
            plugins: vec![Api::all_with(client, &ApiResource::erase::<ConfigMap>(&()))],
            cache: Arc::clone(&cache),
            keep: Duration::from_hours(1),
            listed: watch::Sender::new(false),
            remade: None,
            unnamed: BTreeMap::new(),
            error_log: ErrorLog::default(),
        };
        let (_leads, leading) = watch::channel(true);
        tokio::spawn(store.run(leading));

        for n in 0..8_u8 {
            let other = cache::config_map(&ServedModule::of(vec![n]));
            let other = serde_json::to_value(other).unwrap();
            // Told until the watch has begun.
            while cache.get(&hex(&[n])).is_none() {
                meddler.tell("ADDED", &other);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        assert_eq!(meddler.made.load(Ordering::SeqCst), 2, "made, and made anew once");
    }
}
