//! Panic log: caught panics, in a limited number of lines of Envoy's log.

use std::collections::BTreeMap;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one line in this time for each place of the code: a client that finds a request which panics can repeat it.
const INTERVAL: Duration = Duration::from_secs(1);

/// The log of the process. As many places as the code has.
static LOG: Mutex<PanicLog> = Mutex::new(PanicLog { places: BTreeMap::new() });

/// When each place was written last, and its panics since then.
struct PanicLog {
    places: BTreeMap<(String, u32), (Instant, u64)>,
}

/// Writes panics by `write`, in the place of the standard library's hook, which writes each with its stack.
pub(crate) fn write_by(write: fn(&str)) {
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(line) = line(panic, Instant::now()) {
            write(&line);
        }
    }));
}

fn line(panic: &PanicHookInfo<'_>, now: Instant) -> Option<String> {
    let (file, number) = panic.location().map_or(("", 0), |place| (place.file(), place.line()));
    // Without the lock when the line is written.
    let suppressed = LOG.lock().unwrap_or_else(PoisonError::into_inner).turn(file, number, now)?;
    let reason = panic.payload_as_str().unwrap_or_default();
    Some(format!("corsward panicked at {file}:{number}: {reason} suppressed={suppressed}"))
}

// === impl PanicLog ===

impl PanicLog {
    /// Returns the number of suppressed lines since the last one of this place, if the next line is due.
    fn turn(&mut self, file: &str, number: u32, now: Instant) -> Option<u64> {
        let Some((written, suppressed)) = self.places.get_mut(&(file.to_owned(), number)) else {
            self.places.insert((file.to_owned(), number), (now, 0));
            return Some(0);
        };
        if now.saturating_duration_since(*written) < INTERVAL {
            *suppressed = suppressed.saturating_add(1);
            return None;
        }
        *written = now;
        Some(std::mem::take(suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_one_line_a_second_and_the_number_of_those_left_out() {
        let mut log = PanicLog { places: BTreeMap::new() };
        let start = Instant::now();
        for (why, number, milliseconds, want) in [
            ("the first", 1, 0, Some(0)),
            ("too soon", 1, 0, None),
            ("a different place", 2, 500, Some(0)),
            ("too soon", 1, 999, None),
            ("a second later", 1, 1000, Some(2)),
            ("nothing was left out", 2, 1500, Some(0)),
        ] {
            let now = start + Duration::from_millis(milliseconds);
            assert_eq!(log.turn("file.rs", number, now), want, "{why}");
        }
    }
}
