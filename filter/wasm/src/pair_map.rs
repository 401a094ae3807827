//! Pair map: names with their values, in the form in which a proxy hands them to a module.

use corsward_filter_engine::Labels;

/// The headers of a message, or a proxy's own labels.
///
/// In little-endian numbers of four bytes: how many pairs there are, then the lengths of each name and value; then the names and
/// values themselves, each followed by a zero byte. All of it stays the one allocation that it came in: nothing but the value
/// that is looked for is worth a copy.
#[derive(Debug, Default)]
pub(crate) struct PairMap(Vec<u8>);

/// The bytes of a number.
const NUMBER: usize = 4;

// === impl PairMap ===

impl PairMap {
    pub(crate) fn new(map: Vec<u8>) -> Self {
        Self(map)
    }

    /// Writes pairs.
    pub(crate) fn of<'p>(pairs: impl Iterator<Item = (&'static str, &'p [u8])>) -> Self {
        let number = |len: usize| u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        let (mut lengths, mut texts) = (Vec::new(), Vec::new());
        for (name, value) in pairs {
            for text in [name.as_bytes(), value] {
                lengths.extend_from_slice(&number(text.len()));
                texts.extend_from_slice(text);
                texts.push(0);
            }
        }
        let mut map = number(lengths.len() / (2 * NUMBER)).to_vec();
        map.append(&mut lengths);
        map.append(&mut texts);
        Self(map)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value of the first pair with a name. Bytes that are no map have none, nor has a name that is no text of ours.
    pub(crate) fn find(&self, wanted: &[u8]) -> Option<&[u8]> {
        let (count, rest) = self.0.split_first_chunk::<NUMBER>()?;
        let (lengths, texts) = rest.split_at_checked(length(*count).checked_mul(2 * NUMBER)?)?;
        let mut begin: usize = 0;
        for [name, value] in lengths.as_chunks::<NUMBER>().0.as_chunks::<2>().0 {
            let (name, value) = (length(*name), length(*value));
            // Sums that overflow lead out of the map, or to a wrong value in it: no host writes such lengths.
            let end = begin.wrapping_add(name);
            let begin_of_value = end.wrapping_add(1);
            let end_of_value = begin_of_value.wrapping_add(value);
            if name == wanted.len() && texts.get(begin..end) == Some(wanted) {
                return texts.get(begin_of_value..end_of_value);
            }
            begin = end_of_value.wrapping_add(1);
        }
        None
    }
}

impl Labels for PairMap {
    fn has(&self, key: &str, value: &str) -> bool {
        self.find(key.as_bytes()) == Some(value.as_bytes())
    }
}

/// Too long for this machine is too long for any map.
fn length(bytes: [u8; NUMBER]) -> usize {
    usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [(&str, &[u8]); 3] =
        [("app.kubernetes.io/name", b"api"), ("empty", b""), ("odd", b"\xff\0")];

    #[test]
    fn a_label_is_found_by_its_key_and_value() {
        let labels = PairMap::of(LABELS.into_iter());
        for (why, key, value, want) in [
            ("the first", "app.kubernetes.io/name", "api", true),
            ("another value", "app.kubernetes.io/name", "ap", false),
            ("an empty value", "empty", "", true),
            ("another than an empty value", "empty", "x", false),
            ("a label that is not there has no empty value", "other", "", false),
            ("bytes that are no text", "odd", "", false),
            ("a part of a key", "app", "api", false),
        ] {
            assert_eq!(labels.has(key, value), want, "{why}");
        }
        for map in [PairMap::of([].into_iter()), PairMap::default()] {
            assert!(!map.has("app", ""));
        }
    }

    #[test]
    fn bytes_that_are_no_map_have_no_labels_beyond_what_can_be_read() {
        let map = PairMap::of(LABELS.into_iter()).as_bytes().to_vec();
        for len in 0..map.len() {
            let labels = PairMap::new(map[..len].to_vec());
            assert!(!labels.has("other", ""), "{len}");
        }
        for at in 0..map.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut map = map.clone();
                map[at] = byte;
                let _ = PairMap::new(map).has("odd", "x");
            }
        }
        assert!(!PairMap::new(vec![0xff; 64]).has("app", ""));
    }
}
