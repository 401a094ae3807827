//! `HashIndex`: values by a byte string that a policy author wrote, found by hash, in order of insertion.
//!
//! It replaces the standard library's map because the filter's module must be small, and most policies have a few names of
//! each kind: one look-up serves every type of value, few keys take no table, and nothing is removed.

/// Values by key.
#[derive(Clone, Debug)]
pub(crate) struct HashIndex<V> {
    places: Places,
    values: Vec<V>,
}

/// The place of each key: by comparison where there are few, by open addressing with linear probing where there are more, and by
/// order where too many keys collide.
#[derive(Clone, Debug, Default)]
struct Places {
    /// All keys, one after the other.
    text: Vec<u8>,
    /// Where each key but the first begins in `text`, by place: most tables have one key.
    begins: Vec<u32>,
    /// How many keys there are.
    len: u32,
    // INVARIANT: empty, or a power of two long and at most half full, and each is 0 or one more than a place; where
    // `ordered`, all places in the order of their keys.
    buckets: Vec<u32>,
    /// Whether too many keys collided: an author chose them so.
    ordered: bool,
}

/// Most keys that are compared one by one.
pub(crate) const FEW: usize = 8;

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
        self.values.get(self.place(key)?)
    }

    /// Returns the place of `key`, in order of insertion.
    pub(crate) fn place(&self, key: &[u8]) -> Option<usize> {
        self.places.find(key)
    }

    /// Returns the key at a place.
    pub(crate) fn key(&self, place: usize) -> Option<&[u8]> {
        self.places.key(place).filter(|_| place < self.values.len())
    }

    /// Returns the value of `key`, inserted by `default` if it is missing.
    pub(crate) fn entry(&mut self, key: &[u8], default: impl FnOnce() -> V) -> Option<&mut V> {
        self.entry_of(&[key], default)
    }

    /// The same of a key in several parts.
    pub(crate) fn entry_of(
        &mut self,
        parts: &[&[u8]],
        default: impl FnOnce() -> V,
    ) -> Option<&mut V> {
        let place = self.places.find_or_insert(parts);
        if place == self.values.len() {
            self.values.push(default());
        }
        self.values.get_mut(place)
    }
}

// === impl Places ===

impl Places {
    fn find(&self, key: &[u8]) -> Option<usize> {
        if self.buckets.is_empty() {
            return self.compared(key);
        }
        let at = if self.ordered { self.place_in_order(key).ok() } else { self.bucket_of(key) };
        let place = self.buckets.get(at?).copied()?;
        let place = if self.ordered { place } else { place.checked_sub(1)? };
        Some(index(place))
    }

    /// Compares `key` with one known key after the other.
    fn compared(&self, key: &[u8]) -> Option<usize> {
        let mut begin = 0;
        (0..index(self.len)).find(|&place| {
            let end = self.end(place);
            let known = self.text.get(begin..end);
            begin = end;
            known == Some(key)
        })
    }

    /// Returns the key at a place that has one.
    fn key(&self, place: usize) -> Option<&[u8]> {
        let begin = place.checked_sub(1).and_then(|before| self.begins.get(before));
        let begin = begin.copied().map_or(0, index);
        self.text.get(begin..self.end(place))
    }

    /// Returns the end of the key at a place: where the next one begins, if there is one.
    fn end(&self, place: usize) -> usize {
        self.begins.get(place).copied().map_or(self.text.len(), index)
    }

    fn find_or_insert(&mut self, parts: &[&[u8]]) -> usize {
        let begin = self.text.len();
        let place = index(self.len);
        if place > 0 {
            self.begins.push(number(begin));
        }
        self.text.reserve(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            self.text.extend_from_slice(part);
        }
        let key = self.text.get(begin..).unwrap_or_default();
        // Sought once: the bucket has the place of the key, or takes it.
        let hashed = !self.buckets.is_empty() && !self.ordered;
        let at = hashed.then(|| self.bucket_of(key)).flatten();
        let found = at.and_then(|at| self.buckets.get(at)).copied();
        let known = match found {
            Some(found) => found.checked_sub(1).map(index),
            None => self.find(key),
        };
        if let Some(known) = known {
            self.text.truncate(begin);
            self.begins.truncate(place.saturating_sub(1));
            return known;
        }
        self.len = self.len.saturating_add(1);
        if self.ordered {
            self.put_in_order(place);
        } else if place >= FEW && index(self.len).saturating_mul(2) > self.buckets.len() {
            self.grow();
        } else if let Some(bucket) = at.and_then(|at| self.buckets.get_mut(at)) {
            *bucket = number(place.saturating_add(1));
        } else if place >= FEW {
            self.fill(place);
        }
        place
    }

    fn grow(&mut self) {
        let len = self.buckets.len().max(2 * FEW).saturating_mul(2);
        self.buckets = vec![0; len];
        for place in 0..index(self.len) {
            // Too many keys collide: `fill` has put all of them in order.
            if !self.ordered {
                self.fill(place);
            }
        }
    }

    fn fill(&mut self, place: usize) {
        let at = self.key(place).and_then(|key| self.bucket_of(key));
        match at.and_then(|at| self.buckets.get_mut(at)) {
            Some(bucket) => *bucket = number(place.saturating_add(1)),
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
            if self.key(index(place)) == Some(key) {
                return Some(at);
            }
            at = at.wrapping_add(1) & mask;
        }
        None
    }

    #[cold]
    fn order(&mut self) {
        self.ordered = true;
        self.buckets = Vec::with_capacity(index(self.len));
        for place in 0..index(self.len) {
            self.put_in_order(place);
        }
    }

    fn put_in_order(&mut self, place: usize) {
        let at = self.key(place).and_then(|key| self.place_in_order(key).err());
        if let Some(at) = at {
            self.buckets.insert(at, number(place));
        }
    }

    fn place_in_order(&self, key: &[u8]) -> Result<usize, usize> {
        self.buckets.binary_search_by(|place| self.key(index(*place)).cmp(&Some(key)))
    }
}

/// What is read or written is far shorter than a number of 32 bits can count.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

const fn index(number: u32) -> usize {
    number as usize
}

/// Multiplicative hash, eight bytes at a time: fast on short keys, and equal in every process. Clients choose the keys
/// of look-ups, never the stored ones; stored keys that collide are kept in order, see [`MAX_PROBES`].
fn hash(key: &[u8]) -> usize {
    let (words, rest) = key.as_chunks::<8>();
    let mut hash = key.len() as u64;
    for word in words {
        hash = mixed(hash, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        // The last eight bytes, of which some were there before; all bytes, where there are fewer.
        let last = key.last_chunk().copied().unwrap_or_else(|| {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            last
        });
        hash = mixed(hash, u64::from_le_bytes(last));
    }
    usize::try_from(hash & 0xffff_ffff).unwrap_or(0)
}

/// The golden ratio's bits; the shift brings what the high bits saw down to those that choose the bucket.
const fn mixed(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 32)
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

    /// Keys with the same hash but for its upper half: its one step can be undone.
    fn colliding() -> impl Iterator<Item = [u8; 8]> {
        const INVERSE: u64 = 0xf1de_83e1_9937_733d;
        assert_eq!(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(INVERSE), 1);
        (0_u64..).map(|number| {
            let hash = (number << 32) | 7;
            let undo = |hash: u64| (hash ^ (hash >> 32)).wrapping_mul(INVERSE);
            let undone = undo(hash) ^ 8;
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
            let key = format!("https://a{number}.example");
            assert_eq!(index.get(key.as_bytes()), Some(&number));
            assert_eq!(index.key(number), Some(key.as_bytes()));
            assert_eq!(index.get(format!("https://b{number}.example").as_bytes()), None);
        }
    }

    #[test]
    fn few_keys_are_found_as_many_are() {
        for count in 0..=4 * FEW {
            let mut index = HashIndex::default();
            let key = |number: usize| "x".repeat(number).into_bytes();
            for number in 0..count {
                index.entry(&key(number), || number);
                index.entry(&key(number), || usize::MAX);
            }
            for number in 0..count {
                assert_eq!(index.get(&key(number)), Some(&number), "{number} of {count}");
                assert_eq!(index.key(number), Some(key(number).as_slice()));
            }
            assert_eq!((index.get(&key(count)), index.key(count)), (None, None), "{count}");
            assert_eq!(index.places.buckets.is_empty(), count <= FEW);
        }
    }
}
