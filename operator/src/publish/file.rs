//! `file:DIR`: an ECDS resource file, replaced whole on every change and never removed.

use std::io;
use std::path::PathBuf;

use crate::atomic;
use crate::plan::Attachment;
use crate::publish::{Published, ecds};

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

    pub(super) fn path(&self, attachment: &Attachment) -> PathBuf {
        self.dir.join(format!("{}.yaml", attachment.name))
    }

    pub(super) fn publish(&self, attachment: &Attachment) -> io::Result<Published> {
        let path = self.path(attachment);
        let resource = ecds::resource(attachment, &self.module);
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

    fn attachment(compiled: &str) -> Attachment {
        let (name, digest) = ("corsward".to_owned(), format!("sha256:{}", "0".repeat(64)));
        Attachment { name, compiled: compiled.to_owned(), digest }
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
            assert_eq!(file.publish(&attachment(compiled)).unwrap(), want, "{why}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(file.publish(&attachment("2")).unwrap(), Published::Written, "removed");
        let names: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["corsward.yaml"], "nothing else is left");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let file = File::new("/dev/null/nowhere".into(), "filter.wasm".into());
        assert!(file.publish(&attachment("1")).is_err());
    }
}
