//! Last good: the bytes of the last good configuration of each filter of the process, by the filter's name.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Few names: those that the Envoy's own configuration gives to its filters.
static LAST_GOOD: Mutex<BTreeMap<Vec<u8>, Vec<u8>>> = Mutex::new(BTreeMap::new());

/// Returns the bytes that [`keep`] got last for a filter.
pub(crate) fn get(filter: &[u8]) -> Option<Vec<u8>> {
    LAST_GOOD.lock().unwrap_or_else(PoisonError::into_inner).get(filter).cloned()
}

/// Keeps the bytes of a good configuration.
pub(crate) fn keep(filter: &[u8], bytes: &[u8]) {
    let mut last_good = LAST_GOOD.lock().unwrap_or_else(PoisonError::into_inner);
    last_good.insert(filter.to_vec(), bytes.to_vec());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_of_a_process_has_a_last_good_one_of_its_own() {
        keep(b"corsward", b"one");
        keep(b"other", b"two");
        keep(b"corsward", b"three");
        assert_eq!(get(b"corsward").as_deref(), Some(&b"three"[..]));
        assert_eq!(get(b"other").as_deref(), Some(&b"two"[..]));
        assert_eq!(get(b"a third"), None);
    }
}
