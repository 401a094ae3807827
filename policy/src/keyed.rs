//! `Keyed`: values by a byte string that a policy author wrote, found by hash, in the order in which they came.
//!
//! A table of our own, because the filter's module has to be small: the places are found by the same code whatever
//! the values are, and nothing is ever removed.

/// Values by key.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<V> {
    places: Places,
    values: Vec<V>,
}

/// Which key has which place: open addressing with linear probing.
#[derive(Clone, Debug, Default)]
struct Places {
    /// By place.
    keys: Vec<Box<[u8]>>,
    // INVARIANT: empty, or a power of two long and at most half full; each is 0 or one more than a place.
    buckets: Vec<usize>,
}

/// Buckets of a table with its first key.
const FIRST_BUCKETS: usize = 4;

// === impl Keyed ===

impl<V> Default for Keyed<V> {
    fn default() -> Self {
        Self { places: Places::default(), values: Vec::new() }
    }
}

impl<V> Keyed<V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.values.get(self.places.find(key)?)
    }

    /// The value of `key`, made by `default` where there is none.
    pub(crate) fn entry(&mut self, key: &[u8], default: impl FnOnce() -> V) -> Option<&mut V> {
        let place = self.places.find_or_insert(key);
        if place == self.values.len() {
            self.values.push(default());
        }
        self.values.get_mut(place)
    }

    /// The value that came first.
    pub(crate) fn first(&self) -> Option<&V> {
        self.values.first()
    }
}

// === impl Places ===

impl Places {
    fn find(&self, key: &[u8]) -> Option<usize> {
        if self.keys.is_empty() {
            return None;
        }
        let bucket = *self.buckets.get(self.bucket_of(key))?;
        bucket.checked_sub(1)
    }

    fn find_or_insert(&mut self, key: &[u8]) -> usize {
        if let Some(place) = self.find(key) {
            return place;
        }
        let place = self.keys.len();
        self.keys.push(key.into());
        if self.keys.len().saturating_mul(2) > self.buckets.len() {
            self.grow();
        } else {
            self.fill(key, place);
        }
        place
    }

    fn grow(&mut self) {
        let len = self.buckets.len().saturating_mul(2).max(FIRST_BUCKETS);
        self.buckets = vec![0; len];
        for (place, key) in std::mem::take(&mut self.keys).into_iter().enumerate() {
            self.fill(&key, place);
            self.keys.push(key);
        }
    }

    fn fill(&mut self, key: &[u8], place: usize) {
        let at = self.bucket_of(key);
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket = place.saturating_add(1);
        }
    }

    /// The bucket that holds `key`, or the empty one where it would be.
    fn bucket_of(&self, key: &[u8]) -> usize {
        let mask = self.buckets.len().wrapping_sub(1);
        let mut at = hash(key) & mask;
        while let Some(place) = self.buckets.get(at).and_then(|bucket| bucket.checked_sub(1)) {
            if self.keys.get(place).is_some_and(|present| **present == *key) {
                break;
            }
            at = at.wrapping_add(1) & mask;
        }
        at
    }
}

/// Multiplicative, eight bytes at a time: fast on short keys, the same in every process. Clients choose what is looked
/// up, never what is stored; an author who looks for colliding keys slows down the look-ups of one list, which is
/// bounded.
fn hash(key: &[u8]) -> usize {
    let (words, rest) = key.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let mut hash = key.len() as u64;
    for word in words.iter().chain([&last]) {
        // The golden ratio's bits; the shift brings what the high bits saw down to those that choose the bucket.
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    }
    usize::try_from(hash & 0xffff_ffff).unwrap_or(0)
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
        assert_eq!(Keyed::<()>::default().get(b"a"), None);
    }

    #[test]
    fn every_key_of_many_is_found_and_no_other() {
        let mut keyed = Keyed::default();
        for number in 0..10_000_usize {
            keyed.entry(format!("https://a{number}.example").as_bytes(), || number);
        }
        for number in 0..10_000_usize {
            assert_eq!(keyed.get(format!("https://a{number}.example").as_bytes()), Some(&number));
            assert_eq!(keyed.get(format!("https://b{number}.example").as_bytes()), None);
        }
    }
}
