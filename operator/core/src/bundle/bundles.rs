//! Bundles: a map from keys to bundles whose clones share what is the same in both, namespace by namespace.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Bundle, BundleKey};

/// Bundles by their keys, in the order of the keys. A clone costs as much as there are namespaces, and a change as much as there is in one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundles {
    /// The bundles of each namespace; none of them is empty.
    namespaces: BTreeMap<Arc<str>, Arc<OfNamespace>>,
}

type OfNamespace = BTreeMap<Arc<BundleKey>, Arc<Bundle>>;

// === impl Bundles ===

impl Bundles {
    /// The bundle of that key.
    pub fn get(&self, key: &BundleKey) -> Option<&Arc<Bundle>> {
        self.namespaces.get(namespace(key))?.get(key)
    }

    /// Is there a bundle of that key?
    pub fn contains_key(&self, key: &BundleKey) -> bool {
        self.get(key).is_some()
    }

    /// Puts a bundle in the place of that key.
    pub fn insert(&mut self, key: Arc<BundleKey>, bundle: Arc<Bundle>) {
        let namespace = namespace(&key);
        if let Some(of_namespace) = self.namespaces.get_mut(namespace) {
            Arc::make_mut(of_namespace).insert(key, bundle);
        } else {
            self.namespaces.insert(namespace.into(), Arc::new([(key, bundle)].into()));
        }
    }

    /// Removes the bundle of that key, and returns it.
    pub fn remove(&mut self, key: &BundleKey) -> Option<Arc<Bundle>> {
        let of_namespace = self.namespaces.get_mut(namespace(key))?;
        if !of_namespace.contains_key(key) {
            return None;
        }
        let removed = Arc::make_mut(of_namespace).remove(key);
        if of_namespace.is_empty() {
            self.namespaces.remove(namespace(key));
        }
        removed
    }

    /// Every bundle.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<BundleKey>, &Arc<Bundle>)> {
        self.namespaces.values().flat_map(|all| all.iter())
    }

    /// The bundles of one namespace, or of the place without one.
    pub(crate) fn of_namespace(
        &self,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&Arc<BundleKey>, &Arc<Bundle>)> {
        let namespace = namespace.unwrap_or_default();
        self.namespaces.get(namespace).into_iter().flat_map(|all| all.iter())
    }

    /// Every bundle, without its key.
    pub fn values(&self) -> impl Iterator<Item = &Arc<Bundle>> {
        self.iter().map(|(_, bundle)| bundle)
    }

    /// Is there no bundle?
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }

    /// The keys whose bundles do not say the same in `other`. What both share is not looked at: there may be thousands, and one changes.
    pub fn differing(&self, other: &Self) -> BTreeSet<BundleKey> {
        let nothing = OfNamespace::new();
        let mut keys = BTreeSet::new();
        for (before, after) in pairs(&self.namespaces, &other.namespaces) {
            let shared = before.zip(after).is_some_and(|(old, new)| Arc::ptr_eq(old, new));
            if shared {
                continue;
            }
            let [before, after] = [before, after].map(|all| all.map_or(&nothing, |all| &**all));
            keys.extend(differing(before, after));
        }
        keys
    }
}

#[cfg(test)]
impl FromIterator<(Arc<BundleKey>, Arc<Bundle>)> for Bundles {
    fn from_iter<I: IntoIterator<Item = (Arc<BundleKey>, Arc<Bundle>)>>(all: I) -> Self {
        let mut bundles = Self::default();
        all.into_iter().for_each(|(key, bundle)| bundles.insert(key, bundle));
        bundles
    }
}

#[cfg(test)]
impl std::ops::Index<&BundleKey> for Bundles {
    type Output = Arc<Bundle>;

    fn index(&self, key: &BundleKey) -> &Arc<Bundle> {
        self.get(key).expect("there is a bundle of that key")
    }
}

/// No namespace has an empty name: the bundle without one comes first, as its key does.
fn namespace(key: &BundleKey) -> &str {
    key.namespace().unwrap_or_default()
}

/// The keys whose bundles are not the same.
fn differing<'b>(
    before: &'b OfNamespace,
    after: &'b OfNamespace,
) -> impl Iterator<Item = BundleKey> + 'b {
    let same = |old: &Bundle, new: &Bundle| old.digest == new.digest;
    let of_before = before.iter().filter(move |(key, old)| {
        after.get(*key).is_none_or(|new| !Arc::ptr_eq(old, new) && !same(old, new))
    });
    let new = after.iter().filter(|(key, _)| !before.contains_key(*key));
    of_before.chain(new).map(|(key, _)| BundleKey::clone(key))
}

/// The values of each key in both maps, which are walked once.
fn pairs<'b, V>(
    before: &'b BTreeMap<Arc<str>, V>,
    after: &'b BTreeMap<Arc<str>, V>,
) -> impl Iterator<Item = (Option<&'b V>, Option<&'b V>)> {
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((before, _)), Some((after, _))) => before.cmp(after),
        };
        let old = if order.is_le() { before.next() } else { None };
        let new = if order.is_ge() { after.next() } else { None };
        Some((old.map(|(_, value)| value), new.map(|(_, value)| value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::TargetProxies;

    fn workloads(namespace: &str, app: &str) -> BundleKey {
        let labels = Arc::new([("app".to_owned(), app.to_owned())].into());
        BundleKey::new(namespace, TargetProxies::Workloads(labels))
    }

    fn gateway(namespace: &str, name: &str) -> BundleKey {
        BundleKey::new(namespace, TargetProxies::Gateway(name.to_owned()))
    }

    fn insert(bundles: &mut Bundles, key: &BundleKey, text: &str) {
        let bundle = Bundle::new(key.clone(), text.to_owned());
        bundles.insert(Arc::new(key.clone()), Arc::new(bundle));
    }

    #[test]
    fn they_are_as_one_map_and_in_its_order() {
        let keys = [
            gateway("a", "edge"),
            workloads("b", "y"),
            BundleKey::All,
            workloads("a", "x"),
            gateway("b", "edge"),
            workloads("b", "x"),
        ];
        let mut bundles = Bundles::default();
        let mut sorted = BTreeSet::new();
        for key in &keys {
            insert(&mut bundles, key, "1");
            sorted.insert(key.clone());
        }
        assert_eq!(bundles.len(), keys.len());
        assert!(bundles.iter().map(|(key, _)| &**key).eq(&sorted));
        for key in &keys {
            assert_eq!(bundles[key].key, *key);
            assert!(bundles.remove(key).is_some() && !bundles.contains_key(key));
            assert!(bundles.remove(key).is_none());
        }
        assert!(bundles.is_empty());
        assert_eq!(bundles, Bundles::default());
    }

    #[test]
    fn what_differs_is_what_says_something_else_or_is_in_one_only() {
        let keys = [workloads("a", "x"), workloads("a", "y"), workloads("b", "x")];
        let mut before = Bundles::default();
        for key in &keys {
            insert(&mut before, key, "1");
        }
        let mut after = before.clone();
        assert_eq!(before.differing(&after), BTreeSet::new());
        insert(&mut after, &keys[0], "1");
        assert_eq!(before.differing(&after), BTreeSet::new(), "the same, made anew");
        insert(&mut after, &keys[0], "2");
        after.remove(&keys[2]);
        insert(&mut after, &gateway("c", "edge"), "1");
        let want = [keys[0].clone(), keys[2].clone(), gateway("c", "edge")];
        assert_eq!(before.differing(&after), want.clone().into());
        assert_eq!(after.differing(&before), want.into());
    }
}
