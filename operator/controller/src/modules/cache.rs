//! Cache: every module that this replica knows, each checked against its digest before it counts.

use std::collections::BTreeMap;

use axum::body::Bytes;
use corsward_operator_core::filter_module::{MODULE_LABEL, short};
use corsward_operator_core::names::MANAGED_BY;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::ObjectMeta;
use tokio::sync::watch;
use tracing::warn;

use crate::modules::ServedModule;

/// The key of the module in its `ConfigMap`.
const FILE: &str = "filter.wasm";
/// The annotation with the whole digest.
const DIGEST_ANNOTATION: &str = "corsward.io/sha256";
/// Most modules kept in memory beside the own one. Releases come by the week; more modules than this with the operator's
/// label are an attack on its memory.
const MAX_CACHED: usize = 16;

/// Every module that this replica knows.
#[derive(Debug)]
pub(super) struct ModuleCache {
    pub(super) own: ServedModule,
    /// The modules in `ConfigMap`s, by the names of these; `None`: not what the annotation says.
    pub(super) stored: watch::Sender<BTreeMap<String, Option<ServedModule>>>,
}

// === impl ModuleCache ===

impl ModuleCache {
    pub(super) fn new(own: ServedModule) -> Self {
        Self { own, stored: watch::Sender::default() }
    }

    /// The module of that digest.
    pub(super) fn get(&self, sha256: &str) -> Option<Bytes> {
        let stored = self.stored.borrow();
        let mut known = stored.values().flatten().chain([&self.own]);
        known.find(|module| module.sha256 == sha256).map(|module| module.bytes.clone())
    }

    /// Takes in a `ConfigMap`.
    pub(super) fn put(&self, map: &ConfigMap) {
        let (name, module) = (map.name_any(), module(map));
        if module.is_none() {
            warn!(
                name,
                "the ConfigMap does not hold the module that it names: the module is not served"
            );
        }
        self.stored.send_modify(|stored| {
            if stored.len() >= MAX_CACHED && !stored.contains_key(&name) {
                warn!(name, "more than {MAX_CACHED} modules: this one is not served; delete some");
            } else {
                stored.insert(name, module);
            }
        });
    }

    /// A `ConfigMap` is gone.
    pub(super) fn remove(&self, name: &str) {
        self.stored.send_modify(|stored| drop(stored.remove(name)));
    }

    /// These are there, and no others.
    pub(super) fn reset(&self, maps: &[ConfigMap]) {
        self.stored.send_modify(BTreeMap::clear);
        for map in maps {
            self.put(map);
        }
    }
}

/// The module in a `ConfigMap`; `None`: not what the annotation says.
fn module(map: &ConfigMap) -> Option<ServedModule> {
    let ByteString(bytes) = map.binary_data.as_ref()?.get(FILE)?;
    let module = ServedModule::of(Bytes::copy_from_slice(bytes));
    map.annotations()
        .get(DIGEST_ANNOTATION)
        .is_some_and(|said| *said == module.sha256)
        .then_some(module)
}

/// The name of the `ConfigMap` that holds the module of this digest.
pub(super) fn name(sha256: &str) -> String {
    format!("corsward-module-{}", short(sha256))
}

/// The `ConfigMap` that holds a module.
pub(super) fn config_map(own: &ServedModule) -> ConfigMap {
    let label = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let labels = [MANAGED_BY, (MODULE_LABEL, short(&own.sha256))].map(label);
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name(&own.sha256)),
            labels: Some(labels.into()),
            annotations: Some([label((DIGEST_ANNOTATION, &own.sha256))].into()),
            ..ObjectMeta::default()
        },
        binary_data: Some([(FILE.to_owned(), ByteString(own.bytes.to_vec()))].into()),
        // A module never changes: another one has another name.
        immutable: Some(true),
        ..ConfigMap::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(bytes: &[u8]) -> ServedModule {
        ServedModule::of(bytes.to_vec())
    }

    #[test]
    fn a_module_is_found_by_its_digest_wherever_it_is_kept() {
        let (ours, theirs) = (own(b"ours"), own(b"theirs"));
        let cache = ModuleCache::new(ours.clone());
        assert_eq!(cache.get(&ours.sha256).as_deref(), Some(b"ours".as_slice()));
        assert_eq!(cache.get(&theirs.sha256), None);
        cache.put(&config_map(&theirs));
        assert_eq!(cache.get(&theirs.sha256).as_deref(), Some(b"theirs".as_slice()));
        cache.remove(&name(&theirs.sha256));
        assert_eq!(cache.get(&theirs.sha256), None);
    }

    #[test]
    fn bytes_of_another_digest_are_not_served() {
        let (ours, theirs) = (own(b"ours"), own(b"theirs"));
        let cache = ModuleCache::new(ours.clone());
        let mut map = config_map(&theirs);
        map.binary_data = Some([(FILE.to_owned(), ByteString(b"evil".to_vec()))].into());
        cache.put(&map);
        assert_eq!(cache.get(&theirs.sha256), None);
        assert!(cache.stored.borrow()[&name(&theirs.sha256)].is_none());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let cache = ModuleCache::new(own(b"ours"));
        for n in 0..100_u8 {
            cache.put(&config_map(&own(&[n])));
        }
        assert_eq!(cache.stored.borrow().len(), MAX_CACHED);
        cache.reset(&[config_map(&own(b"a"))]);
        assert_eq!(cache.stored.borrow().len(), 1);
    }
}
