//! Refusals: refused requests, in filter state for access logs, and in a limited number of lines of the proxy's log.

use std::cell::Cell;
use std::time::Duration;

use corsward_policy::Verdict;

use crate::host::{Host, LogLevel};

/// The filter state's key; Envoy shows it as `wasm.corsward`.
const FILTER_STATE: &str = "corsward";

/// At most one line in this time for each worker: a client can send refused requests as fast as it likes.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Longest origin that is written anywhere, escapes included; a longer one is cut.
const MAX_WRITTEN_ORIGIN: usize = 128;

/// The state of one worker's log of refusals.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    logged: Cell<Option<Duration>>,
    suppressed: Cell<u64>,
}

// === impl Refusals ===

impl Refusals {
    /// Reports a refused request; ignores any other verdict.
    pub(crate) fn report(&self, host: &impl Host, verdict: &Verdict, origin: &[u8]) {
        let Some(refusal) = verdict.outcome.refusal() else { return };
        let (outcome, reason) = (verdict.outcome.label(), refusal.label());
        let (kind, policy) = (verdict.kind.label(), verdict.policy());
        let origin = escaped(origin);
        let state = format!(
            "verdict={outcome} reason={reason} origin=\"{origin}\" policy={policy} kind={kind}"
        );
        host.set_filter_state(FILTER_STATE, state.as_bytes());
        if let Some(suppressed) = self.turn_to_log(host.now()) {
            let line = format!("{state} suppressed={suppressed}");
            host.log(LogLevel::Warn, &line);
        }
    }

    /// Returns the number of suppressed lines since the last one, if the next line is due.
    fn turn_to_log(&self, now: Duration) -> Option<u64> {
        let too_soon = |logged: Duration| {
            // A clock that was set back must not silence the log until it has caught up.
            now.checked_sub(logged).is_some_and(|since| since < LOG_INTERVAL)
        };
        if self.logged.get().is_some_and(too_soon) {
            self.suppressed.set(self.suppressed.get().saturating_add(1));
            return None;
        }
        self.logged.set(Some(now));
        Some(self.suppressed.replace(0))
    }
}

/// An origin as it may be written into a log: printable ASCII without quotes and backslashes, and bounded.
fn escaped(origin: &[u8]) -> String {
    const CUT: &str = "...";
    const ROOM: usize = MAX_WRITTEN_ORIGIN - CUT.len();
    let mut text = String::new();
    for &byte in origin {
        let before = text.len();
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f.. => {
                let digits =
                    [byte >> 4, byte & 0xf].map(|digit| char::from_digit(digit.into(), 16));
                text.push_str("\\x");
                text.extend(digits.into_iter().flatten());
            }
            _ => text.push(char::from(byte)),
        }
        if text.len() > ROOM {
            text.truncate(before);
            text.push_str(CUT);
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let refusals = Refusals::default();
        for (why, milliseconds, want) in [
            ("the first", 10_000, Some(0)),
            ("at once", 10_000, None),
            ("too soon", 10_999, None),
            ("a second later", 11_000, Some(2)),
            ("the clock was set back", 500, Some(0)),
            ("too soon by the new clock", 600, None),
        ] {
            assert_eq!(refusals.turn_to_log(Duration::from_millis(milliseconds)), want, "{why}");
        }
    }
}
