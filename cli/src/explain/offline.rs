//! Offline build: no server is asked from a page in a browser, where there are no sockets.

use corsward_browser::PageRequest;
use corsward_browser::plan::Sent;

use super::reply::Reply;

/// A real server, out of reach.
pub(super) struct Live;

// === impl Live ===

impl Live {
    pub(super) fn new(_sends_all: bool) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "the live server of other builds has a setting")]
    pub(super) fn may_send(&self, _sent: &Sent) -> bool {
        true
    }

    #[expect(clippy::unused_self, reason = "the live server of other builds has a connection")]
    pub(super) fn ask(&self, _page: &PageRequest, _sent: &Sent) -> Reply {
        Reply { unknown: "this build of corsward asks no server", ..Reply::default() }
    }
}
