//! Paths: the interpretations of a request's path that rules are matched against.

use std::borrow::Cow;

use crate::syntax::hex_value;

/// The interpretations of one request path by back ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathInterpretations<'a> {
    /// The normal form by the URL standard and RFC 3986.
    pub literal: Cow<'a, [u8]>,
    /// The interpretation of the most lenient back end; `None` if all back ends agree.
    pub folded: Option<Folded>,
}

/// The most lenient interpretation of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// The path.
    pub path: Vec<u8>,
    /// Whether dot segments were resolved in it. Without them, a back end that takes only some of the steps gets a path
    /// between both interpretations, and selects the rule set that both select: a rule's segments have nothing to
    /// fold, and stay as they are in every further step. With them, a back end may get any path.
    pub dotted: bool,
}

// === impl PathInterpretations ===

impl<'a> PathInterpretations<'a> {
    /// Interprets `path` without its query.
    pub fn of(path: &'a [u8]) -> Self {
        let end = path.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(path.len());
        let path = path.get(..end).unwrap_or_default();
        if is_plain(path) {
            return Self { literal: Cow::Borrowed(path), folded: None };
        }
        let folded = is_ambiguous(path).then(|| Folded::of(path));
        Self { literal: Cow::Owned(normalize(path)), folded }
    }
}

// === impl Folded ===

impl Folded {
    /// Decodes escapes until none is left, drops parameters and all after a NUL, turns backslashes into slashes, merges
    /// slashes, and resolves dot segments.
    fn of(path: &[u8]) -> Self {
        let decoded = decode_fully(path);
        let decoded = decoded.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut dotted = false;
        let mut folded = Vec::with_capacity(decoded.len());
        for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
            let name = segment.split(|&byte| byte == b';').next().unwrap_or_default();
            dotted |= matches!(name, b"." | b"..");
            if folded.last() != Some(&b'/') {
                folded.push(b'/');
            }
            folded.extend_from_slice(name);
        }
        Self { path: normalize(&folded), dotted }
    }
}

/// Returns the normal form: dot segments resolved (RFC 3986 section 5.2.4), each `pchar` (section 3.3) as itself, and
/// every other byte as an escape in upper case. Section 6.2.2 leaves escaped delimiters alone; back ends decode them
/// all the same. Parts that [`is_ambiguous`] names stay unchanged.
pub fn normalize(path: &[u8]) -> Vec<u8> {
    let mut normal = Vec::with_capacity(path.len());
    for piece in Escapes(path) {
        let (byte, escape) = match piece {
            Piece::Byte(byte) => (byte, !is_literal(byte) && !matches!(byte, b'%' | b'\\')),
            Piece::Escape(byte) => (byte, !is_literal(byte) || matches!(byte, b'/' | b';')),
        };
        if escape {
            normal.extend([b'%', hex_digit(byte >> 4), hex_digit(byte)]);
        } else {
            normal.push(byte);
        }
    }
    resolve_dots(&normal)
}

/// Returns whether `path` has a part that only some back ends decode, drop or merge.
pub fn is_ambiguous(path: &[u8]) -> bool {
    let by_byte = path.contains(&b'\\') || path.contains(&b';');
    let by_slashes = path.windows(2).any(|pair| pair == b"//");
    by_byte
        || by_slashes
        || Escapes(path).any(|piece| match piece {
            // A percent sign that starts no escape.
            Piece::Byte(byte) => byte == b'%',
            Piece::Escape(byte) => matches!(byte, b'/' | b'\\' | 0 | b';' | b'%'),
        })
}

/// Decodes escapes, those included that decoding produces. Each step shortens the path, so the time is linear.
fn decode_fully(path: &[u8]) -> Vec<u8> {
    let mut decoded: Vec<u8> = Vec::with_capacity(path.len());
    for &byte in path {
        decoded.push(byte);
        while let [.., b'%', high, low] = *decoded
            && let (Some(high), Some(low)) = (hex_value(high), hex_value(low))
        {
            decoded.truncate(decoded.len().saturating_sub(3));
            decoded.push((high << 4) | low);
        }
    }
    decoded
}

/// Returns whether `path` is in normal form and unambiguous: the common case, without an allocation.
fn is_plain(path: &[u8]) -> bool {
    path.iter().all(|&byte| is_literal(byte) && byte != b';')
        && !path.windows(2).any(|pair| matches!(pair, b"//" | b"/."))
}

/// A slash, or a byte that a path segment may hold as itself: RFC 3986 section 3.3, `pchar` without escapes.
const fn is_literal(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'
        | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' | b'/')
}

/// Resolves dot segments (RFC 3986 section 5.2.4) of a path that starts with a slash; returns any other unchanged.
fn resolve_dots(path: &[u8]) -> Vec<u8> {
    let Some(rest) = path.strip_prefix(b"/") else {
        return path.to_vec();
    };
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut ends_in_dots = false;
    for segment in rest.split(|&byte| byte == b'/') {
        ends_in_dots = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    if ends_in_dots {
        kept.push(b"");
    }
    let mut resolved = Vec::with_capacity(path.len());
    for segment in kept {
        resolved.push(b'/');
        resolved.extend_from_slice(segment);
    }
    resolved
}

/// The upper-case hexadecimal digit of the low half of `byte`.
pub(crate) const fn hex_digit(byte: u8) -> u8 {
    match byte & 15 {
        digit @ 0..=9 => b'0'.wrapping_add(digit),
        digit => b'A'.wrapping_sub(10).wrapping_add(digit),
    }
}

/// A path in pieces: bytes and percent escapes.
struct Escapes<'a>(&'a [u8]);

enum Piece {
    Byte(u8),
    Escape(u8),
}

impl Iterator for Escapes<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if let [b'%', high, low, rest @ ..] = self.0
            && let (Some(h), Some(l)) = (hex_value(*high), hex_value(*low))
        {
            self.0 = rest;
            return Some(Piece::Escape((h << 4) | l));
        }
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(Piece::Byte(*first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literal_reading_is_the_normal_form_without_the_query() {
        for (why, raw, want) in [
            ("plain", "/public/a", "/public/a"),
            ("query", "/public?a=/../b", "/public"),
            ("fragment", "/public#x", "/public"),
            ("dot segment", "/a/./b", "/a/b"),
            ("two dots", "/a/../b", "/b"),
            ("above the root", "/../../b", "/b"),
            ("dots at the end", "/a/b/..", "/a/"),
            ("one dot at the end", "/a/.", "/a/"),
            ("encoded dots", "/a/%2e%2E/b", "/b"),
            ("encoded letter", "/%70ublic", "/public"),
            ("other escapes in upper case", "/a%c3%a9", "/a%C3%A9"),
            ("bytes beyond ASCII are escaped", "/a\u{e9}", "/a%C3%A9"),
            ("escaped delimiters are delimiters", "/%24batch/v1%3arun", "/$batch/v1:run"),
            ("what browsers escape is escaped", "/{id}", "/%7Bid%7D"),
            ("an escaped slash is no slash", "/a%2fb", "/a%2Fb"),
            ("a hidden file is no dot segment", "/.well-known/x", "/.well-known/x"),
            ("asterisk form", "*", "*"),
            ("empty segments stay", "/a//b", "/a//b"),
        ] {
            let interpretations = PathInterpretations::of(raw.as_bytes());
            assert_eq!(String::from_utf8_lossy(&interpretations.literal), want, "{why}");
        }
    }

    #[test]
    fn a_path_that_back_ends_read_in_two_ways_has_a_folded_reading() {
        for (why, raw, want) in [
            ("encoded slash", "/admin%2fx", Some("/admin/x")),
            ("encoded backslash", "/admin%5cx", Some("/admin/x")),
            ("backslash", "/admin\\x", Some("/admin/x")),
            ("double slash", "//admin", Some("/admin")),
            ("NUL", "/admin%00x", Some("/admin")),
            ("parameters", "/admin;v=1/x", Some("/admin/x")),
            ("encoded semicolon", "/admin%3bv/x", Some("/admin/x")),
            ("double encoding", "/%252e%252e/admin", Some("/admin")),
            ("double-encoded letter", "/%2561dmin", Some("/admin")),
            ("malformed escape", "/admin%zz", Some("/admin%zz")),
            ("truncated escape", "/admin%2", Some("/admin%2")),
            ("dots hidden in parameters", "/public/..;/admin", Some("/admin")),
            ("decoded for ever", "/public/%2525252e%25252e/admin", Some("/admin")),
            ("an escape that decoding brings forth", "/%2%35%36%31dmin", Some("/admin")),
            ("dots behind an encoded slash", "/public/..%2fadmin", Some("/admin")),
            ("plain", "/admin/x", None),
            ("encoded unreserved", "/%61dmin", None),
            ("beyond ASCII", "/caf%C3%A9", None),
        ] {
            let folded = PathInterpretations::of(raw.as_bytes()).folded;
            let folded = folded.map(|folded| String::from_utf8_lossy(&folded.path).into_owned());
            assert_eq!(folded.as_deref(), want, "{why}");
        }
    }
}
