//! Output: streams whose reader may go before the command ends, as `head` does, and lines that stay lines whatever they quote.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use serde::Serialize;

/// Standard output. The verdict of a command does not depend on its reader: the rest is dropped.
#[derive(Debug)]
pub(crate) struct Output<W> {
    inner: W,
    is_closed: bool,
}

/// A text that stays one line and commands no terminal. Names and values of files, answers and clusters may have line breaks and escapes:
/// a line break begins a workflow command on a runner, `::error::`, and an escape moves the cursor. Each such character is written as in
/// Rust, `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneLine<T>(pub(crate) T);

/// Prints a line for people to standard error, if it is open.
pub(crate) fn note(line: impl fmt::Display) {
    // A note that cannot be written has no other place to go.
    drop(writeln!(io::stderr(), "{}", OneLine(line)));
}

/// Prints an error with its causes. No line of a quoted text begins a line.
pub(crate) fn print_error(error: &anyhow::Error) {
    let text = format!("{error:#}");
    let mut lines = text.trim_end().lines();
    note(format_args!("error: {}", lines.next().unwrap_or_default()));
    for line in lines {
        note(format_args!("  | {line}"));
    }
}

/// Prints a value for programs.
pub(crate) fn write_json(value: &impl Serialize, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Unicode, "bidirectional formatting characters" and line separators: they change the order of what is shown, or its lines.
fn is_formatting(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

// === impl OneLine ===

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// The characters of a text, some escaped.
struct Escaping<'e, 'f>(&'e mut fmt::Formatter<'f>);

// === impl Escaping ===

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_escaped = |c: char| c.is_control() || is_formatting(c);
        if !text.contains(is_escaped) {
            return self.0.write_str(text);
        }
        text.chars().try_for_each(|c| {
            if is_escaped(c) {
                write!(self.0, "{}", c.escape_default())
            } else {
                self.0.write_char(c)
            }
        })
    }
}

// === impl Output ===

impl<W: Write> Output<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, is_closed: false }
    }

    fn unless_closed<T>(&mut self, written: io::Result<T>, dropped: T) -> io::Result<T> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(dropped)
            }
            written => written,
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let written = self.inner.write(bytes);
        self.unless_closed(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let flushed = self.inner.flush();
        self.unless_closed(flushed, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_character_that_ends_it_or_commands_a_terminal() {
        for (text, line) in [
            ("https://ä.example/✓ \\n", "https://ä.example/✓ \\n"),
            ("a\n::error::b\r", "a\\n::error::b\\r"),
            ("\x1b[31mred\x07\t\u{9b}2J", "\\u{1b}[31mred\\u{7}\\t\\u{9b}2J"),
            ("a\u{202e}b\u{2028}c", "a\\u{202e}b\\u{2028}c"),
        ] {
            assert_eq!(OneLine(text).to_string(), line);
        }
    }
}
