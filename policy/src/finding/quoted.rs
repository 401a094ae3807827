//! Quoted: what an author wrote, as a sentence may show it.

use std::fmt;

use crate::limits::MAX_ORIGIN_LEN;

/// Most characters of a value that a sentence shows, escapes included: every origin fits.
const MAX_SHOWN: usize = MAX_ORIGIN_LEN;

/// A value in backticks, on one line, escaped and bounded.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

/// A foreign text (a parser's): one line, escaped and bounded, without quotes.
#[derive(Clone, Copy, Debug)]
pub struct OneLine<'a>(pub &'a str);

// === impl Quoted ===

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`")?;
        write_bounded(f, self.0, "\\u{60}")?;
        f.write_str("`")
    }
}

// === impl OneLine ===

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.split_whitespace().collect::<Vec<_>>().join(" ");
        write_bounded(f, words.trim_end_matches('.'), "'")
    }
}

/// Writes what prints as it is and the rest escaped, and says where it stops. Backticks are ours.
fn write_bounded(f: &mut fmt::Formatter<'_>, text: &str, backtick: &str) -> fmt::Result {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'`';
    if text.len() <= MAX_SHOWN && text.bytes().all(is_plain) {
        return f.write_str(text);
    }
    let mut shown = 0_usize;
    for c in text.chars() {
        let piece = match c {
            '`' => backtick.to_owned(),
            '"' | '\'' | '\\' => c.to_string(),
            // Control characters, and what does not print: a sentence never turns around in a terminal.
            _ => c.escape_debug().to_string(),
        };
        shown = shown.saturating_add(piece.chars().count());
        if shown > MAX_SHOWN {
            return f.write_str("\u{2026}");
        }
        f.write_str(&piece)?;
    }
    Ok(())
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
        for (long, shown) in [("x", MAX_SHOWN), ("\u{202e}", MAX_SHOWN / 8 * 8)] {
            let text = Quoted(&long.repeat(10_000)).to_string();
            assert!(text.ends_with("\u{2026}`"), "{text}");
            assert_eq!(text.chars().count(), shown + 3);
        }
        assert_eq!(OneLine("two\n  lines, `one`.\n").to_string(), "two lines, 'one'");
    }
}
