//! Fingerprints: short names for sets of sources. Equal sources have equal fingerprints.

use std::fmt::{self, Display, Formatter, Write as _};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

/// Digits of the digest, enough to tell artifacts of one machine apart.
const DIGITS: usize = 12;

/// A fingerprint of all that was added to it, in that order.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint(Sha256);

// === impl Fingerprint ===

impl Fingerprint {
    /// Adds a word: a version, a name.
    pub fn word(mut self, word: &str) -> Self {
        self.add(word.as_bytes());
        self
    }

    /// Adds a file, or all files of a folder: their names and what they hold.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be read.
    pub fn tree(mut self, path: &Path) -> Result<Self> {
        let unread = || format!("cannot read {}", path.display());
        if !path.is_dir() {
            self.add(path.file_name().unwrap_or_default().as_encoded_bytes());
            self.add(&fs::read(path).with_context(unread)?);
            return Ok(self);
        }
        let mut entries = fs::read_dir(path)
            .and_then(|entries| {
                entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>()
            })
            .with_context(unread)?;
        entries.sort();
        entries.iter().try_fold(self, |all, entry| all.tree(entry))
    }

    /// Each part with its length, so that no two lists of parts look alike.
    fn add(&mut self, part: &[u8]) {
        self.0.update(part.len().to_le_bytes());
        self.0.update(part);
    }
}

impl Display for Fingerprint {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut digits = String::new();
        for byte in self.0.clone().finalize() {
            write!(digits, "{byte:02x}")?;
        }
        out.write_str(&digits[..DIGITS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_changes_with_every_part_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, text: &str| {
            let inner = folder.path().join("inner");
            let _ = fs::remove_dir_all(&inner);
            fs::create_dir(&inner).unwrap();
            fs::write(inner.join(name), text).unwrap();
            let words = Fingerprint::default().word("1.34.2");
            words.tree(folder.path()).unwrap().to_string()
        };
        let first = of("a", "text");
        assert_eq!(first.len(), DIGITS);
        assert_eq!(first, of("a", "text"));
        assert_ne!(first, of("b", "text"), "another name");
        assert_ne!(first, of("a", "other"), "another text");
        assert_ne!(
            Fingerprint::default().word("ab").word("c").to_string(),
            Fingerprint::default().word("a").word("bc").to_string(),
            "the same letters"
        );
    }
}
