//! Transcript: the responses in the text of `curl -i` or `curl -v`.

use anyhow::bail;

use super::Captured;
use crate::explain::asked::header;
use crate::explain::code::BesideCors;
use crate::explain::diagnosis::Diagnosis;
use crate::explain::reply::Answer;

/// Messages of curl about a connection that fails before HTTP.
const FAILURES: [(&str, BesideCors); 7] = [
    ("SSL certificate problem", BesideCors::Certificate),
    ("SSL: no alternative certificate subject name", BesideCors::Certificate),
    ("curl: (60)", BesideCors::Certificate),
    ("Could not resolve host", BesideCors::Dns),
    ("Failed to connect", BesideCors::Connection),
    ("Connection refused", BesideCors::Connection),
    ("Connection timed out", BesideCors::Connection),
];

/// Reads the responses in their order. Of several, the first to a preflight and the last to a request count.
pub(super) fn read(text: &str) -> anyhow::Result<Captured> {
    let is_verbose = text.lines().any(|line| line.starts_with("< HTTP/"));
    let mut captured = Captured::default();
    if let Some((message, fault)) = text
        .lines()
        .find_map(|line| Some((line, FAILURES.iter().find(|it| line.contains(it.0))?.1)))
    {
        captured.diagnoses.push(Diagnosis::seen(fault, message.trim_start_matches("* ").trim()));
    }
    let mut answers: Vec<Answer> = Vec::new();
    let mut in_head = false;
    for line in text.lines() {
        let line = if is_verbose {
            let Some(line) = line.strip_prefix('<') else { continue };
            line.trim()
        } else {
            line.trim_end()
        };
        if let Some(status) = status(line) {
            in_head = true;
            answers.push(Answer { status, headers: Vec::new() });
        } else if line.is_empty() {
            in_head = false;
        } else if let Some(answer) = answers.last_mut().filter(|_| in_head) {
            answer.headers.push(header(line)?);
        }
    }
    // An interim response says nothing about CORS.
    answers.retain(|answer| answer.status >= 200);
    if answers.is_empty() && captured.diagnoses.is_empty() {
        bail!(
            "there is no response: neither a HAR nor the text of `curl -i` (`HTTP/1.1 200 OK` and header lines)"
        );
    }
    for answer in answers {
        if is_to_preflight(&answer) && captured.preflight.is_none() {
            captured.preflight = Some(answer);
        } else {
            captured.request = Some(answer);
        }
    }
    Ok(captured)
}

/// The status of a status line.
fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/")?;
    let (_, rest) = rest.split_once(' ')?;
    rest.split(' ').next()?.parse().ok()
}

/// Whether a response has what only a preflight's has.
fn is_to_preflight(answer: &Answer) -> bool {
    const NAMES: [&str; 3] =
        ["access-control-allow-methods", "access-control-allow-headers", "access-control-max-age"];
    let has =
        |wanted: &str| answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    matches!(answer.status, 204 | 405) || NAMES.iter().any(|name| has(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::code::Code;

    #[test]
    fn responses_are_told_apart_by_what_only_a_preflights_has() {
        let text = "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Methods: PUT\r\n\r\n\
                    HTTP/2 200 \r\ncontent-type: text/plain\r\n\r\nHello: not a header\n";
        let captured = read(text).unwrap();
        assert_eq!(captured.preflight.unwrap().headers.len(), 1);
        let request = captured.request.unwrap();
        assert_eq!((request.status, request.headers.len()), (200, 1));
    }

    #[test]
    fn the_verbose_text_has_responses_behind_angles_and_failures_behind_stars() {
        let text = "* Connected\n> GET / HTTP/1.1\n> Host: a\n>\n< HTTP/1.1 100 Continue\n<\n\
                    < HTTP/1.1 403 Forbidden\n< Vary: Origin\n<\n{\"a\": 1}\n";
        let captured = read(text).unwrap();
        assert_eq!(captured.request.unwrap().status, 403);
        assert_eq!(captured.preflight, None);
        let failed = read("* Could not resolve host: api.example\n").unwrap();
        assert_eq!(failed.diagnoses.first().unwrap().code, Code::BesideCors(BesideCors::Dns));
        assert!(read("Hello").unwrap_err().to_string().starts_with("there is no response"));
    }
}
