//! `FieldValue`: a field value that is joined once. Most are short, and then take nothing from the heap.

/// A field value; empty: not sent.
#[derive(Clone, Debug)]
pub(crate) enum FieldValue {
    /// The first bytes of an array.
    Short { bytes: [u8; Self::SHORT], len: u8 },
    /// Longer than that.
    Long(Vec<u8>),
}

// === impl FieldValue ===

impl FieldValue {
    /// As many bytes as make all values as large as four words of 64 bits.
    const SHORT: usize = 30;

    /// Returns a number.
    pub(crate) fn of_number(number: u32) -> Self {
        let mut value = Self::default();
        value.push_number(number);
        value
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { bytes, len } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }

    /// Adds an element to a list.
    pub(crate) fn join(&mut self, element: &str) {
        if !self.as_bytes().is_empty() {
            self.push(b", ");
        }
        self.push(element.as_bytes());
    }

    fn push_number(&mut self, number: u32) {
        if number > 9 {
            self.push_number(number / 10);
        }
        self.push(&[b'0' | u8::try_from(number % 10).unwrap_or_default()]);
    }

    fn push(&mut self, more: &[u8]) {
        match self {
            Self::Long(bytes) => bytes.extend_from_slice(more),
            Self::Short { bytes, len } => {
                let begin = usize::from(*len);
                let end = begin.saturating_add(more.len());
                if let Some(place) = bytes.get_mut(begin..end) {
                    place.iter_mut().zip(more).for_each(|(to, from)| *to = *from);
                    *len = u8::try_from(end).unwrap_or(*len);
                } else {
                    let mut bytes = self.as_bytes().to_vec();
                    bytes.extend_from_slice(more);
                    *self = Self::Long(bytes);
                }
            }
        }
    }
}

impl Default for FieldValue {
    fn default() -> Self {
        Self::Short { bytes: [0; Self::SHORT], len: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_any_length_is_joined_by_commas() {
        for count in 0..40 {
            for len in [1, 2, 13, 30, 31, 300] {
                let elements: Vec<String> = (0..count).map(|_| "x".repeat(len)).collect();
                let mut value = FieldValue::default();
                for element in &elements {
                    value.join(element);
                }
                assert_eq!(value.as_bytes(), elements.join(", ").as_bytes());
            }
        }
    }

    #[test]
    fn a_number_is_its_digits() {
        for number in [0, 9, 10, 600, 86_400, u32::MAX] {
            assert_eq!(FieldValue::of_number(number).as_bytes(), number.to_string().as_bytes());
        }
    }
}
