//! Folder: the publisher into a folder of ECDS resource files, each replaced whole on every change and never removed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use corsward_operator_core::bundle::{Bundle, BundleKey, Desired, PublishStatus};
use corsward_operator_core::capabilities::{Capabilities, Reach, Replicas};
use corsward_operator_core::event::Event;
use corsward_operator_core::publish::ecds::{self, EnvoyModule};
use corsward_policy::wire;
use tracing::{error, info, warn};

use crate::atomic;
use crate::metrics::{Metrics, Outcome};
use crate::publish::{Publisher, RESYNC_INTERVAL};

/// Longest resource file that is read: more than the longest that is published, however its text is escaped.
const MAX_LEN: u64 = 16 * 1024 * 1024;

/// A folder of resource files, written where the executor is.
#[derive(Debug)]
pub struct FolderPublisher {
    dir: PathBuf,
    module: EnvoyModule,
    metrics: Arc<Metrics>,
    desired: Arc<Desired>,
    /// The desired bundles could not be published.
    failing: bool,
}

// === impl FolderPublisher ===

impl FolderPublisher {
    /// Resource files in `dir`, for an Envoy that runs the filter of `module`.
    pub fn new(dir: PathBuf, module: EnvoyModule, metrics: Arc<Metrics>) -> Self {
        Self { dir, module, metrics, desired: Arc::default(), failing: false }
    }

    /// True if the resource file may hold policies. A file that cannot be understood may.
    ///
    /// An Envoy does not start without the file, so it is often there before the operator: with a filter that does nothing.
    pub fn may_hold_policies(&self) -> bool {
        match atomic::read(&self.path(&BundleKey::All), MAX_LEN) {
            Ok(bytes) => !ecds::holds_no_policy(&bytes),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    fn path(&self, key: &BundleKey) -> PathBuf {
        self.dir.join(format!("{}.yaml", key.object_name()))
    }

    /// Writes a bundle, unless it is there already, to the byte. If it cannot be written, the previous content stays.
    fn put(&self, bundle: &Bundle) -> io::Result<Outcome> {
        let path = self.path(&bundle.key);
        let resource = ecds::resource(bundle, &self.module);
        if atomic::holds(&path, resource.as_bytes()) {
            return Ok(Outcome::Unchanged);
        }
        atomic::write(&path, resource.as_bytes())?;
        Ok(Outcome::Written)
    }

    /// Writes all desired bundles.
    fn write_all(&mut self) -> Vec<Event> {
        let desired = Arc::clone(&self.desired);
        self.failing = false;
        let publish_statuses = desired.bundles.iter().map(|(key, bundle)| {
            let error = self.write(bundle).err();
            if let Some(error) = &error {
                error!(%error, "not published; tried again every {RESYNC_INTERVAL:?}");
                self.metrics.published("file", Outcome::Failed);
                self.failing = true;
            }
            PublishStatus {
                key: (**key).clone(),
                digest: error.is_none().then(|| bundle.digest.clone()),
                error: error.map(|error| error.to_string()),
            }
        });
        vec![Event::Published(publish_statuses.collect())]
    }

    fn write(&self, bundle: &Bundle) -> io::Result<()> {
        let outcome = self.put(bundle)?;
        if outcome == Outcome::Written {
            let (digest, bytes) = (&*bundle.digest, bundle.compiled.len());
            let policies =
                wire::decode(&bundle.compiled).map_or(0, |compiled| compiled.policies().count());
            info!(digest, bytes, policies, "published");
        }
        self.metrics.published("file", outcome);
        Ok(())
    }

    /// Writes again after a foreign removal or change.
    fn repair(&self) {
        for bundle in self.desired.bundles.values() {
            match self.put(bundle) {
                Ok(Outcome::Unchanged) => {}
                Ok(outcome) => {
                    let digest = &*bundle.digest;
                    warn!(digest, "repaired a published file after a foreign change");
                    self.metrics.published("file", outcome);
                }
                Err(error) => {
                    error!(%error, "cannot repair a published file after a foreign change");
                    self.metrics.published("file", Outcome::Failed);
                }
            }
        }
    }
}

impl Publisher for FolderPublisher {
    fn capabilities(&self) -> Capabilities {
        Capabilities { reach: Reach::One, answers_at_once: true, replicas: Replicas::All }
    }

    /// A file that is there already is compared when it is written.
    fn start(&mut self) -> Vec<Event> {
        vec![Event::Published(Vec::new())]
    }

    fn publish(&mut self, desired: Arc<Desired>) -> Vec<Event> {
        self.desired = desired;
        self.write_all()
    }

    fn resync(&mut self) -> Vec<Event> {
        if self.failing {
            return self.write_all();
        }
        self.repair();
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn publisher(dir: &Path) -> FolderPublisher {
        let module = EnvoyModule::new(ecds::Shell::Wasm, "filter.wasm");
        FolderPublisher::new(dir.to_owned(), module, Arc::default())
    }

    fn bundle(compiled: &str) -> Bundle {
        Bundle::new(BundleKey::All, compiled.to_owned())
    }

    #[test]
    fn equal_bytes_are_written_once_and_repaired_when_lost() {
        let dir = tempfile::tempdir().unwrap();
        let publisher = publisher(dir.path());
        let path = dir.path().join("corsward.yaml");
        for (why, before, compiled, want) in [
            ("new", None, "1", Outcome::Written),
            ("the same", None, "1", Outcome::Unchanged),
            ("changed", None, "2", Outcome::Written),
            ("somebody else's hand", Some("x"), "2", Outcome::Written),
        ] {
            if let Some(before) = before {
                fs::write(&path, before).unwrap();
            }
            assert_eq!(publisher.put(&bundle(compiled)).unwrap(), want, "{why}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(publisher.put(&bundle("2")).unwrap(), Outcome::Written, "removed");
        let names: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["corsward.yaml"], "nothing else is left");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let publisher = publisher(Path::new("/dev/null/nowhere"));
        assert!(publisher.put(&bundle("1")).is_err());
    }
}
