//! Quoted: what an author wrote, as a sentence may show it.

use std::fmt;

/// Most characters of a value that a sentence shows.
const MAX_SHOWN: usize = 120;

/// A value in backticks, on one line, escaped and bounded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted<'a>(pub(super) &'a str);

/// Someone else's words (a parser's): one line, escaped and bounded, without quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneLine<'a>(pub(super) &'a str);

// === impl Quoted ===

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`")?;
        for c in self.0.chars().take(MAX_SHOWN) {
            match c {
                '`' => f.write_str("\\u{60}")?,
                '"' | '\'' | '\\' => write!(f, "{c}")?,
                // Control characters, and what does not print: a sentence never turns around in a terminal.
                _ => write!(f, "{}", c.escape_debug())?,
            }
        }
        let cut = self.0.chars().nth(MAX_SHOWN).is_some();
        f.write_str(if cut { "\u{2026}`" } else { "`" })
    }
}

// === impl OneLine ===

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = words.trim_end_matches('.');
        for c in words.chars().take(MAX_SHOWN.saturating_mul(2)) {
            match c {
                '"' | '\'' | '\\' | '`' => write!(f, "{c}")?,
                _ => write!(f, "{}", c.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_on_its_line_and_within_its_backticks() {
        for (why, raw, want) in [
            ("as it is", "https://a.example", "`https://a.example`"),
            ("letters beyond ASCII are shown", "b\u{fc}cher", "`b\u{fc}cher`"),
            ("quotes are harmless", "a\"b'c\\d", "`a\"b'c\\d`"),
            ("a line break", "a\nb", "`a\\nb`"),
            ("a backtick", "a`b", "`a\\u{60}b`"),
            ("right to left", "a\u{202e}b", "`a\\u{202e}b`"),
            ("escape sequences of terminals", "\u{1b}[2J", "`\\u{1b}[2J`"),
        ] {
            assert_eq!(Quoted(raw).to_string(), want, "{why}");
        }
        let long = "x".repeat(10_000);
        assert_eq!(Quoted(&long).to_string().chars().count(), MAX_SHOWN + 3);
        assert_eq!(OneLine("two\n  lines.\n").to_string(), "two lines");
    }
}
