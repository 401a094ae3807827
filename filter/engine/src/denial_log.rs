//! Denial log: denied requests, in filter state for access logs, and in a limited number of lines of the proxy's log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corsward_policy::{PolicyId, Verdict};

use crate::host::{LogLevel, StreamHost};

/// The filter state's key; under proxy-wasm Envoy shows it as `wasm.corsward`.
const FILTER_STATE: &str = "corsward";

/// At most one line in this time for each state: a client can send denied requests as fast as it likes.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Longest origin that is written anywhere, escapes included; a longer one is cut.
const MAX_WRITTEN_ORIGIN: usize = 128;

/// Room for a line with names and an origin of the usual length.
const USUAL_LINE: usize = 256;

/// The state of the log.
#[derive(Debug)]
pub(crate) struct DenialLog {
    /// The time of the last line, in nanoseconds since the Unix epoch.
    logged: AtomicU64,
    suppressed: AtomicU64,
}

// === impl DenialLog ===

impl DenialLog {
    /// Reports a denied request, as [`line`] describes it.
    pub(crate) fn report(&self, host: &mut impl StreamHost, denial: &str) {
        host.set_filter_state(FILTER_STATE, denial.as_bytes());
        if let Some(suppressed) = self.turn_to_log(host.now()) {
            let line = format!("{denial} suppressed={suppressed}");
            host.log(LogLevel::Warn, &line);
        }
    }

    /// Returns the number of suppressed lines since the last one, if the next line is due.
    fn turn_to_log(&self, now: Duration) -> Option<u64> {
        let now = nanoseconds(now);
        let logged = self.logged.load(Ordering::Relaxed);
        // A clock that was set back must not silence the log until it has caught up.
        let too_soon =
            now.checked_sub(logged).is_some_and(|since| since < nanoseconds(LOG_INTERVAL));
        let turn = |logged| {
            self.logged.compare_exchange(logged, now, Ordering::Relaxed, Ordering::Relaxed)
        };
        if too_soon || turn(logged).is_err() {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

impl Default for DenialLog {
    fn default() -> Self {
        // Any time is before this one, as if the clock had been set back: the first line is due.
        Self { logged: AtomicU64::new(u64::MAX), suppressed: AtomicU64::new(0) }
    }
}

/// Describes a denied request; `None` for any other verdict. Written by parts: a client can send such requests as fast as it likes.
pub(crate) fn line(verdict: &Verdict<'_>, origin: &[u8]) -> Option<String> {
    let reason = verdict.outcome.refusal()?.label();
    let (outcome, kind) = (verdict.outcome.label(), verdict.kind.label());
    let PolicyId { namespace, name } = verdict.policy();
    let mut line = String::with_capacity(USUAL_LINE);
    push(&mut line, &["verdict=", outcome, " reason=", reason, " origin=\""]);
    push_escaped(&mut line, origin);
    push(&mut line, &["\" policy=", namespace, "/", name, " kind=", kind]);
    Some(line)
}

fn push(line: &mut String, parts: &[&str]) {
    for part in parts {
        line.push_str(part);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Adds an origin as it may be written into a log: printable ASCII without quotes and backslashes, and bounded.
fn push_escaped(line: &mut String, origin: &[u8]) {
    const CUT: &str = "...";
    const ROOM: usize = MAX_WRITTEN_ORIGIN - CUT.len();
    let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..=0x1f | 0x7f..);
    if origin.len() <= ROOM
        && origin.iter().all(is_plain)
        && let Ok(origin) = str::from_utf8(origin)
    {
        return line.push_str(origin);
    }
    let end = line.len().saturating_add(ROOM);
    for &byte in origin {
        let before = line.len();
        if is_plain(&byte) {
            line.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 0xf].map(|digit| char::from_digit(digit.into(), 16));
            line.push_str("\\x");
            line.extend(digits.into_iter().flatten());
        }
        if line.len() > end {
            line.truncate(before);
            line.push_str(CUT);
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn escaped(origin: &[u8]) -> String {
        let mut line = String::from("origin=");
        push_escaped(&mut line, origin);
        line.split_off("origin=".len())
    }

    #[test]
    fn an_origin_cannot_write_anything_but_itself_into_a_log() {
        for (why, origin, want) in [
            ("as it is", &b"https://a.example"[..], "https://a.example"),
            ("a quote would end the field", b"a\" verdict=allowed", "a\\x22 verdict=allowed"),
            ("an escape would be ambiguous", b"\\x22", "\\x5cx22"),
            ("a line break would begin a line", b"a\r\nb", "a\\x0d\\x0ab"),
            ("bytes that are no UTF-8", b"\xff\xc3\x28", "\\xff\\xc3("),
        ] {
            assert_eq!(escaped(origin), want, "{why}");
        }
    }

    #[test]
    fn a_long_origin_is_cut_between_escapes() {
        for origin in [[b'a'; 400], [0xff; 400]] {
            let text = escaped(&origin);
            assert!(text.len() <= MAX_WRITTEN_ORIGIN, "{text}");
            assert!(text.ends_with("a...") || text.ends_with("\\xff..."), "{text}");
        }
        assert_eq!(escaped(&[b'a'; 125]).len(), 125, "what fits is not cut");
    }

    #[test]
    fn the_log_gets_one_line_a_second_and_the_number_of_those_left_out() {
        let log = DenialLog::default();
        for (why, milliseconds, want) in [
            ("the first", 10_000, Some(0)),
            ("at once", 10_000, None),
            ("too soon", 10_999, None),
            ("a second later", 11_000, Some(2)),
            ("the clock was set back", 500, Some(0)),
            ("too soon by the new clock", 600, None),
        ] {
            assert_eq!(log.turn_to_log(Duration::from_millis(milliseconds)), want, "{why}");
        }
    }
    #[test]
    fn workers_that_share_the_log_write_one_line_and_lose_no_number() {
        const WORKERS: u64 = 4;
        const DENIALS: u64 = 1000;
        let log = DenialLog::default();
        let lines = || (0..DENIALS).filter_map(|_| log.turn_to_log(LOG_INTERVAL)).collect();
        let lines: Vec<Vec<u64>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(lines)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        let lines = lines.concat();
        assert_eq!(lines.len(), 1);
        let later = log.turn_to_log(LOG_INTERVAL * 2).unwrap();
        assert_eq!(lines[0] + later, WORKERS * DENIALS - 1);
    }
}
