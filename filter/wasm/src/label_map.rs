//! Label map: the labels with which the proxy was started, as it gives them: a map in the calling convention's form.

use corsward_filter_engine::Labels;

/// A proxy's own labels.
///
/// In little-endian numbers of four bytes: how many there are, then the lengths of each key and value; then the keys and
/// values themselves, each followed by a zero byte. All of them at once, because a label that is asked for by its key
/// looks like none where its value is empty.
#[derive(Debug, Default)]
pub(crate) struct LabelMap(Vec<u8>);

// === impl LabelMap ===

impl LabelMap {
    pub(crate) fn new(map: Vec<u8>) -> Self {
        Self(map)
    }

    fn find(&self, wanted: &[u8]) -> Option<&[u8]> {
        let (count, rest) = self.0.split_first_chunk()?;
        let lengths_len = length(*count).checked_mul(8)?;
        let (mut lengths, mut rest) = rest.split_at_checked(lengths_len)?;
        loop {
            let (key, value);
            (key, lengths, rest) = text(lengths, rest)?;
            (value, lengths, rest) = text(lengths, rest)?;
            if key == wanted {
                return Some(value);
            }
        }
    }
}

impl Labels for LabelMap {
    /// Bytes that are no map have no label.
    fn has(&self, key: &str, value: &str) -> bool {
        self.find(key.as_bytes()) == Some(value.as_bytes())
    }
}

/// The next key or value, the lengths after its own, and what follows its zero byte.
fn text<'m>(lengths: &'m [u8], rest: &'m [u8]) -> Option<(&'m [u8], &'m [u8], &'m [u8])> {
    let (len, lengths) = lengths.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(length(*len))?;
    Some((text, lengths, rest.get(1..)?))
}

/// Too long for this machine is too long for any map.
fn length(bytes: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [(&str, &[u8]); 3] =
        [("app.kubernetes.io/name", b"api"), ("empty", b""), ("odd", b"\xff\0")];

    /// A map as a proxy hands it over.
    fn map(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let number = |len: usize| u32::try_from(len).unwrap().to_le_bytes();
        let mut bytes = number(entries.len()).to_vec();
        for (key, value) in entries {
            bytes.extend([number(key.len()), number(value.len())].concat());
        }
        for (key, value) in entries {
            bytes.extend([key.as_bytes(), b"\0", value, b"\0"].concat());
        }
        bytes
    }

    #[test]
    fn a_label_is_found_by_its_key_and_value() {
        let labels = LabelMap::new(map(&LABELS));
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
        for map in [map(&[]), Vec::new()] {
            assert!(!LabelMap::new(map).has("app", ""));
        }
    }

    #[test]
    fn bytes_that_are_no_map_have_no_labels_beyond_what_can_be_read() {
        let map = map(&LABELS);
        for len in 0..map.len() {
            let labels = LabelMap::new(map[..len].to_vec());
            assert!(!labels.has("other", ""), "{len}");
        }
        for at in 0..map.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut map = map.clone();
                map[at] = byte;
                let _ = LabelMap::new(map).has("odd", "x");
            }
        }
        assert!(!LabelMap::new(vec![0xff; 64]).has("app", ""));
    }
}
