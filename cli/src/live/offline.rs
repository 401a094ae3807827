//! Offline build: a page in a browser has no cluster below its text.

use crate::policies::LiveObjects;

/// A live cluster, out of reach.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ClusterArgs {}

// === impl ClusterArgs ===

impl ClusterArgs {
    #[expect(clippy::unused_self, reason = "the arguments of other builds name a cluster")]
    #[expect(clippy::unnecessary_wraps, reason = "the API server of other builds may fail")]
    pub(crate) fn read(&self) -> anyhow::Result<Option<LiveObjects>> {
        Ok(None)
    }

    pub(crate) fn read_in_force(&self) -> anyhow::Result<Option<LiveObjects>> {
        self.read()
    }
}
