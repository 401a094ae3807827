//! Unique: lists without repetitions, in the order of the settings.

use std::collections::HashSet;
use std::hash::Hash;

/// Keeps the first item of each key.
pub(crate) fn unique_by<T, K: Eq + Hash>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut seen = HashSet::new();
    items.retain(|item| seen.insert(key(item)));
}
