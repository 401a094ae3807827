//! Keeping: the leader's module in a `ConfigMap` for all replicas, and those that nothing names any more collected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::kubernetes::sentence;
use crate::modules::shelf::{self, Shelf, Stored};
use crate::modules::{MODULE_LABEL, Own, short};
use crate::outage::Outage;
use crate::publish::output::{FIELD_MANAGER, MANAGED_BY};
use crate::source::kube::WATCH_SECONDS;

/// How soon something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How many times a module is looked at before it is collected.
const LOOKS: u32 = 12;

type Events = BoxStream<'static, watcher::Result<watcher::Event<ConfigMap>>>;

/// Keeps modules in `ConfigMap`s.
pub(super) struct Keeper {
    maps: Api<ConfigMap>,
    plugins: Api<DynamicObject>,
    own: Own,
    shelf: Arc<Shelf>,
    keep: Duration,
    /// What a list has named so far.
    listing: Vec<ConfigMap>,
    /// The `ConfigMap`s have been listed.
    listed: watch::Sender<bool>,
    /// Since when nothing has named a module.
    unnamed: BTreeMap<String, Instant>,
    /// Of the watch.
    unwatched: Outage,
    /// Of everything else.
    untended: Outage,
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(
        client: &Client,
        namespace: &str,
        plugins: &ApiResource,
        own: Own,
        shelf: Arc<Shelf>,
        keep: Duration,
        listed: watch::Sender<bool>,
    ) -> Self {
        let maps = Api::namespaced(client.clone(), namespace);
        let plugins = Api::all_with(client.clone(), plugins);
        let (listing, unnamed) = (Vec::new(), BTreeMap::new());
        let (unwatched, untended) = <(Outage, Outage)>::default();
        Self { maps, plugins, own, shelf, keep, listing, listed, unnamed, unwatched, untended }
    }

    /// Keeps modules for ever.
    pub(super) async fn run(mut self, mut leading: watch::Receiver<bool>) {
        let selector = format!("{}={},{MODULE_LABEL}", MANAGED_BY.0, MANAGED_BY.1);
        let config = watcher::Config::default().labels(&selector).timeout(WATCH_SECONDS);
        let mut events: Events = watcher(self.maps.clone(), config).default_backoff().boxed();
        loop {
            let mut wait = self.keep.checked_div(LOOKS).unwrap_or(AGAIN);
            let listed = *self.listed.borrow();
            if listed && *leading.borrow_and_update() {
                if !self.try_to_tend().await {
                    wait = AGAIN;
                }
            } else {
                self.unnamed.clear();
            }
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.on(event),
                    None => return,
                },
                changed = leading.changed() => if changed.is_err() {
                    return;
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn on(&mut self, event: watcher::Result<watcher::Event<ConfigMap>>) {
        self.unwatched.watch("ConfigMap", event.as_ref());
        match event {
            Ok(watcher::Event::Init) => self.listing.clear(),
            Ok(watcher::Event::InitApply(map)) => self.listing.push(map),
            Ok(watcher::Event::InitDone) => {
                self.shelf.reset(&std::mem::take(&mut self.listing));
                self.listed.send_replace(true);
            }
            Ok(watcher::Event::Apply(map)) => self.shelf.put(&map),
            Ok(watcher::Event::Delete(map)) => self.shelf.remove(&map.name_any()),
            Err(_) => {}
        }
    }

    /// Tends, and says what is new about that; `false`: it failed.
    async fn try_to_tend(&mut self) -> bool {
        let Err(error) = self.tend().await else {
            if self.untended.over() {
                info!("modules are kept as they should be again");
            }
            return true;
        };
        let error = sentence(&error);
        if self.untended.on(&error, Instant::now()) {
            warn!(error, "modules are not kept as they should be; tried again");
        }
        false
    }

    /// Stores our own module, and collects what nothing has named for long enough.
    async fn tend(&mut self) -> kube::Result<()> {
        let (stored, own_name) = (self.shelf.stored(), shelf::name(&self.own.sha256));
        match stored.get(&own_name) {
            Some(Stored::Module(sha256, _)) if *sha256 == self.own.sha256 => {}
            known => {
                if known.is_some() {
                    // It cannot be changed, so it is made anew.
                    self.delete(&own_name).await?;
                }
                self.store().await?;
            }
        }
        let now = Instant::now();
        self.unnamed.retain(|name, _| stored.contains_key(name));
        for (name, stored) in &stored {
            let named = match stored {
                _ if *name == own_name => true,
                Stored::Module(sha256, _) => self.is_named(sha256).await?,
                Stored::Damaged => false,
            };
            if named {
                self.unnamed.remove(name);
                continue;
            }
            let since = *self.unnamed.entry(name.clone()).or_insert(now);
            if now.saturating_duration_since(since) >= self.keep {
                self.delete(name).await?;
                info!(name, "collected: nothing names this module any more");
                self.unnamed.remove(name);
            }
        }
        Ok(())
    }

    async fn store(&self) -> kube::Result<()> {
        let map = shelf::config_map(&self.own);
        let params =
            PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        match self.maps.create(&params, &map).await {
            Ok(map) => {
                info!(name = map.name_any(), "the module is stored for all replicas");
                self.shelf.put(&map);
                Ok(())
            }
            // The watch has not told us of it yet.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Does any plugin name the module?
    async fn is_named(&self, sha256: &str) -> kube::Result<bool> {
        let selector = format!("{MODULE_LABEL}={}", short(sha256));
        let params = ListParams::default().labels(&selector).limit(1);
        Ok(!self.plugins.list_metadata(&params).await?.items.is_empty())
    }

    async fn delete(&self, name: &str) -> kube::Result<()> {
        match self.maps.delete(name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
        self.shelf.remove(name);
        Ok(())
    }
}
