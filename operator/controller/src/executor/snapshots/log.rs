//! The operator's log on the thread of a test.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use serde_json::Value;

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the lines of its thread.
struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log lines of this thread since the last call. The first call begins it.
pub(super) fn take() -> Vec<Value> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // One for all threads: whether a line is wanted is remembered for all of them, too.
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false);
        lines.without_time().with_target(false).with_writer(|| Writer).init();
    });
    let bytes = LINES.with_borrow_mut(std::mem::take);
    let text = String::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
