//! Transcript: the responses in the text of `curl -i` or `curl -v`.

use anyhow::bail;
use corsward_browser::combined;

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
    for line in text.split_inclusive('\n') {
        if !is_verbose {
            reader.take_plain(line)?;
        } else if let Some(line) = line.strip_prefix("> ") {
            reader.take_request(line.trim_end());
        } else if let Some(line) = line.strip_prefix("< ").or_else(|| line.strip_prefix('<')) {
            reader.take_verbose(line.trim_end())?;
        } else {
            reader.take_message(line.trim_end());
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
    /// The request that `curl -v` shows.
    method: Option<String>,
    asks: Option<String>,
    /// That request has its answer: the rest is a body.
    is_answered: bool,
    place: Place,
}

/// The place of the next line in the text of `curl -i`.
#[derive(Clone, Copy, Default)]
enum Place {
    /// Before all heads.
    #[default]
    Start,
    Head,
    /// Behind a head: a body begins, or the next head.
    Gap,
    /// In a body, of which that many bytes are left; `None`: all that follows is of it.
    Body(Option<usize>),
}

// === impl Reader ===

impl Reader {
    /// Takes a line in curl's own words.
    fn take_message(&mut self, line: &str) {
        // A body may have a list with stars.
        let is_message = line.starts_with("* ") && !self.is_answered;
        if !is_message && !line.starts_with("curl: ") {
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
            self.is_answered = false;
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("access-control-request-method")
        {
            self.asks = Some(value.trim().to_owned());
        }
    }

    /// Takes a line of a response's head in the text of `curl -v`.
    fn take_verbose(&mut self, line: &str) -> anyhow::Result<()> {
        match status(line) {
            Some((status, _)) if !self.is_answered => self.begin(status, self.method.clone()),
            _ if line.is_empty() => {
                let is_final = self.last().is_some_and(|last| last.answer.status >= 200);
                self.is_answered |= is_final;
            }
            _ if !self.is_answered => self.take_header(line)?,
            _ => {}
        }
        Ok(())
    }

    /// Takes a line of the text of `curl -i`, where bodies stand between heads.
    fn take_plain(&mut self, whole: &str) -> anyhow::Result<()> {
        let line = whole.trim_end();
        match (self.place, status(line)) {
            (Place::Start | Place::Gap | Place::Body(Some(0)), Some(found)) => {
                self.begin_plain(found);
            }
            (Place::Head, _) if line.is_empty() => self.place = Place::Gap,
            (Place::Head, _) => self.take_header(line)?,
            (Place::Gap, None) => {
                self.place = Place::Body(self.last().and_then(|last| last.body_len()));
                return self.take_plain(whole);
            }
            (Place::Body(Some(left)), _) if left > 0 => {
                // A body need not end with a line.
                let (body, rest) = whole.split_at_checked(left).unwrap_or((whole, ""));
                self.place = Place::Body(Some(left.saturating_sub(body.len())));
                if !rest.trim_end().is_empty() {
                    return self.take_plain(rest);
                }
            }
            (Place::Start | Place::Body(_), _) => self.take_message(line),
        }
        Ok(())
    }

    fn begin(&mut self, status: u16, method: Option<String>) {
        let answer = Answer { status, headers: Vec::new() };
        let asks = self.asks.clone();
        self.transcript.exchanges.push(Exchange { method, asks, answer });
        self.transcript.failure = None;
    }

    fn begin_plain(&mut self, (status, reason): (u16, &str)) {
        if matches!(self.place, Place::Gap) {
            // The text shows a proxy's answer to CONNECT by its form alone.
            self.transcript.exchanges.pop_if(|last| {
                last.method.is_none() && last.answer.status == 200 && last.answer.headers.is_empty()
            });
        }
        let is_tunnel =
            status == 200 && reason.to_ascii_lowercase().contains("connection established");
        self.begin(status, is_tunnel.then(|| "CONNECT".to_owned()));
        (self.place, self.is_answered) = (Place::Head, true);
    }

    fn take_header(&mut self, line: &str) -> anyhow::Result<()> {
        let Some(Exchange { answer: Answer { headers, .. }, .. }) = self.last() else {
            return Ok(());
        };
        match headers.last_mut() {
            // RFC 9112, 5.2: a folded line goes on behind one space.
            Some((_, value)) if line.starts_with([' ', '\t']) => {
                let more = [&value[..], line.trim().as_bytes()].join(&b' ');
                *value = more.trim_ascii().to_vec();
            }
            _ => headers.push(header(line)?),
        }
        Ok(())
    }

    fn last(&mut self) -> Option<&mut Exchange> {
        self.transcript.exchanges.last_mut()
    }
}

// === impl Exchange ===

impl Exchange {
    /// An interim response and a proxy's answer to CONNECT say nothing about CORS.
    fn is_of_server(&self) -> bool {
        self.answer.status >= 200 && self.method.as_deref() != Some("CONNECT")
    }

    /// The length of its body, if the head tells it.
    fn body_len(&self) -> Option<usize> {
        if matches!(self.answer.status, 100..=199 | 204 | 304) {
            return Some(0);
        }
        let length = combined(&self.answer.headers, "content-length")?;
        String::from_utf8(length).ok()?.parse().ok()
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
    fn a_body_with_the_lines_of_a_head_is_a_body() {
        let body = "a\nHTTP/1.1 500 -\nx: y\n* Connection refused\n";
        let plain = format!("HTTP/1.1 200 OK\r\na: b\r\n\r\n{body}");
        assert_eq!(statuses(&plain), [(None, 200)]);
        assert_eq!(read(&plain).unwrap().failure, None);
        let len = body.len() - 1;
        let two = format!(
            "HTTP/1.1 200 OK\ncontent-length: {len}\n\n{}HTTP/1.1 204 -\n\n\nHTTP/1.1 403 -\na: b\n",
            body.trim_end()
        );
        assert_eq!(statuses(&two), [(None, 200), (None, 204), (None, 403)]);
        let verbose = format!(
            "> GET / HTTP/1.1\n< HTTP/1.1 200 OK\n< a: b\n<\n{body}< HTTP/1.1 500 -\n< x: y\n"
        );
        assert_eq!(statuses(&verbose), [(Some("GET".to_owned()), 200)]);
        assert_eq!(read(&verbose).unwrap().failure, None);
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
