//! Error log: a row of errors of one thing that is tried again and again, each of which is worth a log line once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// An outage is over when nothing failed for so long; a watch without events gives no other sign. Longer than any pause between two
/// attempts.
const RESET_AFTER: Duration = Duration::from_secs(90);
/// Most different sentences of one outage. Some name a port that changes each time.
const MAX_SENTENCES: usize = 8;

/// The sentences logged about an outage.
#[derive(Debug, Default)]
pub(crate) struct ErrorLog {
    sentences: BTreeSet<String>,
    last: Option<Instant>,
}

/// What an attempt tells that the log does not say yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It failed with this error.
    Failed(String),
    /// It succeeded, after failures.
    Works,
}

// === impl ErrorLog ===

impl ErrorLog {
    /// Takes in an attempt: its error, or that it succeeded.
    pub(crate) fn news(&mut self, error: Option<String>) -> Option<News> {
        match error {
            Some(error) => self.is_new(&error, Instant::now()).then_some(News::Failed(error)),
            None => self.is_over().then_some(News::Works),
        }
    }

    fn is_new(&mut self, error: &str, now: Instant) -> bool {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) > RESET_AFTER) {
            self.sentences.clear();
        }
        self.last = Some(now);
        self.sentences.len() < MAX_SENTENCES && self.sentences.insert(error.to_owned())
    }

    fn is_over(&mut self) -> bool {
        self.last = None;
        !std::mem::take(&mut self.sentences).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_said_once_in_an_outage_and_again_in_the_next() {
        let (mut error_log, start) = (ErrorLog::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        for (why, sentence, seconds, want) in [
            ("the first", "refused", 0, true),
            ("the same", "refused", 1, false),
            ("another one", "timed out", 2, true),
            ("the first again, long after it began", "refused", 80, false),
            ("within the quiet time of the one before", "timed out", 160, false),
            ("after a quiet time", "refused", 300, true),
        ] {
            assert_eq!(error_log.is_new(sentence, after(seconds)), want, "{why}");
        }
        assert_eq!(error_log.news(None), Some(News::Works));
        assert_eq!(error_log.news(None), None);
        assert_eq!(error_log.news(Some("refused".into())), Some(News::Failed("refused".into())));
        assert_eq!(error_log.news(Some("refused".into())), None);
    }

    #[test]
    fn an_outage_with_a_new_sentence_each_time_is_no_endless_log() {
        let (mut error_log, now) = (ErrorLog::default(), Instant::now());
        let said = (0..1000).filter(|port| error_log.is_new(&format!("port {port}"), now)).count();
        assert_eq!(said, MAX_SENTENCES);
    }
}
