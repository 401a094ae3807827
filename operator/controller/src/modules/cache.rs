//! Cache: every module that this replica knows, each checked against its digest before it counts.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use axum::body::Bytes;
use corsward_operator_core::bundle::hex;
use corsward_operator_core::filter_module::{MODULE_LABEL, short};
use corsward_operator_core::names::MANAGED_BY;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::ObjectMeta;
use tracing::warn;

use crate::modules::LocalModule;

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
    pub(super) own: LocalModule,
    stored: RwLock<BTreeMap<String, Stored>>,
}

/// The content of a `ConfigMap`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stored {
    /// The module of this digest.
    Module(String, Bytes),
    /// Not what its annotation says.
    Damaged,
}

// === impl ModuleCache ===

impl ModuleCache {
    pub(super) fn new(own: LocalModule) -> Self {
        Self { own, stored: RwLock::default() }
    }

    /// The module of that digest.
    pub(super) fn get(&self, sha256: &str) -> Option<Bytes> {
        if sha256 == self.own.sha256 {
            return Some(self.own.bytes.clone());
        }
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        stored.values().find_map(|stored| match stored {
            Stored::Module(known, bytes) if known == sha256 => Some(bytes.clone()),
            _ => None,
        })
    }

    /// The contents of the `ConfigMap`s, by their names.
    pub(super) fn stored(&self) -> BTreeMap<String, Stored> {
        self.stored.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in a `ConfigMap`.
    pub(super) fn put(&self, map: &ConfigMap) {
        let (name, stored) = (map.name_any(), Stored::of(map));
        if stored == Stored::Damaged {
            warn!(
                name,
                "the ConfigMap does not hold the module that it names: the module is not served"
            );
        }
        let mut known = self.stored.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_CACHED && !known.contains_key(&name) {
            warn!(name, "more than {MAX_CACHED} modules: this one is not served; delete some");
            return;
        }
        known.insert(name, stored);
    }

    /// A `ConfigMap` is gone.
    pub(super) fn remove(&self, name: &str) {
        self.stored.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// These are there, and no others.
    pub(super) fn reset(&self, maps: &[ConfigMap]) {
        self.stored.write().unwrap_or_else(PoisonError::into_inner).clear();
        for map in maps {
            self.put(map);
        }
    }
}

// === impl Stored ===

impl Stored {
    fn of(map: &ConfigMap) -> Self {
        let bytes = map.binary_data.as_ref().and_then(|data| data.get(FILE));
        let said = map.annotations().get(DIGEST_ANNOTATION);
        match (bytes, said) {
            (Some(ByteString(bytes)), Some(said)) if hex(bytes) == *said => {
                Self::Module(said.clone(), Bytes::copy_from_slice(bytes))
            }
            _ => Self::Damaged,
        }
    }
}

/// The name of the `ConfigMap` that holds the module of this digest.
pub(super) fn name(sha256: &str) -> String {
    format!("corsward-module-{}", short(sha256))
}

/// The `ConfigMap` that holds a module.
pub(super) fn config_map(own: &LocalModule) -> ConfigMap {
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

    pub(super) fn own(bytes: &[u8]) -> LocalModule {
        LocalModule { sha256: hex(bytes), bytes: Bytes::copy_from_slice(bytes) }
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
        assert_eq!(cache.stored()[&name(&theirs.sha256)], Stored::Damaged);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let cache = ModuleCache::new(own(b"ours"));
        for n in 0..100_u8 {
            cache.put(&config_map(&own(&[n])));
        }
        assert_eq!(cache.stored().len(), MAX_CACHED);
        cache.reset(&[config_map(&own(b"a"))]);
        assert_eq!(cache.stored().len(), 1);
    }
}
