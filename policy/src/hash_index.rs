//! `HashIndex`: values by a byte string that a policy author wrote, found by hash, in order of insertion.
//!
//! It replaces the standard library's map because the filter's module must be small: one look-up serves every type of
//! value, and nothing is removed.

/// Values by key.
#[derive(Clone, Debug)]
pub(crate) struct HashIndex<V> {
    places: Places,
    values: Vec<V>,
}

/// The place of each key, by open addressing with linear probing, or by order where too many keys collide.
#[derive(Clone, Debug, Default)]
struct Places {
    /// By place.
    keys: Vec<Box<[u8]>>,
    // INVARIANT: empty, or a power of two long and at most half full, and each is 0 or one more than a place; where
    // `ordered`, all places in the order of their keys.
    buckets: Vec<usize>,
    /// Whether too many keys collided: an author chose them so.
    ordered: bool,
}

/// Buckets of a table with its first key.
const FIRST_BUCKETS: usize = 4;

/// Most buckets that a look-up of one key visits. Keys that were not chosen to collide need fewer than half of them, up
/// to a million keys in a table that is half full.
const MAX_PROBES: usize = 128;

// === impl HashIndex ===

impl<V> Default for HashIndex<V> {
    fn default() -> Self {
        Self { places: Places::default(), values: Vec::new() }
    }
}

impl<V> HashIndex<V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.values.get(self.places.find(key)?)
    }

    /// Returns the value of `key`, inserted by `default` if it is missing.
    pub(crate) fn entry(&mut self, key: &[u8], default: impl FnOnce() -> V) -> Option<&mut V> {
        let place = self.places.find_or_insert(key);
        if place == self.values.len() {
            self.values.push(default());
        }
        self.values.get_mut(place)
    }
}

// === impl Places ===

impl Places {
    fn find(&self, key: &[u8]) -> Option<usize> {
        if self.ordered {
            return self.buckets.get(self.place_in_order(key).ok()?).copied();
        }
        if self.keys.is_empty() {
            return None;
        }
        let bucket = *self.buckets.get(self.bucket_of(key)?)?;
        bucket.checked_sub(1)
    }

    fn find_or_insert(&mut self, key: &[u8]) -> usize {
        if let Some(place) = self.find(key) {
            return place;
        }
        let place = self.keys.len();
        self.keys.push(key.into());
        if self.ordered {
            self.put_in_order(place);
        } else if self.keys.len().saturating_mul(2) > self.buckets.len() {
            self.grow();
        } else {
            self.fill(place);
        }
        place
    }

    fn grow(&mut self) {
        let len = self.buckets.len().saturating_mul(2).max(FIRST_BUCKETS);
        self.buckets = vec![0; len];
        for place in 0..self.keys.len() {
            // Too many keys collide: `fill` has put all of them in order.
            if !self.ordered {
                self.fill(place);
            }
        }
    }

    fn fill(&mut self, place: usize) {
        let at = self.keys.get(place).and_then(|key| self.bucket_of(key));
        match at.and_then(|at| self.buckets.get_mut(at)) {
            Some(bucket) => *bucket = place.saturating_add(1),
            None => self.order(),
        }
    }

    /// Returns the bucket of `key`, or the empty one for it; `None` if neither is within [`MAX_PROBES`].
    fn bucket_of(&self, key: &[u8]) -> Option<usize> {
        let mask = self.buckets.len().wrapping_sub(1);
        let mut at = hash(key) & mask;
        for _ in 0..MAX_PROBES {
            let Some(place) = self.buckets.get(at)?.checked_sub(1) else {
                return Some(at);
            };
            if self.keys.get(place).is_some_and(|present| **present == *key) {
                return Some(at);
            }
            at = at.wrapping_add(1) & mask;
        }
        None
    }

    #[cold]
    fn order(&mut self) {
        self.ordered = true;
        self.buckets = Vec::with_capacity(self.keys.len());
        for place in 0..self.keys.len() {
            self.put_in_order(place);
        }
    }

    fn put_in_order(&mut self, place: usize) {
        let at = self.keys.get(place).and_then(|key| self.place_in_order(key).err());
        if let Some(at) = at {
            self.buckets.insert(at, place);
        }
    }

    fn place_in_order(&self, key: &[u8]) -> Result<usize, usize> {
        self.buckets
            .binary_search_by(|place| self.keys.get(*place).map(|known| &**known).cmp(&Some(key)))
    }
}

/// Multiplicative hash, eight bytes at a time: fast on short keys, and equal in every process. Clients choose the keys
/// of look-ups, never the stored ones; stored keys that collide are kept in order, see [`MAX_PROBES`].
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
        let mut index = HashIndex::default();
        for (key, value) in [("a", 1), ("b", 2), ("a", 3)] {
            index.entry(key.as_bytes(), || value);
        }
        assert_eq!((index.get(b"a"), index.get(b"b"), index.get(b"c")), (Some(&1), Some(&2), None));
        assert_eq!(index.values.first(), Some(&1));
        assert_eq!(HashIndex::<()>::default().get(b"a"), None);
    }

    /// Keys with the same hash but for its upper half: both steps of it can be undone.
    fn colliding() -> impl Iterator<Item = [u8; 8]> {
        const INVERSE: u64 = 0xf1de_83e1_9937_733d;
        assert_eq!(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(INVERSE), 1);
        (0_u64..).map(|number| {
            let hash = (number << 32) | 7;
            let undo = |hash: u64| (hash ^ (hash >> 32)).wrapping_mul(INVERSE);
            let undone = undo(undo(hash)) ^ 8;
            undone.to_le_bytes()
        })
    }

    #[test]
    fn keys_that_were_chosen_to_meet_are_kept_in_order() {
        let mut index = HashIndex::default();
        for (number, key) in colliding().take(4_096).enumerate() {
            assert_eq!(hash(&key), 7);
            // Some that nobody chose are among them.
            index.entry(number.to_string().as_bytes(), || number);
            index.entry(&key, || number);
            assert!(!index.places.ordered || number > MAX_PROBES / 2, "{number}");
        }
        assert!(index.places.ordered);
        for (number, key) in colliding().take(4_096).enumerate() {
            assert_eq!(index.get(&key), Some(&number));
            assert_eq!(index.get(number.to_string().as_bytes()), Some(&number));
        }
        assert_eq!(colliding().nth(4_096).and_then(|key| index.get(&key).copied()), None);
        assert_eq!(index.get(b"4096"), None);
        assert_eq!(index.values.first(), Some(&0));
    }

    #[test]
    fn keys_that_nobody_chose_stay_in_their_buckets() {
        let mut index = HashIndex::default();
        for number in 0..50_000_usize {
            index.entry(format!("https://a{number}.example").as_bytes(), || ());
        }
        assert!(!index.places.ordered);
    }

    #[test]
    fn every_key_of_many_is_found_and_no_other() {
        let mut index = HashIndex::default();
        for number in 0..10_000_usize {
            index.entry(format!("https://a{number}.example").as_bytes(), || number);
        }
        for number in 0..10_000_usize {
            assert_eq!(index.get(format!("https://a{number}.example").as_bytes()), Some(&number));
            assert_eq!(index.get(format!("https://b{number}.example").as_bytes()), None);
        }
    }
}
