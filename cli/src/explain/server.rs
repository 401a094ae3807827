//! Server: the source of answers: policies, a capture, or a real server.

use corsward_browser::PageRequest;
use corsward_browser::plan::Sent;

use super::captured::Captured;
use super::live::Live;
use super::proxy::Proxy;
use super::reply::{Answer, Capture, Reply};

/// The reason why a 304 alone decides nothing (Fetch, "HTTP-network-or-cache fetch").
const OF_STORED: &str = "the answer is 304: the browser checks the response that it has stored, which the capture does not have";

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
            Self::Captured(captured) => {
                let capture = captured.lacks(page, sent, "--preflight");
                of_capture(captured.preflight.as_ref(), capture)
            }
            Self::Live(live) => live.ask(page, sent),
            Self::Policies(proxy) => proxy.ask(page, sent),
        }
    }

    pub(super) fn request(&self, page: &PageRequest, sent: &Sent) -> Reply {
        match self {
            Self::Captured(captured) => {
                let capture = captured.lacks(page, sent, "--response");
                match &captured.request {
                    Some(answer) if answer.is_of_stored() => {
                        Reply { unknown: OF_STORED, capture, ..Reply::default() }
                    }
                    answer => of_capture(answer.as_ref(), capture),
                }
            }
            Self::Live(live) if live.may_send(sent) => live.ask(page, sent),
            Self::Live(_) => Reply {
                unknown: "the request is not sent: it may change something; `--send` sends it",
                ..Reply::default()
            },
            Self::Policies(proxy) => proxy.ask(page, sent),
        }
    }
}

fn of_capture(answer: Option<&Answer>, capture: Option<Capture>) -> Reply {
    Reply {
        answer: answer.cloned(),
        unknown: "the capture has no answer to it",
        capture,
        ..Reply::default()
    }
}

// === impl Captured ===

impl Captured {
    /// The way to an answer; `None`: the capture shows why there is none.
    fn lacks(&self, page: &PageRequest, sent: &Sent, option: &'static str) -> Option<Capture> {
        self.diagnoses.is_empty().then(|| Capture { command: command(page, sent), option })
    }
}

/// The command whose output is the answer to a request, for a POSIX shell.
fn command(page: &PageRequest, sent: &Sent) -> String {
    let mut words = vec!["curl".to_owned(), "-si".to_owned()];
    match sent.method.as_str() {
        "GET" => {}
        "HEAD" => words.push("--head".to_owned()),
        method => words.extend(["-X".to_owned(), method.to_owned()]),
    }
    words.push(page.url.to_string());
    for (name, value) in &sent.headers {
        // curl's own.
        if !(name.eq_ignore_ascii_case("accept") && value == b"*/*") {
            let value = String::from_utf8_lossy(value);
            words.extend(["-H".to_owned(), format!("{name}: {value}")]);
        }
    }
    // A header line has no NUL, the one character that no shell quotes.
    let quoted = words.iter().filter_map(|word| shlex::try_quote(word).ok());
    quoted.collect::<Vec<_>>().join(" ")
}
