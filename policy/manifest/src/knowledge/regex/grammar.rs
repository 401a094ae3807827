//! Grammar: serialized origins (design section 3.2) as an automaton over bytes, with names for what deviates from them.
//!
//! A step without a fault stays within the grammar. Lengths and the compression of IPv6 addresses are not part of it.

use corsward_policy::finding::OriginFault as Fault;

use super::host::Host;
use super::port::Port;

/// A byte that stands for all bytes beyond ASCII.
pub(super) const BEYOND_ASCII: u8 = 0x7f;

/// The progress of reading an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ReadState {
    /// Nothing is read.
    Begin,
    /// Bytes that no origin begins with.
    Prefix,
    /// Some of the scheme.
    Spelling(Spelling),
    /// The scheme and its colon.
    Colon(Scheme),
    /// The scheme and `:/`.
    Slash(Scheme),
    /// `scheme://`, and some of the host.
    Host(Scheme, Host),
    /// The host, its colon, and some of the port.
    Port(Scheme, Port),
    /// A slash after all that.
    TrailingSlash,
    /// Something after that.
    Rest,
}

/// A scheme, as far as schemes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Scheme {
    ChromeExtension,
    File,
    Ftp,
    Http,
    Https,
    Ws,
    Wss,
    /// One without a default port.
    Other,
}

/// A scheme that is being read: how many bytes, and which of [`KNOWN`] begin with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Spelling {
    len: u8,
    candidates: u8,
}

const KNOWN: [(&[u8], Scheme); 7] = [
    (b"chrome-extension", Scheme::ChromeExtension),
    (b"file", Scheme::File),
    (b"ftp", Scheme::Ftp),
    (b"http", Scheme::Http),
    (b"https", Scheme::Https),
    (b"ws", Scheme::Ws),
    (b"wss", Scheme::Wss),
];

/// Whether an origin may end at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// It may.
    Clean,
    /// Only a text with that fault ends there.
    Faulty(Fault),
    /// Nothing that is like an origin ends there.
    Never,
}

/// A place and the fault on the way to it.
pub(super) type ReadStep = (ReadState, Option<Fault>);

// === impl ReadState ===

impl ReadState {
    /// The place after `byte`; `None` where not even a fault explains it.
    pub(super) fn step(self, byte: u8) -> Option<ReadStep> {
        match self {
            Self::Begin | Self::Prefix => Some(begin(byte)),
            Self::Spelling(spelling) => spelling.step(byte),
            Self::Colon(scheme) => match byte {
                b'/' => Some((Self::Slash(scheme), None)),
                _ => scheme.without_separator(byte),
            },
            Self::Slash(scheme) => match byte {
                b'/' => Some((Self::Host(scheme, Host::Start), None)),
                _ => scheme.without_separator(byte),
            },
            Self::Host(scheme, host) => Some(match byte {
                b':' if host != Host::Bracket => {
                    let is_missing = host == Host::Start;
                    let fault = if is_missing { Some(Fault::NoHost) } else { host.end(scheme) };
                    (Self::Port(scheme, Port::START), fault)
                }
                b'@' => (Self::Host(scheme, Host::Start), Some(Fault::Userinfo)),
                _ if host == Host::Bracket => host.step(scheme, byte),
                _ => rest(byte).unwrap_or_else(|| host.step(scheme, byte)),
            }),
            Self::Port(scheme, port) => Some(match byte {
                b'0'..=b'9' => {
                    let (port, fault) = port.step(scheme, byte);
                    (Self::Port(scheme, port), fault)
                }
                b'@' => (Self::Host(scheme, Host::Start), Some(Fault::Userinfo)),
                _ => rest(byte).unwrap_or((self, Some(character_fault(byte)))),
            }),
            Self::TrailingSlash => Some((Self::Rest, Some(Fault::Path))),
            Self::Rest => Some((Self::Rest, None)),
        }
    }

    pub(super) fn end(self) -> Finish {
        match self {
            Self::Begin | Self::Prefix | Self::Spelling(_) | Self::Colon(_) | Self::Slash(_) => {
                Finish::Never
            }
            Self::Host(scheme, host) => host.end(scheme).into(),
            Self::Port(scheme, port) => port.end(scheme).into(),
            Self::TrailingSlash | Self::Rest => Finish::Clean,
        }
    }

    /// The place where the scheme is taken as written.
    pub(super) fn without_scheme(self) -> Option<ReadStep> {
        let host = Self::Host(Scheme::Https, Host::Start);
        matches!(self, Self::Begin | Self::Prefix).then_some((host, Some(Fault::NoScheme)))
    }
}

impl From<Option<Fault>> for Finish {
    fn from(fault: Option<Fault>) -> Self {
        fault.map_or(Self::Clean, Self::Faulty)
    }
}

fn begin(byte: u8) -> ReadStep {
    match Spelling::START.step(byte) {
        Some(step) if byte.is_ascii_alphabetic() => step,
        _ => (ReadState::Prefix, Some(Fault::Prefix)),
    }
}

/// The text that follows host and port, and should not.
fn rest(byte: u8) -> Option<ReadStep> {
    match byte {
        b'/' => Some((ReadState::TrailingSlash, Some(Fault::TrailingSlash))),
        b'?' => Some((ReadState::Rest, Some(Fault::Query))),
        b'#' => Some((ReadState::Rest, Some(Fault::Fragment))),
        _ => None,
    }
}

/// The name of a byte that neither host nor port has.
pub(super) fn character_fault(byte: u8) -> Fault {
    match byte {
        b'*' => Fault::Star,
        b',' | b';' | b' ' => Fault::List,
        BEYOND_ASCII => Fault::NonAscii,
        _ => Fault::Character,
    }
}

// === impl Scheme ===

impl Scheme {
    /// Schemes whose hosts are domains or addresses.
    pub(super) fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// The default port (URL standard), as text.
    pub(super) fn default_port(self) -> Option<&'static [u8]> {
        match self {
            Self::Http | Self::Ws => Some(b"80"),
            Self::Https | Self::Wss => Some(b"443"),
            Self::Ftp => Some(b"21"),
            Self::ChromeExtension | Self::File | Self::Other => None,
        }
    }

    /// A host that begins without `://`, after http or https. After others it is probably a host's port.
    fn without_separator(self, byte: u8) -> Option<ReadStep> {
        let (host, fault) = Host::Start.step(self, byte);
        (self.is_http() && fault.is_none()).then_some((host, Some(Fault::Separator)))
    }
}

// === impl Spelling ===

impl Spelling {
    const START: Self = Self { len: 0, candidates: 0b111_1111 };

    fn step(self, byte: u8) -> Option<ReadStep> {
        match byte {
            b':' => Some((ReadState::Colon(self.scheme()), None)),
            b'/' if self.scheme().is_http() => {
                Some((ReadState::Slash(self.scheme()), Some(Fault::Separator)))
            }
            b'A'..=b'Z' => Some((self.with(byte.to_ascii_lowercase()), Some(Fault::SchemeCase))),
            b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.' => Some((self.with(byte), None)),
            _ => None,
        }
    }

    fn with(self, byte: u8) -> ReadState {
        let mut candidates = 0;
        for (at, (name, _)) in KNOWN.iter().enumerate() {
            let bit = 1_u8.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0);
            if name.get(usize::from(self.len)) == Some(&byte) {
                candidates |= self.candidates & bit;
            }
        }
        // All schemes that are none of the known are one.
        let len = if candidates == 0 { 0 } else { self.len.saturating_add(1) };
        ReadState::Spelling(Self { len, candidates })
    }

    fn scheme(self) -> Scheme {
        let known = KNOWN.iter().enumerate().find(|(at, (name, _))| {
            let is_candidate = self.candidates.checked_shr(u32::try_from(*at).unwrap_or(u32::MAX));
            is_candidate.is_some_and(|bits| bits & 1 == 1) && name.len() == usize::from(self.len)
        });
        known.map_or(Scheme::Other, |(_, (_, scheme))| *scheme)
    }
}

#[cfg(test)]
mod tests {
    use corsward_policy::origin::Origin;

    use super::*;

    /// The faults of `text`, or `None` where it cannot end as an origin.
    fn faults(text: &str) -> Option<Vec<Fault>> {
        let mut place = ReadState::Begin;
        let mut faults = Vec::new();
        for byte in text.bytes() {
            let byte = if byte.is_ascii() { byte } else { BEYOND_ASCII };
            let (next, fault) = place.step(byte)?;
            place = next;
            faults.extend(fault);
        }
        match place.end() {
            Finish::Clean => {}
            Finish::Faulty(fault) => faults.push(fault),
            Finish::Never => return None,
        }
        Some(faults)
    }

    /// Origins, and what is none, one beside the other.
    const TEXTS: &str = "\
        app:// app://:1 app://. app://.:1 app://.. app://.a app://a. file://. http://. qrc://
        https://app.example http://app.example:8080 https://app.example:80 http://app.example:443 https://a https://a.b.
        https://0a.b https://1.2.3.4 http://255.249.199.99:1 http://256.0.0.1 http://1.2.3 http://1.2.3.4.5
        http://01.2.3.4 http://1.2.3.0x4 http://a.0x http://a.0xg http://1.2.3.4. https://a..b
        https://.a https:// https://[::1] https://[::1]:1 https://a:0 https://a:00
        https://a:01 https://a:65535 https://a:65536 https://a:65529 https://a:70000 https://a:100000
        https://a:443 http://a:80 https://a:4430 https://a:44 http://a:8 http://a:800
        ws://a:80 wss://a:443 ftp://a:21 file:// file://a app://123
        app://AbC app://a:80 app://a..b moz-extension://a_b httpx://A httpsx://A
        https://A HTTPS://a https://a/ https://a/b https://a?b https://a#b
        https://b@a https://b:c@a https://a,b https://a+b https:/a https:a
        https//a ://a a 1http://a +a://b a+://b
        https://b\u{fc}cher https://a: https://a:x https://1.2.3.4:443 https://a_b.c-d https://-
        https://9 https://255.255.255.255 http://1.2.3.256 http://249.250.255.0 http://199.200.99.100 http://300.1.1.1";

    #[test]
    fn a_text_without_fault_is_what_the_filter_parses() {
        for text in TEXTS.split_whitespace() {
            let is_origin = Origin::parse(text.as_bytes()).is_some();
            assert_eq!(faults(text) == Some(Vec::new()), is_origin, "{text}: {:?}", faults(text));
        }
    }

    #[test]
    fn a_fault_has_its_name() {
        for (text, want) in [
            ("https://App.example", &[Fault::HostCase][..]),
            ("HTtp://a", &[Fault::SchemeCase, Fault::SchemeCase]),
            ("https://a:443", &[Fault::DefaultPort]),
            ("https://a:08", &[Fault::PortZeros]),
            ("https://a:65536", &[Fault::PortRange]),
            ("https://a:", &[Fault::EmptyPort]),
            ("https://a/", &[Fault::TrailingSlash]),
            ("https://a/b/c", &[Fault::TrailingSlash, Fault::Path]),
            ("https://a#", &[Fault::Fragment]),
            ("https://me@a", &[Fault::Userinfo]),
            ("https://*.a", &[Fault::Star]),
            ("https://\u{7f}.a", &[Fault::NonAscii]),
            ("https:/a", &[Fault::Separator]),
            ("https//a", &[Fault::Separator]),
            ("#https://a", &[Fault::Prefix]),
            ("https://1.2", &[Fault::Ipv4]),
        ] {
            assert_eq!(faults(text).as_deref(), Some(want), "{text}");
        }
    }
}
