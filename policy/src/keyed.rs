//! `Keyed`: values by a byte string that a policy author wrote, found by hash, in the order in which they came.
//!
//! All share one hash table type, whatever their values are: the filter's module holds its code once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Values by key.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<V> {
    // INVARIANT: every place is an index into `values`.
    places: HashMap<Box<[u8]>, usize, BuildHasherDefault<Fnv1a>>,
    values: Vec<V>,
}

/// FNV-1a, 64 bits: fast on short keys, the same in every process. Clients choose what is looked up, never what is
/// stored, so they cannot send a flood of colliding keys.
#[derive(Clone, Copy)]
pub(crate) struct Fnv1a(u64);

// === impl Keyed ===

impl<V> Default for Keyed<V> {
    fn default() -> Self {
        Self { places: HashMap::default(), values: Vec::new() }
    }
}

impl<V> Keyed<V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.places.get(key).and_then(|&place| self.values.get(place))
    }

    /// The value of `key`, made by `default` where there is none.
    pub(crate) fn entry(&mut self, key: &[u8], default: impl FnOnce() -> V) -> Option<&mut V> {
        let next = self.values.len();
        let place = self.places.get(key).copied().unwrap_or(next);
        if place == next {
            self.places.insert(key.into(), place);
            self.values.push(default());
        }
        self.values.get_mut(place)
    }

    /// The value that came first.
    pub(crate) fn first(&self) -> Option<&V> {
        self.values.first()
    }
}

// === impl Fnv1a ===

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv1a {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_of_a_key_stays() {
        let mut keyed = Keyed::default();
        for (key, value) in [("a", 1), ("b", 2), ("a", 3)] {
            keyed.entry(key.as_bytes(), || value);
        }
        assert_eq!((keyed.get(b"a"), keyed.get(b"b"), keyed.get(b"c")), (Some(&1), Some(&2), None));
        assert_eq!(keyed.first(), Some(&1));
    }
}
