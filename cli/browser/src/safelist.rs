//! Safelist: the methods and request headers that need no preflight, by the standard's own rules on bytes and lengths.

use std::fmt;

use crate::header_list::{HeaderLine, is_token, normalized};

/// Fetch, "CORS-safelisted request-header": the longest value.
pub const MAX_VALUE: usize = 128;

/// Fetch, "CORS-unsafe request-header names": the greatest length of all safelisted values together.
pub const MAX_VALUES: usize = 1024;

/// The types of content that an HTML form can send.
pub const FORM_TYPES: [&str; 3] =
    ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// The cause of a header not being a CORS-safelisted request-header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsafe {
    /// No value of this name is safelisted.
    Name,
    /// The value is longer than [`MAX_VALUE`].
    TooLong(usize),
    /// The value has a byte that this header may not have.
    Byte(u8),
    /// The value of `content-type` is no MIME type.
    NoMimeType,
    /// The essence of `content-type` is none of [`FORM_TYPES`].
    ContentType(String),
    /// The value of `range` is no single range with a start.
    Range,
    /// The safelisted values together are longer than [`MAX_VALUES`].
    TooLongTogether(usize),
}

// === impl Unsafe ===

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => write!(f, "the name is not on the safelist"),
            Self::TooLong(length) => {
                write!(f, "the value has {length} bytes, and {MAX_VALUE} are safelisted")
            }
            Self::Byte(byte) => {
                write!(
                    f,
                    "the value has the byte `{}`, which is not safelisted",
                    byte.escape_ascii()
                )
            }
            Self::NoMimeType => write!(f, "the value is no MIME type"),
            Self::ContentType(essence) => write!(
                f,
                "`{essence}` is not a type that an HTML form can send ({})",
                FORM_TYPES.map(|form| format!("`{form}`")).join(", ")
            ),
            Self::Range => write!(f, "the value is not a single range with a start"),
            Self::TooLongTogether(length) => write!(
                f,
                "the safelisted values have {length} bytes together, and {MAX_VALUES} are safelisted"
            ),
        }
    }
}

/// Fetch, "CORS-safelisted method".
pub fn is_safelisted_method(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"POST")
}

/// Fetch, "CORS-safelisted request-header".
///
/// # Errors
///
/// Fails with the cause if the header is not safelisted.
pub fn check_header(name: &str, value: &[u8]) -> Result<(), Unsafe> {
    // 1.
    if value.len() > MAX_VALUE {
        return Err(match name_of(name) {
            None => Unsafe::Name,
            Some(_) => Unsafe::TooLong(value.len()),
        });
    }
    // 2.
    let bad = |is_bad: fn(u8) -> bool| value.iter().copied().find(|byte| is_bad(*byte));
    match name_of(name).ok_or(Unsafe::Name)? {
        Name::Accept => bad(is_unsafe_byte).map_or(Ok(()), |byte| Err(Unsafe::Byte(byte))),
        Name::Language => bad(is_no_language_byte).map_or(Ok(()), |byte| Err(Unsafe::Byte(byte))),
        Name::ContentType => {
            if let Some(byte) = bad(is_unsafe_byte) {
                return Err(Unsafe::Byte(byte));
            }
            let essence = mime_essence(value).ok_or(Unsafe::NoMimeType)?;
            if FORM_TYPES.contains(&essence.as_str()) {
                Ok(())
            } else {
                Err(Unsafe::ContentType(essence))
            }
        }
        Name::Range => {
            if is_range_with_a_start(value) {
                Ok(())
            } else {
                Err(Unsafe::Range)
            }
        }
    }
}

/// Fetch, "CORS-unsafe request-header names": the names in lower case, sorted, each once, with the cause.
pub fn unsafe_names(lines: &[HeaderLine]) -> Vec<(String, Unsafe)> {
    let mut names: Vec<(String, Unsafe)> = Vec::new();
    let mut safelisted: Vec<&str> = Vec::new();
    let mut length: usize = 0;
    for (name, value) in lines {
        if let Err(cause) = check_header(name, value) {
            names.push((name.to_ascii_lowercase(), cause));
        } else {
            safelisted.push(name);
            length = length.saturating_add(value.len());
        }
    }
    if length > MAX_VALUES {
        let together = |name: &&str| (name.to_ascii_lowercase(), Unsafe::TooLongTogether(length));
        names.extend(safelisted.iter().map(together));
    }
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    names.dedup_by(|(later, _), (earlier, _)| later == earlier);
    names
}

/// A name with safelisted values.
#[derive(Clone, Copy)]
enum Name {
    Accept,
    Language,
    ContentType,
    Range,
}

fn name_of(name: &str) -> Option<Name> {
    Some(match name.to_ascii_lowercase().as_str() {
        "accept" => Name::Accept,
        "accept-language" | "content-language" => Name::Language,
        "content-type" => Name::ContentType,
        "range" => Name::Range,
        _ => return None,
    })
}

/// Fetch, "CORS-unsafe request-header byte".
fn is_unsafe_byte(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7F || b"\"():<>?@[\\]{}".contains(&byte)
}

fn is_no_language_byte(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !b" *,-.;=".contains(&byte)
}

/// MIME Sniffing, "parse a MIME type", its essence.
pub fn mime_essence(value: &[u8]) -> Option<String> {
    let value = normalized(value);
    let mut halves = value.splitn(2, |&byte| byte == b'/');
    let kind = halves.next().filter(|kind| is_token(kind))?;
    let rest = halves.next()?;
    let subtype = normalized(rest.split(|&byte| byte == b';').next()?);
    let subtype = Some(subtype).filter(|subtype| is_token(subtype))?;
    let essence = [kind, b"/", subtype].concat().to_ascii_lowercase();
    String::from_utf8(essence).ok()
}

/// Fetch, "parse a single range header value" without white space, and a range start.
fn is_range_with_a_start(value: &[u8]) -> bool {
    let Some(range) = value.strip_prefix(b"bytes=") else { return false };
    let mut ends = range.splitn(2, |&byte| byte == b'-');
    let (Some(start), Some(end)) = (ends.next(), ends.next()) else { return false };
    let is_number = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    if start.is_empty() || !is_number(start) || !is_number(end) {
        return false;
    }
    end.is_empty() || significant(start) <= significant(end)
}

/// A number of any size, in the order of numbers.
fn significant(digits: &[u8]) -> (usize, &[u8]) {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = digits.get(zeros..).unwrap_or_default();
    (digits.len(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safelist_is_that_of_the_standard() {
        let long = "a".repeat(128);
        let longer = "a".repeat(129);
        let essence = |text: &str| Err(Unsafe::ContentType(text.to_owned()));
        for (name, value, want) in [
            ("accept", "*/*", Ok(())),
            ("ACCEPT", "text/html;q=0.5", Ok(())),
            ("accept", "a\tb", Ok(())),
            ("accept", "a(b", Err(Unsafe::Byte(b'('))),
            ("accept", "a\x7f", Err(Unsafe::Byte(0x7F))),
            ("accept", &long, Ok(())),
            ("accept", &longer, Err(Unsafe::TooLong(129))),
            ("accept-language", "de, en;q=0.5", Ok(())),
            ("content-language", "de_CH", Err(Unsafe::Byte(b'_'))),
            ("content-type", "text/plain", Ok(())),
            ("content-type", "Text/Plain; charset=utf-8", Ok(())),
            ("content-type", "text/plain;boundary=\"a\"", Err(Unsafe::Byte(b'"'))),
            ("content-type", "multipart/form-data; boundary=x", Ok(())),
            ("content-type", "application/x-www-form-urlencoded ;", Ok(())),
            ("content-type", "application/json", essence("application/json")),
            ("content-type", "Application/JSON;charset=utf-8", essence("application/json")),
            ("content-type", "text/plain, text/plain", Err(Unsafe::NoMimeType)),
            ("content-type", "text", Err(Unsafe::NoMimeType)),
            ("content-type", "", Err(Unsafe::NoMimeType)),
            ("range", "bytes=0-", Ok(())),
            ("range", "bytes=0-499", Ok(())),
            ("range", "bytes=007-7", Ok(())),
            ("range", "bytes=-500", Err(Unsafe::Range)),
            ("range", "bytes=5-4", Err(Unsafe::Range)),
            ("range", "bytes=0-1,3-4", Err(Unsafe::Range)),
            ("range", "bytes= 0-1", Err(Unsafe::Range)),
            ("range", "Bytes=0-1", Err(Unsafe::Range)),
            ("range", "items=0-1", Err(Unsafe::Range)),
            ("x-a", "1", Err(Unsafe::Name)),
            ("x-a", &longer, Err(Unsafe::Name)),
            ("authorization", "Bearer a", Err(Unsafe::Name)),
        ] {
            assert_eq!(check_header(name, value.as_bytes()), want, "{name}: {value}");
        }
    }

    #[test]
    fn values_that_are_safelisted_one_by_one_may_be_too_long_together() {
        let line = |name: &str, length: usize| (name.to_owned(), vec![b'a'; length]);
        let mut lines: Vec<HeaderLine> = (0..8).map(|_| line("Accept", 128)).collect();
        assert_eq!(unsafe_names(&lines), []);
        lines.push(line("accept-language", 1));
        lines.push(line("X-B", 1));
        lines.push(line("x-b", 1));
        assert_eq!(
            unsafe_names(&lines),
            [
                ("accept".to_owned(), Unsafe::TooLongTogether(1025)),
                ("accept-language".to_owned(), Unsafe::TooLongTogether(1025)),
                ("x-b".to_owned(), Unsafe::Name),
            ]
        );
    }
}
