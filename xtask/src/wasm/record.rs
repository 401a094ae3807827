//! A record of the inputs of the finished module, so that unchanged inputs are not built again.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{OPTIONS, exports};
use crate::tools;

/// Bytes after each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) cargo: u64,
    pub(super) stripped: u64,
    pub(super) finished: u64,
}

/// The file beside the module: its key and the sizes.
pub(super) struct Record(PathBuf);

/// Names what cargo built together with everything that is done to it.
pub(super) fn key(built: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    built.hash(&mut hasher);
    exports::KEPT.hash(&mut hasher);
    OPTIONS.hash(&mut hasher);
    tools::BINARYEN_VERSION.hash(&mut hasher);
    env::var_os("WASM_OPT_BIN").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

// === impl Record ===

impl Record {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.join("corsward_filter.made-from"))
    }

    /// The sizes, if the module was made from `key`.
    pub(super) fn read(&self, key: &str) -> Option<Sizes> {
        let line = fs::read_to_string(&self.0).ok()?;
        let mut words = line.split_whitespace();
        if words.next()? != key {
            return None;
        }
        let mut size = || words.next()?.parse().ok();
        Some(Sizes { cargo: size()?, stripped: size()?, finished: size()? })
    }

    /// Call it when the module is in its place: until then the old key holds for the old module.
    pub(super) fn write(&self, key: &str, sizes: Sizes) -> Result<()> {
        let Sizes { cargo, stripped, finished } = sizes;
        Ok(fs::write(&self.0, format!("{key} {cargo} {stripped} {finished}\n"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_for_its_own_module_only() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record::new(folder.path());
        let sizes = Sizes { cargo: 3, stripped: 2, finished: 1 };
        assert_eq!(record.read(&key(b"one")), None, "nothing was made yet");
        record.write(&key(b"one"), sizes).unwrap();
        assert_eq!(record.read(&key(b"one")), Some(sizes));
        assert_eq!(record.read(&key(b"two")), None, "made from something else");
    }
}
