//! `file:DIR`: an ECDS resource file, replaced whole on every change and never removed.

use std::io;
use std::path::PathBuf;

use corsward_operator_core::bundle::{Bundle, BundleKey};
use corsward_operator_core::publish::ecds;

use crate::atomic;
use crate::publish::Published;

/// Longest resource file that is read: more than the longest that is published, however its text is escaped.
const MAX_LEN: u64 = 16 * 1024 * 1024;

/// A folder of ECDS resource files.
#[derive(Debug)]
pub struct File {
    dir: PathBuf,
    module: String,
}

// === impl File ===

impl File {
    /// Resource files in `dir`, for an Envoy that finds the filter's module at `module`.
    #[must_use]
    pub fn new(dir: PathBuf, module: String) -> Self {
        Self { dir, module }
    }

    /// True if the resource file may hold policies. A file that cannot be understood may.
    ///
    /// An Envoy does not start without the file, so it is often there before the operator: with a filter that does nothing.
    #[must_use]
    pub fn may_hold_policies(&self) -> bool {
        match atomic::read(&self.path(&BundleKey::All), MAX_LEN) {
            Ok(bytes) => !ecds::holds_no_policy(&bytes),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    fn path(&self, key: &BundleKey) -> PathBuf {
        self.dir.join(format!("{}.yaml", key.object_name()))
    }

    /// Publishes a bundle, unless it is there already.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written. The previous content stays.
    pub fn publish(&self, bundle: &Bundle) -> io::Result<Published> {
        let path = self.path(&bundle.key);
        let resource = ecds::resource(bundle, &self.module);
        if atomic::holds(&path, resource.as_bytes()) {
            return Ok(Published::Unchanged);
        }
        atomic::write(&path, resource.as_bytes())?;
        Ok(Published::Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn bundle(compiled: &str) -> Bundle {
        Bundle::new(BundleKey::All, compiled.to_owned())
    }

    #[test]
    fn equal_bytes_are_written_once_and_repaired_when_lost() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::new(dir.path().to_owned(), "filter.wasm".into());
        let path = dir.path().join("corsward.yaml");
        for (why, before, compiled, want) in [
            ("new", None, "1", Published::Written),
            ("the same", None, "1", Published::Unchanged),
            ("changed", None, "2", Published::Written),
            ("somebody else's hand", Some("x"), "2", Published::Written),
        ] {
            if let Some(before) = before {
                fs::write(&path, before).unwrap();
            }
            assert_eq!(file.publish(&bundle(compiled)).unwrap(), want, "{why}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(file.publish(&bundle("2")).unwrap(), Published::Written, "removed");
        let names: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["corsward.yaml"], "nothing else is left");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let file = File::new("/dev/null/nowhere".into(), "filter.wasm".into());
        assert!(file.publish(&bundle("1")).is_err());
    }
}
