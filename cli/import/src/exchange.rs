//! Exchange: a request and the application's answer to it, before any CORS layer; and the answer with one.

use corsward_browser::combined;

/// A request, with the answer of the application where it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The host, with its port.
    pub authority: String,
    /// The path.
    pub path: String,
    /// The header lines, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The answer of the application.
    pub application: Response,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The header lines.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// The answer that a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The response.
    pub response: Response,
    /// Whether the application saw the request.
    pub reached: bool,
}

/// A system that answers requests in front of an application or inside it.
pub(crate) trait System {
    /// Its answer.
    fn answer(&self, exchange: &Exchange) -> Answer;
}

// === impl Exchange ===

impl Exchange {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(present, _)| present == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is a CORS-preflight request (Fetch standard, "HTTP requests").
    pub fn is_preflight(&self) -> bool {
        self.method == "OPTIONS"
            && self.header("origin").is_some()
            && self.header("access-control-request-method").is_some()
    }

    /// The application's answer, unchanged.
    pub(crate) fn forwarded(&self) -> Answer {
        Answer { response: self.application.clone(), reached: true }
    }
}

// === impl Response ===

impl Response {
    /// An empty response.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new() }
    }

    /// The values of a header, combined.
    pub fn header(&self, name: &str) -> Option<Vec<u8>> {
        combined(&self.headers, name)
    }

    /// Adds a line.
    pub(crate) fn append(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Puts one line in the place of all lines of that name.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.append(name, value);
    }

    /// Removes the lines of that name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
    }
}
