//! Origin: the value of a request's `Origin` header, parsed from bytes (Fetch standard, "`Origin` header").

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use crate::limits::{MAX_HOST_LEN, MAX_ORIGIN_LEN, MAX_SCHEME_LEN};

/// The value of an `Origin` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginHeader<'a> {
    /// A serialized tuple origin.
    Tuple(Origin<'a>),
    /// `null`: an opaque origin.
    Null,
    /// Anything else. It matches nothing.
    Malformed,
}

/// A serialized tuple origin, as a browser writes it: nothing left to normalize but the case of an opaque host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    // INVARIANT: ASCII, and so is the host, a part of it.
    raw: &'a [u8],
    scheme: &'a str,
    host: &'a [u8],
    port: Option<u16>,
    kind: HostKind,
}

/// The kind of an origin's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// A domain, or the opaque host of a scheme that is neither http nor https.
    Name,
    /// A dotted IPv4 address.
    Ipv4([u8; 4]),
    /// A bracketed IPv6 address.
    Ipv6(Ipv6Addr),
}

// === impl OriginHeader ===

impl<'a> OriginHeader<'a> {
    /// Parses the header's value.
    pub fn parse(value: &'a [u8]) -> Self {
        // Fetch: `null` is case-sensitive.
        if value == b"null" {
            return Self::Null;
        }
        Origin::parse(value).map_or(Self::Malformed, Self::Tuple)
    }
}

// === impl Origin ===

impl<'a> Origin<'a> {
    /// Parses a serialized origin; `None` for anything a browser would have written differently.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        if raw.len() > MAX_ORIGIN_LEN {
            return None;
        }
        let (scheme, rest) = scheme_and_rest(raw)?;
        // Pages of applications may have no host. Browsers serialize the origin of local files as `null`; some embedded
        // ones as `file://`.
        if rest.is_empty() {
            let kind = HostKind::Name;
            return (!is_http(scheme)).then_some(Self { raw, scheme, host: b"", port: None, kind });
        }
        let (len, kind) = host_at(scheme, rest)?;
        let (host, port) = rest.split_at_checked(len)?;
        let port = match port {
            [] => None,
            [b':', digits @ ..] => Some(parse_port(digits)?),
            _ => return None,
        };
        // A serialized origin leaves the default port out.
        if port.is_some() && port == default_port(scheme) {
            return None;
        }
        Some(Self { raw, scheme, host, port, kind })
    }

    /// Returns the origin as the request writes it.
    pub fn as_str(&self) -> &'a str {
        std::str::from_utf8(self.raw).unwrap_or_default()
    }

    /// Returns the same as bytes.
    pub(crate) fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// Returns whether the host has upper-case letters, which only an opaque host can have.
    pub(crate) fn has_upper_case(&self) -> bool {
        !is_http(self.scheme) && self.host.iter().any(u8::is_ascii_uppercase)
    }

    /// Returns the length of `scheme://host`.
    pub(crate) fn len_without_port(&self) -> usize {
        self.scheme.len().saturating_add("://".len()).saturating_add(self.host.len())
    }

    /// Returns the scheme in lower case.
    pub fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// Returns the host, brackets included, in lower case if the scheme is http or https.
    pub fn host(&self) -> &'a str {
        std::str::from_utf8(self.host).unwrap_or_default()
    }

    /// Returns the same as bytes.
    pub(crate) fn host_bytes(&self) -> &'a [u8] {
        self.host
    }

    /// Returns the port as written, which is never the default one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the port in effect; `None` for a scheme without a default.
    pub fn effective_port(&self) -> Option<u16> {
        self.port.or(default_port(self.scheme))
    }

    /// Returns the kind of the host.
    pub fn kind(&self) -> HostKind {
        self.kind
    }
}

/// Splits `scheme://rest` where the scheme is one.
fn scheme_and_rest(raw: &[u8]) -> Option<(&str, &[u8])> {
    for (scheme, prefix) in [("https", &b"https://"[..]), ("http", b"http://")] {
        if let Some(rest) = raw.strip_prefix(prefix) {
            return Some((scheme, rest));
        }
    }
    let (scheme, rest) = raw.split_at_checked(raw.iter().position(|byte| *byte == b':')?)?;
    let scheme = std::str::from_utf8(scheme).ok().filter(|scheme| is_scheme(scheme))?;
    Some((scheme, rest.strip_prefix(b"://")?))
}

/// Returns the length and the kind of the host that `text` begins with, up to the colon of a port; `None` if no browser serializes
/// a host this way.
fn host_at(scheme: &str, text: &[u8]) -> Option<(usize, HostKind)> {
    if text.first() == Some(&b'[') {
        let len = text.iter().position(|byte| *byte == b']')?.saturating_add(1);
        let host = std::str::from_utf8(text.get(..len)?).ok()?;
        let address = parse_ipv6(host)?;
        return Ipv6Text::of(address).is(host).then_some((len, HostKind::Ipv6(address)));
    }
    let http = is_http(scheme);
    // Electron's pages have the origin `app://.`.
    if !http && matches!(text, b"." | [b'.', b':', ..]) {
        return Some((1, HostKind::Name));
    }
    let mut len = 0_usize;
    // Empty labels are no host; one trailing dot makes another, valid, host.
    let (mut label_begins, mut last_begins_with) = (true, b'.');
    for &byte in text {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {
                if label_begins {
                    (label_begins, last_begins_with) = (false, byte);
                }
            }
            b'A'..=b'Z' if !http => label_begins = false,
            b'.' if !label_begins => label_begins = true,
            b':' => break,
            _ => return None,
        }
        len = len.saturating_add(1);
    }
    if len == 0 || len > MAX_HOST_LEN {
        return None;
    }
    if http && last_begins_with.is_ascii_digit() {
        let host = std::str::from_utf8(text.get(..len)?).ok()?;
        if ends_in_number(host.strip_suffix('.').unwrap_or(host)) {
            return parse_ipv4(host).map(|octets| (len, HostKind::Ipv4(octets)));
        }
    }
    Some((len, HostKind::Name))
}

/// Splits `scheme://rest`. A scheme has no colon, so the first colon ends it.
pub(crate) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_at_checked(text.bytes().position(|byte| byte == b':')?)?;
    Some((scheme, rest.strip_prefix("://")?))
}

/// Returns whether `scheme` is a lower-case RFC 3986 scheme within bounds.
pub(crate) fn is_scheme(scheme: &str) -> bool {
    if is_http(scheme) {
        return true;
    }
    let mut bytes = scheme.bytes();
    scheme.len() <= MAX_SCHEME_LEN
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'))
}

/// Returns whether the scheme is http or https, whose hosts are domains or addresses; all other hosts are opaque.
pub(crate) fn is_http(scheme: &str) -> bool {
    matches!(scheme, "http" | "https")
}

/// Returns the default port of a scheme (URL standard, "default port"), if it has one.
pub(crate) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

/// Splits `host[:port]`, brackets respected; `None` if anything but a port follows a bracket.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.starts_with('[') {
        let (host, rest) = authority.split_at_checked(authority.find(']')?.saturating_add(1))?;
        return match rest {
            "" => Some((host, None)),
            _ => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    let Some(colon) = authority.bytes().rposition(|byte| byte == b':') else {
        return Some((authority, None));
    };
    let (host, rest) = authority.split_at_checked(colon)?;
    Some((host, rest.strip_prefix(':')))
}

/// Returns whether `host` is a name as most are written, in its normal form: each label begins with a lower-case letter. A look at
/// each byte of such a name is all that reading it takes.
pub(crate) fn is_usual_name(host: &str) -> bool {
    let mut begins = true;
    for byte in host.bytes() {
        begins = match byte {
            b'a'..=b'z' => false,
            b'0'..=b'9' | b'-' | b'_' if !begins => false,
            b'.' if !begins => true,
            _ => return false,
        };
    }
    !begins && host.len() <= MAX_HOST_LEN
}

/// Parses a decimal port, `1` to `65535`, without leading zeros.
pub(crate) fn parse_port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.first() == Some(&b'0') {
        return None;
    }
    digits.iter().try_fold(0_u16, |port, byte| {
        let digit = byte.is_ascii_digit().then(|| u16::from(byte & 0xf))?;
        port.checked_mul(10)?.checked_add(digit)
    })
}

/// URL standard, "ends in a number checker": such a host is an IPv4 address or nothing.
pub(crate) fn ends_in_number(host: &str) -> bool {
    let last = host.as_bytes().rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    if !last.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let hexadecimal =
        last.strip_prefix(b"0x").is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    hexadecimal || last.iter().all(u8::is_ascii_digit)
}

/// Four decimal octets without leading zeros, and nothing else.
pub(crate) fn parse_ipv4(host: &str) -> Option<[u8; 4]> {
    host.parse::<std::net::Ipv4Addr>().ok().map(|address| address.octets())
}

/// A bracketed IPv6 address, in any of its spellings.
pub(crate) fn parse_ipv6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// An IPv6 host as the URL standard serializes it, without the heap.
pub(crate) struct Ipv6Text {
    bytes: [u8; 48],
    len: usize,
}

// === impl Ipv6Text ===

impl Ipv6Text {
    /// URL standard, "IPv6 serializer": the first longest run of two or more zero pieces is compressed, and an
    /// embedded IPv4 address is not written with dots (as `std` would).
    pub(crate) fn of(address: Ipv6Addr) -> Self {
        let segments = address.segments();
        let (start, len) = longest_zero_run(&segments);
        let mut text = Self { bytes: [0; 48], len: 0 };
        let end = start.saturating_add(len);
        // Writing 8 pieces of at most 5 bytes and two brackets cannot overrun the buffer.
        let _ = text.write_char('[');
        for (at, segment) in segments.iter().enumerate() {
            if len > 1 && at == start {
                let _ = text.write_str("::");
            } else if len <= 1 || at < start || at >= end {
                let separated = at == 0 || (len > 1 && at == end);
                let _ = text.write_str(if separated { "" } else { ":" });
                let _ = write!(text, "{segment:x}");
            }
        }
        let _ = text.write_char(']');
        text
    }

    /// Returns whether the serialization equals `host`.
    fn is(&self, host: &str) -> bool {
        self.as_bytes() == host.as_bytes()
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl std::fmt::Write for Ipv6Text {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        let end = self.len.saturating_add(piece.len());
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(piece.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl std::fmt::Display for Ipv6Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

/// Returns the start and the length of the first longest run of zero pieces.
fn longest_zero_run(segments: &[u16; 8]) -> (usize, usize) {
    let mut best = (0, 0);
    let mut run = (0, 0_usize);
    for (at, &segment) in segments.iter().enumerate() {
        run = match (segment, run.1) {
            (0, 0) => (at, 1),
            (0, len) => (run.0, len.saturating_add(1)),
            _ => (0, 0),
        };
        if run.1 > best.1 {
            best = run;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn tuple(raw: &str) -> Origin<'_> {
        Origin::parse(raw.as_bytes()).unwrap_or_else(|| panic!("{raw} is an origin"))
    }

    #[test]
    fn a_serialized_origin_has_a_scheme_a_host_and_a_port_that_is_not_the_default() {
        let origin = tuple("https://app.example:8443");
        assert_eq!(
            (origin.scheme(), origin.host(), origin.port(), origin.effective_port()),
            ("https", "app.example", Some(8443), Some(8443))
        );
        assert_eq!(tuple("https://app.example").effective_port(), Some(443));
        assert_eq!(tuple("http://192.168.1.7").kind(), HostKind::Ipv4([192, 168, 1, 7]));
        assert_eq!(tuple("http://[::1]:3000").kind(), HostKind::Ipv6(Ipv6Addr::LOCALHOST));
        assert_eq!(tuple("file://").host(), "");
    }

    #[test]
    fn what_a_browser_would_write_differently_is_malformed() {
        for (why, raw) in [
            ("empty", &b""[..]),
            ("null is case-sensitive", b"NULL"),
            ("no scheme", b"app.example"),
            ("upper-case scheme", b"HTTPS://app.example"),
            ("upper-case host", b"https://App.example"),
            ("default port", b"https://app.example:443"),
            ("default port", b"http://app.example:80"),
            ("port zero", b"https://app.example:0"),
            ("leading zero", b"https://app.example:08443"),
            ("port too large", b"https://app.example:65536"),
            ("empty port", b"https://app.example:"),
            ("signed port", b"https://app.example:+1"),
            ("trailing slash", b"https://app.example/"),
            ("path", b"https://app.example/x"),
            ("query", b"https://app.example?x"),
            ("fragment", b"https://app.example#x"),
            ("userinfo", b"https://me@app.example"),
            ("two lines joined", b"https://a.example, https://b.example"),
            ("a space", b"https://app.example "),
            ("not ASCII", "https://b\u{fc}cher.example".as_bytes()),
            ("not UTF-8", b"https://\xff.example"),
            ("control character", b"https://a\0.example"),
            ("empty host", b"https://"),
            ("empty label", b"https://a..example"),
            ("leading dot", b"https://.example"),
            ("only a dot", b"https://."),
            ("octet too large", b"http://256.0.0.1"),
            ("three octets", b"http://1.2.3"),
            ("leading zero in an octet", b"http://1.2.3.04"),
            ("hexadecimal", b"http://1.2.3.0x4"),
            ("an address has no trailing dot", b"http://1.2.3.4."),
            ("IPv6 not compressed", b"http://[0:0:0:0:0:0:0:1]"),
            ("IPv6 in upper case", b"http://[2001:DB8::1]"),
            ("IPv6 with a zone", b"http://[fe80::1%25eth0]"),
            ("IPv6 with dots", b"http://[::ffff:1.2.3.4]"),
            ("unclosed bracket", b"http://[::1"),
            ("after the bracket", b"http://[::1]x"),
            ("no host of http", b"http://"),
            ("a port without a host", b"app://:3000"),
            ("a dot and more", b"app://.."),
            ("a dot before a label", b"app://.a"),
        ] {
            assert_eq!(OriginHeader::parse(raw), OriginHeader::Malformed, "{why}: {raw:?}");
        }
    }

    #[test]
    fn odd_origins_that_browsers_do_write_are_accepted() {
        for (why, raw) in [
            ("one label", "http://localhost"),
            ("underscore", "https://my_app.example"),
            ("trailing dot: another host", "https://app.example."),
            ("extension", "chrome-extension://abcdefghijklmnop"),
            ("opaque hosts keep their case", "moz-extension://AbC"),
            ("Electron", "app://."),
            ("Electron, with a port", "app://.:3000"),
            ("Qt", "qrc://"),
            ("a desktop application", "app://-"),
            ("local files", "file://"),
            ("Capacitor", "capacitor://localhost"),
            ("Ionic", "ionic://localhost"),
            ("Tauri", "tauri://localhost"),
            ("Wails", "wails://wails.localhost:34115"),
            ("an editor", "vscode-webview://1bdgh0vkkd1f0eij3kqdr2hqlrbgq5fvi0kf2gp3sm0h1vnbnb4h"),
            ("Safari", "safari-web-extension://5C8B6F24-9F6B-4E4C-8D3A-0A5C9A0B7D11"),
            ("Firefox", "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc"),
            ("Windows", "ms-appx-web://microsoft.microsoftedge"),
            ("Gecko", "resource://pdf.js"),
            ("digits are a name in an opaque host", "app://123"),
            ("mapped IPv4", "http://[::ffff:102:304]"),
            ("the first longest run", "http://[2001:0:0:1::1]"),
            ("no run of one", "http://[1:0:2:3:4:5:6:7]"),
            ("all zero", "http://[::]"),
            ("trailing zeros", "http://[1::]"),
        ] {
            assert!(
                matches!(OriginHeader::parse(raw.as_bytes()), OriginHeader::Tuple(_)),
                "{why}: {raw}"
            );
        }
        assert_eq!(OriginHeader::parse(b"null"), OriginHeader::Null);
    }

    #[test]
    fn the_longest_origin_is_accepted_and_one_byte_more_is_not() {
        let host = format!("{}.example", vec!["a"; 123].join("."));
        let host = format!("{}{host}", "a".repeat(MAX_HOST_LEN - host.len()));
        let longest = format!("{}://{host}:65535", "s".repeat(MAX_SCHEME_LEN));
        assert_eq!(longest.len(), MAX_ORIGIN_LEN);
        assert!(Origin::parse(longest.as_bytes()).is_some());
        assert!(
            Origin::parse(format!("{}x://{host}", "s".repeat(MAX_SCHEME_LEN)).as_bytes()).is_none()
        );
        assert!(Origin::parse(format!("https://a{host}").as_bytes()).is_none());
    }
}
