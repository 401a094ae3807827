//! Folder: the publisher into a folder of resource files, written where the executor is.

use std::io;
use std::sync::Arc;

use corsward_operator_core::bundle::{Bundle, Desired, PublishStatus};
use corsward_operator_core::capabilities::{Capabilities, Reach, Replicas};
use corsward_operator_core::event::Event;
use corsward_policy::wire;
use tracing::{error, info, warn};

use crate::metrics::{Metrics, Outcome};
use crate::publish::file::File;
use crate::publish::{Published, Publisher, RESYNC_INTERVAL};

/// A folder of resource files.
#[derive(Debug)]
pub struct FolderPublisher {
    file: File,
    metrics: Arc<Metrics>,
    desired: Arc<Desired>,
    /// The desired bundles could not be published.
    failing: bool,
}

// === impl FolderPublisher ===

impl FolderPublisher {
    /// A publisher into `file`.
    #[must_use]
    pub fn new(file: File, metrics: Arc<Metrics>) -> Self {
        Self { file, metrics, desired: Arc::default(), failing: false }
    }

    /// Writes all desired bundles.
    fn write_all(&mut self) -> Vec<Event> {
        let desired = Arc::clone(&self.desired);
        self.failing = false;
        let publish_statuses = desired.bundles.iter().map(|(key, bundle)| {
            let error = self.write(bundle).err();
            if let Some(error) = &error {
                error!(%error, "not published; tried again every {RESYNC_INTERVAL:?}");
                self.metrics.published_file(Outcome::Failed);
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
        let result = match self.file.publish(bundle)? {
            Published::Unchanged => Outcome::Unchanged,
            Published::Written => {
                let (digest, bytes) = (&bundle.digest, bundle.compiled.len());
                let policies = wire::decode(&bundle.compiled)
                    .map_or(0, |compiled| compiled.policies().count());
                info!(digest, bytes, policies, "published");
                Outcome::Written
            }
        };
        self.metrics.published_file(result);
        Ok(())
    }

    /// Writes again after a foreign removal or change.
    fn repair(&self) {
        for bundle in self.desired.bundles.values() {
            match self.file.publish(bundle) {
                Ok(Published::Unchanged) => {}
                Ok(Published::Written) => {
                    let digest = &bundle.digest;
                    warn!(digest, "repaired a published file after a foreign change");
                    self.metrics.published_file(Outcome::Written);
                }
                Err(error) => {
                    error!(%error, "cannot repair a published file after a foreign change");
                    self.metrics.published_file(Outcome::Failed);
                }
            }
        }
    }
}

impl Publisher for FolderPublisher {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            reach: Reach::One,
            acknowledges: false,
            answers_at_once: true,
            replicas: Replicas::All,
        }
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
