//! The small grammar that every header shares (RFC 9110 section 5.6).

use crate::limits::{MAX_HOST_LEN, MAX_LABEL_KEY_LEN, MAX_LABEL_LEN, MAX_LABEL_VALUE_LEN};

/// Returns whether `byte` is a `tchar`.
pub const fn is_tchar(byte: u8) -> bool {
    // A bit for each byte: this is asked of each byte of each name.
    const LOW: u64 = 0x03ff_6cfa_0000_0000;
    const HIGH: u64 = 0x57ff_ffff_c7ff_fffe;
    let bits = if byte < 0x40 { LOW } else { HIGH };
    byte.is_ascii() && bits >> (byte & 0x3f) & 1 != 0
}

/// Returns whether `bytes` is a `token`.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_tchar)
}

/// Returns the elements of a list-based field without optional whitespace; empty elements are kept.
pub fn list_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim_ows)
}

/// The pieces of a text that holds several values, separated by commas, semicolons or white space as other systems have them;
/// brackets and quotes around them are dropped.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| matches!(c, ',' | ';') || c.is_whitespace())
        .map(|piece| piece.trim_matches(['[', ']', '"', '\'']))
        .filter(|piece| !piece.is_empty())
}

/// Returns `bytes` without leading and trailing OWS: spaces and tabs.
pub fn trim_ows(bytes: &[u8]) -> &[u8] {
    let is_ows = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !is_ows(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_ows(byte)).map_or(start, |at| at.saturating_add(1));
    bytes.get(start..end).unwrap_or_default()
}

/// Returns whether `name` has the characters and the length of a Kubernetes object's name. The wire checks no more than this, because
/// names go into a response header and into metric names; validation asks for the rest of the rule, too.
pub fn is_object_name(name: &str) -> bool {
    let is_name_byte = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    name.len() <= MAX_HOST_LEN && name.bytes().all(is_name_byte)
}

/// Returns whether `name` is a DNS subdomain: the name of most objects in Kubernetes (RFC 1123).
pub fn is_dns_subdomain(name: &str) -> bool {
    let is_part = |part: &str| !(part.is_empty() || part.starts_with('-') || part.ends_with('-'));
    is_object_name(name) && name.split('.').all(is_part)
}

/// Returns whether `name` is a DNS label: the name of namespaces, Services and ports in Kubernetes (RFC 1123).
pub fn is_dns_label(name: &str) -> bool {
    name.len() <= MAX_LABEL_LEN && !name.contains('.') && is_dns_subdomain(name)
}

/// Returns whether `key` has the characters and the length of a label's key in Kubernetes.
pub fn is_label_key(key: &str) -> bool {
    let is_key_byte = |byte| byte == b'/' || is_label_byte(byte);
    !key.is_empty() && key.len() <= MAX_LABEL_KEY_LEN && key.bytes().all(is_key_byte)
}

/// Returns whether `value` has the characters and the length of a label's value in Kubernetes.
pub fn is_label_value(value: &str) -> bool {
    value.len() <= MAX_LABEL_VALUE_LEN && value.bytes().all(is_label_byte)
}

const fn is_label_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.')
}

/// Returns the value of a hexadecimal digit.
pub const fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(byte.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_or_more_tchars() {
        for (why, raw, want) in [
            ("a method", &b"PATCH"[..], true),
            ("every odd tchar", b"!#$%&'*+-.^_`|~", true),
            ("empty", b"", false),
            ("a space", b"GE T", false),
            ("a comma joins two lines", b"GET,PUT", false),
            ("beyond ASCII", b"caf\xe9", false),
        ] {
            assert_eq!(is_token(raw), want, "{why}");
        }
    }

    #[test]
    fn tchars_are_those_of_rfc_9110() {
        for byte in 0..=u8::MAX {
            let want = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_tchar(byte), want, "{byte:#x}");
        }
    }

    #[test]
    fn list_elements_lose_their_whitespace_and_nothing_else() {
        for (why, raw, want) in [
            ("browsers send no spaces", &b"a,b"[..], vec![&b"a"[..], b"b"]),
            ("people do", b" a ,\tb c\t", vec![b"a", b"b c"]),
            ("empty elements stay", b",a,, ", vec![b"", b"a", b"", b""]),
            ("an empty value is one empty element", b"", vec![b""]),
        ] {
            assert_eq!(list_elements(raw).collect::<Vec<_>>(), want, "{why}");
        }
    }
}
