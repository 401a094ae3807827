//! Server: the source of answers: policies, a capture, or a real server.

use corsward_browser::PageRequest;
use corsward_browser::plan::Sent;

use super::captured::Captured;
use super::live::Live;
use super::proxy::Proxy;
use super::reply::{Answer, Reply};

/// A source of answers.
pub(super) enum Server {
    Policies(Proxy),
    Captured(Captured),
    Live(Live),
}

// === impl Server ===

impl Server {
    pub(super) fn preflight(&self, page: &PageRequest, sent: &Sent) -> Reply {
        match self {
            Self::Captured(captured) => of_capture(captured.preflight.as_ref()),
            Self::Live(live) => live.ask(page, sent),
            Self::Policies(proxy) => proxy.ask(page, sent),
        }
    }

    pub(super) fn request(&self, page: &PageRequest, sent: &Sent) -> Reply {
        match self {
            Self::Captured(captured) => of_capture(captured.request.as_ref()),
            Self::Live(live) if live.may_send(sent) => live.ask(page, sent),
            Self::Live(_) => Reply {
                unknown: "the request is not sent: it may change something; `--send` sends it",
                ..Reply::default()
            },
            Self::Policies(proxy) => proxy.ask(page, sent),
        }
    }
}

fn of_capture(answer: Option<&Answer>) -> Reply {
    Reply {
        answer: answer.cloned(),
        unknown: "the capture has no answer to it",
        ..Reply::default()
    }
}
