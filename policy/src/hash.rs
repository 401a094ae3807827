//! A hash for keys that policy authors write: fast on short keys, the same in every process.
//!
//! Clients choose what is looked up, never what is stored, so no flood of colliding keys can be sent.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map with deterministic hashing.
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fnv1a>>;

/// A set with deterministic hashing.
pub(crate) type Set<K> = HashSet<K, BuildHasherDefault<Fnv1a>>;

/// FNV-1a, 64 bits.
#[derive(Clone, Copy)]
pub(crate) struct Fnv1a(u64);

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
