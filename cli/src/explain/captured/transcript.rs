//! Transcript: the responses in the text of `curl -i` or `curl -v`.

use anyhow::bail;

use crate::explain::asked::header;
use crate::explain::code::BesideCors;
use crate::explain::diagnosis::Diagnosis;
use crate::explain::reply::Answer;

/// Messages of curl about a connection that fails before HTTP.
const FAILURES: [(&str, BesideCors); 8] = [
    ("SSL certificate problem", BesideCors::Certificate),
    ("SSL: no alternative certificate subject name", BesideCors::Certificate),
    ("curl: (60)", BesideCors::Certificate),
    ("Could not resolve host", BesideCors::Dns),
    ("Failed to connect", BesideCors::Connection),
    ("Connection refused", BesideCors::Connection),
    ("Connection timed out", BesideCors::Connection),
    ("CONNECT tunnel failed", BesideCors::Connection),
];

/// The final responses of a server, in their order.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    pub(super) exchanges: Vec<Exchange>,
    /// The failure after the last response.
    pub(super) failure: Option<Diagnosis>,
}

/// A response, and the request that `curl -v` shows before it.
#[derive(Debug)]
pub(super) struct Exchange {
    /// `None`: the text of `curl -i` does not name it.
    pub(super) method: Option<String>,
    /// The request's `Access-Control-Request-Method`.
    pub(super) asks: Option<String>,
    pub(super) answer: Answer,
}

/// Reads the responses of a text.
pub(super) fn read(text: &str) -> anyhow::Result<Transcript> {
    let is_verbose = text.lines().any(|line| line.starts_with("< HTTP/"));
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.take_message(line);
        if let Some(line) = line.strip_prefix("> ").filter(|_| is_verbose) {
            reader.take_request(line);
        } else if !is_verbose {
            reader.take_response(line.trim_end())?;
        } else if let Some(line) = line.strip_prefix('<') {
            reader.take_response(line.trim())?;
        }
    }
    let mut transcript = reader.transcript;
    transcript.exchanges.retain(Exchange::is_of_server);
    if transcript.exchanges.is_empty() && transcript.failure.is_none() {
        bail!(
            "there is no response: neither a HAR nor the text of `curl -i` (`HTTP/1.1 200 OK` and header lines)"
        );
    }
    Ok(transcript)
}

/// The lines that are read so far.
#[derive(Default)]
struct Reader {
    transcript: Transcript,
    method: Option<String>,
    asks: Option<String>,
    in_head: bool,
    has_body: bool,
}

// === impl Reader ===

impl Reader {
    /// Takes a line in curl's own words.
    fn take_message(&mut self, line: &str) {
        if !line.starts_with("* ") && !line.starts_with("curl: ") {
            return;
        }
        if let Some((_, fault)) = FAILURES.iter().find(|(words, _)| line.contains(words)) {
            let words = line.trim_start_matches("* ").trim();
            self.transcript.failure.get_or_insert_with(|| Diagnosis::seen(*fault, words));
        }
    }

    /// Takes a line of a request's head.
    fn take_request(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        if let (Some(method), Some(_), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
            && version.starts_with("HTTP/")
        {
            (self.method, self.asks) = (Some(method.to_owned()), None);
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("access-control-request-method")
        {
            self.asks = Some(value.trim().to_owned());
        }
    }

    /// Takes a line of a response's head, or of a body.
    fn take_response(&mut self, line: &str) -> anyhow::Result<()> {
        let exchanges = &mut self.transcript.exchanges;
        if let Some((status, reason)) = status(line) {
            // The text of `curl -i` shows a proxy's answer to CONNECT by its form alone.
            exchanges.pop_if(|last| {
                last.method.is_none()
                    && !self.has_body
                    && last.answer.status == 200
                    && last.answer.headers.is_empty()
            });
            let is_tunnel = self.method.is_none()
                && status == 200
                && reason.to_ascii_lowercase().contains("connection established");
            let method = if is_tunnel { Some("CONNECT".to_owned()) } else { self.method.clone() };
            let answer = Answer { status, headers: Vec::new() };
            exchanges.push(Exchange { method, asks: self.asks.clone(), answer });
            (self.in_head, self.has_body, self.transcript.failure) = (true, false, None);
        } else if line.is_empty() {
            self.in_head = false;
        } else if let Some(last) = exchanges.last_mut().filter(|_| self.in_head) {
            last.answer.headers.push(header(line)?);
        } else {
            self.has_body = true;
        }
        Ok(())
    }
}

// === impl Exchange ===

impl Exchange {
    /// An interim response and a proxy's answer to CONNECT say nothing about CORS.
    fn is_of_server(&self) -> bool {
        self.answer.status >= 200 && self.method.as_deref() != Some("CONNECT")
    }
}

/// The status and the reason of a status line.
fn status(line: &str) -> Option<(u16, &str)> {
    let rest = line.strip_prefix("HTTP/")?;
    let (_, rest) = rest.split_once(' ')?;
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    Some((status.parse().ok()?, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::code::Code;

    fn statuses(text: &str) -> Vec<(Option<String>, u16)> {
        let exchanges = read(text).unwrap().exchanges.into_iter();
        exchanges.map(|it| (it.method, it.answer.status)).collect()
    }

    #[test]
    fn a_body_is_no_head() {
        let text = "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Methods: PUT\r\n\r\n\
                    HTTP/2 200 \r\ncontent-type: text/plain\r\n\r\nHello: not a header\n";
        let headers = read(text).unwrap().exchanges.into_iter().map(|it| it.answer.headers.len());
        assert_eq!(headers.collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn the_verbose_text_names_the_method_of_each_response() {
        let text = "* connect to ::1 failed: Connection refused\n> OPTIONS /a HTTP/1.1\n> Host: a\n\
                    > Access-Control-Request-Method: PUT\n>\n< HTTP/1.1 100 Continue\n<\n\
                    < HTTP/1.1 403 Forbidden\n< Vary: Origin\n<\n{\"a\": 1}\n";
        let read = read(text).unwrap();
        assert_eq!(read.failure, None);
        assert_eq!(read.exchanges.first().unwrap().asks.as_deref(), Some("PUT"));
        assert_eq!(statuses(text), [(Some("OPTIONS".to_owned()), 403)]);
    }

    #[test]
    fn a_failure_before_http_is_told_by_curl_itself() {
        let failed = read("* Could not resolve host: api.example\n").unwrap().failure.unwrap();
        assert_eq!(failed.code, Code::BesideCors(BesideCors::Dns));
        assert!(read("Hello").unwrap_err().to_string().starts_with("there is no response"));
        let body = "HTTP/1.1 503 -\na: b\n\nupstream connect error: Connection refused\n";
        assert_eq!(read(body).unwrap().failure, None);
    }

    #[test]
    fn the_answers_of_a_proxy_on_the_way_are_dropped() {
        for head in [
            "200 Connection established\r\n",
            "200 OK\r\n",
            "200 Connection established\r\nvia: a\r\n",
        ] {
            let text = format!(
                "HTTP/1.1 {head}\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/2 403 \r\na: b\r\n"
            );
            assert_eq!(statuses(&text), [(None, 403)]);
        }
        let verbose = "> CONNECT a:443 HTTP/1.1\n< HTTP/1.1 200 OK\n< via: a\n<\n> PUT / HTTP/2\n< HTTP/2 403 \n<\n";
        assert_eq!(statuses(verbose), [(Some("PUT".to_owned()), 403)]);
    }
}
