//! Live server: the requests of the browser, sent from here.

use std::io;
use std::time::Duration;

use corsward_browser::PageRequest;
use corsward_browser::plan::Sent;
use ureq::http;

use super::code::BesideCors;
use super::diagnosis::Diagnosis;
use super::reply::{Answer, Reply};
use crate::https;

/// The longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A real server.
pub(super) struct Live {
    agent: ureq::Agent,
    /// Whether requests that may change something are sent.
    sends_all: bool,
}

// === impl Live ===

impl Live {
    pub(super) fn new(sends_all: bool) -> Self {
        let config = https::config()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self { agent: config.into(), sends_all }
    }

    /// RFC 9110 section 9.2.1: safe methods change nothing.
    pub(super) fn may_send(&self, sent: &Sent) -> bool {
        self.sends_all || matches!(sent.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    pub(super) fn ask(&self, page: &PageRequest, sent: &Sent) -> Reply {
        match self.response(page, sent) {
            Ok(answer) => Reply { answer: Some(answer), ..Reply::default() },
            Err(error) => {
                let fault = fault(&error, page);
                let words = match error {
                    ureq::Error::Io(error) => error.to_string(),
                    error => error.to_string(),
                };
                let failed = Some(Diagnosis::seen(fault, &words));
                Reply { unknown: "there is no answer", failed, ..Reply::default() }
            }
        }
    }

    fn response(&self, page: &PageRequest, sent: &Sent) -> Result<Answer, ureq::Error> {
        let mut request =
            http::Request::builder().method(sent.method.as_str()).uri(page.url.as_str());
        for (name, value) in &sent.headers {
            request = request.header(name.as_str(), value.as_slice());
        }
        let response = self.agent.run(request.body(())?)?;
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        Ok(Answer { status: response.status().as_u16(), headers: headers.collect() })
    }
}

fn fault(error: &ureq::Error, page: &PageRequest) -> BesideCors {
    match error {
        ureq::Error::HostNotFound => BesideCors::Dns,
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => BesideCors::Certificate,
        // A handshake that fails is an error of the connection to ureq.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            BesideCors::Certificate
        }
        // The system's word about a host is no kind of error.
        _ if page.url.socket_addrs(|| None).is_err() => BesideCors::Dns,
        _ => BesideCors::Connection,
    }
}
