//! `OriginPattern`: one entry of `allowOrigins`, parsed and normalized (design section 3.1).

pub mod cidr;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use crate::limits::{MAX_HOST_LEN, MAX_LABEL_LEN};
use crate::origin::{
    Ipv6Text, default_port, ends_in_number, is_http, is_scheme, is_usual_name, parse_ipv4,
    parse_ipv6, parse_port, split_port, split_scheme,
};
use crate::pattern::cidr::{Cidr, split_cidr};

/// The origins that one entry of `allowOrigins` accepts. Prints in its normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OriginPattern {
    /// `*`: any origin.
    Any,
    /// `null`: the opaque origin.
    Null,
    /// Tuple origins.
    Tuple(TuplePattern),
}

/// The tuple origins that a pattern accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TuplePattern {
    // INVARIANT: lower case, at most MAX_SCHEME_LEN.
    scheme: Cow<'static, str>,
    host: HostShape,
    port: PortPattern,
}

/// The hosts that a pattern accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostShape {
    /// This one, in its normal form; empty or `.` only where the scheme is neither http nor https.
    Exact(String),
    /// `*.rest`: one or more whole labels to the left of `rest`.
    Subdomains(String),
    /// `prefix*suffix.rest`: one label, with one or more of `[a-z0-9-]` in place of the star.
    Label {
        /// Before the star.
        prefix: String,
        /// After the star, up to the first dot.
        suffix: String,
        /// After the first dot; never empty but for `*suffix` without a dot.
        rest: String,
    },
    /// The first octets of an IPv4 address; the missing ones are stars.
    Ipv4(Vec<u8>),
    /// The addresses of a block, of more than one.
    Cidr(Cidr),
    /// `*`: any name or address.
    Any,
}

/// The ports that a pattern accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortPattern {
    /// None written: the scheme's default, or none where it has no default.
    Default,
    /// This one; never the scheme's default.
    Number(u16),
    /// `*`: any, the default included.
    Any,
}

/// A parsed pattern, and whether it had to be normalized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedPattern {
    /// The pattern.
    pub pattern: OriginPattern,
    /// Whether its text differs from its normal form (case, default port, IPv6 compression).
    pub normalized: bool,
}

/// The reason why an entry of `allowOrigins` is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidOrigin {
    /// Nothing written.
    Empty,
    /// White space or a control character.
    Space,
    /// No `scheme://`.
    NoScheme,
    /// Not an RFC 3986 scheme, or too long; a star included.
    Scheme,
    /// `user@`.
    Userinfo,
    /// Only a `/` after the origin.
    TrailingSlash,
    /// A path.
    Path,
    /// A query.
    Query,
    /// A fragment.
    Fragment,
    /// No host.
    NoHost,
    /// Longer than a host can be.
    HostTooLong,
    /// A host beyond ASCII, as written.
    NonAscii(String),
    /// A trailing dot.
    TrailingDot,
    /// An empty label.
    EmptyLabel,
    /// A byte that no host has.
    HostCharacter(char),
    /// A host that ends in a number and is no IPv4 address.
    Ipv4,
    /// Not an IPv6 address.
    Ipv6,
    /// More than one star in a host name, or one outside the leftmost label.
    Star,
    /// Stars in an IPv4 address that are not whole octets at the right end.
    Ipv4Star,
    /// A prefix length after an address that has bits beyond it; the block around it.
    CidrHostBits(Cidr),
    /// A prefix length that the address does not have, or with leading zeros.
    CidrPrefix,
    /// A prefix length after an address with a star.
    CidrStar,
    /// A prefix length after a name.
    CidrName,
    /// Not a port from 1 to 65535 without leading zeros.
    Port,
}

// === impl OriginPattern ===

impl OriginPattern {
    /// Parses an entry as an author writes it, and normalizes case, default port and IPv6 form.
    ///
    /// # Errors
    ///
    /// See [`InvalidOrigin`].
    pub fn parse(raw: &str) -> Result<ParsedPattern, InvalidOrigin> {
        let pattern = Self::read(raw)?;
        let normalized = pattern.to_string() != raw;
        Ok(ParsedPattern { pattern, normalized })
    }

    /// [`OriginPattern::parse`], for a reader that does not ask what was normalized.
    pub(crate) fn read(raw: &str) -> Result<Self, InvalidOrigin> {
        Ok(match raw {
            "" => return Err(InvalidOrigin::Empty),
            "*" => Self::Any,
            "null" => Self::Null,
            _ => Self::Tuple(match TuplePattern::usual(raw) {
                Some(usual) => usual,
                None => TuplePattern::parse(raw)?,
            }),
        })
    }

    /// The same in the one notation of all patterns that accept the same origins.
    pub(crate) fn in_one_notation(&self) -> Self {
        match self {
            Self::Tuple(tuple) => Self::Tuple(tuple.in_one_notation()),
            Self::Any | Self::Null => self.clone(),
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Null => f.write_str("null"),
            Self::Tuple(tuple) => tuple.fmt(f),
        }
    }
}

// === impl TuplePattern ===

impl TuplePattern {
    /// The pattern of an origin without a port whose host is a usual name.
    fn usual(raw: &str) -> Option<Self> {
        let (scheme, host) = match raw.strip_prefix("https://") {
            Some(host) => ("https", host),
            None => ("http", raw.strip_prefix("http://")?),
        };
        let host = is_usual_name(host).then(|| HostShape::Exact(host.to_owned()))?;
        Some(Self { scheme: Cow::Borrowed(scheme), host, port: PortPattern::Default })
    }

    fn parse(raw: &str) -> Result<Self, InvalidOrigin> {
        let is_graphic = raw.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_graphic && raw.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(InvalidOrigin::Space);
        }
        let (scheme, rest) = split_scheme(raw).ok_or(InvalidOrigin::NoScheme)?;
        let scheme = match scheme {
            "https" => Cow::Borrowed("https"),
            "http" => Cow::Borrowed("http"),
            _ => Cow::Owned(scheme.to_ascii_lowercase()),
        };
        if !is_scheme(&scheme) {
            return Err(InvalidOrigin::Scheme);
        }
        if rest.is_empty() && !is_http(&scheme) {
            let host = HostShape::Exact(String::new());
            return Ok(Self { scheme, host, port: PortPattern::Default });
        }
        if is_http(&scheme)
            && let Some((address, prefix, port)) = split_cidr(rest)
        {
            let host = HostShape::from(Cidr::parse(address, prefix)?);
            let port = PortPattern::parse(&scheme, port)?;
            return Ok(Self { scheme, host, port });
        }
        refuse_more_than_an_authority(rest)?;
        let (host, port) = split_port(rest).ok_or(InvalidOrigin::Ipv6)?;
        let host = HostShape::parse(&scheme, host)?;
        let port = PortPattern::parse(&scheme, port)?;
        Ok(Self { scheme, host, port })
    }

    /// The same scheme, with a different host and port.
    pub(crate) fn with(&self, host: HostShape, port: PortPattern) -> Self {
        Self { scheme: self.scheme.clone(), host, port }
    }

    /// The same in the one notation of all patterns that accept the same origins: stars for octets are a block of addresses.
    pub(crate) fn in_one_notation(&self) -> Self {
        let block = self.host.block().map(HostShape::from);
        self.with(block.unwrap_or_else(|| self.host.clone()), self.port)
    }

    /// The scheme, lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The hosts.
    pub fn host(&self) -> &HostShape {
        &self.host
    }

    /// The ports.
    pub fn port(&self) -> PortPattern {
        self.port
    }
}

impl fmt::Display for TuplePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host, self.port)
    }
}

/// An origin ends where the authority ends, and has no userinfo.
fn refuse_more_than_an_authority(rest: &str) -> Result<(), InvalidOrigin> {
    match rest.find(['/', '\\', '?', '#']).and_then(|at| rest.get(at..)) {
        None if rest.contains('@') => Err(InvalidOrigin::Userinfo),
        None => Ok(()),
        Some("/") => Err(InvalidOrigin::TrailingSlash),
        Some(more) if more.starts_with('?') => Err(InvalidOrigin::Query),
        Some(more) if more.starts_with('#') => Err(InvalidOrigin::Fragment),
        Some(_) => Err(InvalidOrigin::Path),
    }
}

// === impl HostShape ===

impl HostShape {
    fn parse(scheme: &str, raw: &str) -> Result<Self, InvalidOrigin> {
        if raw.is_empty() {
            return Err(InvalidOrigin::NoHost);
        }
        if !raw.is_ascii() {
            return Err(InvalidOrigin::NonAscii(raw.to_owned()));
        }
        if raw.len() > MAX_HOST_LEN {
            return Err(InvalidOrigin::HostTooLong);
        }
        if raw == "*" {
            return Ok(Self::Any);
        }
        if raw == "." && !is_http(scheme) {
            return Ok(Self::Exact(raw.to_owned()));
        }
        // Hosts of other schemes are opaque to browsers, and compare case-insensitively here.
        let host = raw.to_ascii_lowercase();
        if host.starts_with('[') {
            let address = parse_ipv6(&host).ok_or(InvalidOrigin::Ipv6)?;
            return Ok(Self::Exact(Ipv6Text::of(address).to_string()));
        }
        refuse_misspelled_name(&host)?;
        if is_http(scheme)
            && let Some(shape) = Self::parse_ipv4(&host)?
        {
            return Ok(shape);
        }
        Self::parse_name(host)
    }

    /// The block of addresses that it is, written with stars or with a prefix length.
    pub fn block(&self) -> Option<Cidr> {
        match self {
            Self::Cidr(block) => Some(*block),
            Self::Ipv4(fixed) => {
                let mut octets = [0; 4];
                octets.iter_mut().zip(fixed).for_each(|(to, octet)| *to = *octet);
                let prefix = u8::try_from(fixed.len()).ok()?.saturating_mul(8);
                Cidr::around(octets.into(), prefix)
            }
            Self::Exact(_) | Self::Subdomains(_) | Self::Label { .. } | Self::Any => None,
        }
    }

    /// A host that ends in a number, or in a star after numbers, is an IPv4 address or nothing.
    fn parse_ipv4(host: &str) -> Result<Option<Self>, InvalidOrigin> {
        if !host.contains('*') && !ends_in_number(host) {
            return Ok(None);
        }
        let octets: Vec<&str> = host.split('.').collect();
        let stars = octets.iter().rev().take_while(|octet| **octet == "*").count();
        if stars == 0 {
            let starred = host.contains('*');
            let octets_only =
                octets.iter().all(|octet| *octet == "*" || octet.parse::<u8>().is_ok());
            return match parse_ipv4(host) {
                Some(_) => Ok(Some(Self::Exact(host.to_owned()))),
                None if starred && (octets_only || ends_in_number(host)) => {
                    Err(InvalidOrigin::Ipv4Star)
                }
                None if ends_in_number(host) => Err(InvalidOrigin::Ipv4),
                None => Ok(None),
            };
        }
        let written = octets.len().saturating_sub(stars);
        let fixed: Option<Vec<u8>> = octets
            .iter()
            .take(written)
            .map(|octet| parse_ipv4(&format!("{octet}.0.0.0")).map(|[first, ..]| first))
            .collect();
        match fixed {
            Some(fixed) if octets.len() == 4 => Ok(Some(Self::Ipv4(fixed))),
            // Every octet is a number, but there are not four.
            _ if octets.iter().all(|octet| *octet == "*" || ends_in_number(octet)) => {
                Err(InvalidOrigin::Ipv4Star)
            }
            _ => Err(InvalidOrigin::Star),
        }
    }

    fn parse_name(host: String) -> Result<Self, InvalidOrigin> {
        if !host.contains('*') {
            return Ok(Self::Exact(host));
        }
        let (label, rest) = host.split_once('.').unwrap_or((&host, ""));
        let (prefix, suffix) = label.split_once('*').ok_or(InvalidOrigin::Star)?;
        if suffix.contains('*') || rest.contains('*') {
            return Err(InvalidOrigin::Star);
        }
        if label.len() > MAX_LABEL_LEN {
            return Err(InvalidOrigin::HostTooLong);
        }
        Ok(match (prefix, suffix, rest) {
            ("", "", rest) => Self::Subdomains(rest.to_owned()),
            _ => Self::Label {
                prefix: prefix.to_owned(),
                suffix: suffix.to_owned(),
                rest: rest.to_owned(),
            },
        })
    }
}

impl fmt::Display for HostShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Subdomains(rest) => write!(f, "*.{rest}"),
            Self::Label { prefix, suffix, rest } if rest.is_empty() => {
                write!(f, "{prefix}*{suffix}")
            }
            Self::Label { prefix, suffix, rest } => write!(f, "{prefix}*{suffix}.{rest}"),
            Self::Ipv4(fixed) => {
                let octets = fixed.iter().map(u8::to_string);
                let stars =
                    std::iter::repeat_n("*".to_owned(), 4_usize.saturating_sub(fixed.len()));
                f.write_str(&octets.chain(stars).collect::<Vec<_>>().join("."))
            }
            Self::Cidr(block) => block.fmt(f),
            Self::Any => f.write_str("*"),
        }
    }
}

impl From<Cidr> for HostShape {
    /// A block of one address is that address.
    fn from(block: Cidr) -> Self {
        match block.network() {
            IpAddr::V4(ipv4) if block.is_one_address() => Self::Exact(ipv4.to_string()),
            IpAddr::V6(ipv6) if block.is_one_address() => {
                Self::Exact(Ipv6Text::of(ipv6).to_string())
            }
            _ => Self::Cidr(block),
        }
    }
}

/// The mistakes that any host name can have.
fn refuse_misspelled_name(host: &str) -> Result<(), InvalidOrigin> {
    let is_host_char = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.' | '*');
    if let Some(c) = host.chars().find(|c| !is_host_char(c)) {
        return Err(InvalidOrigin::HostCharacter(c));
    }
    if host.ends_with('.') {
        return Err(InvalidOrigin::TrailingDot);
    }
    if host.split('.').any(str::is_empty) {
        return Err(InvalidOrigin::EmptyLabel);
    }
    Ok(())
}

// === impl PortPattern ===

impl PortPattern {
    fn parse(scheme: &str, raw: Option<&str>) -> Result<Self, InvalidOrigin> {
        match raw {
            None => Ok(Self::Default),
            Some("*") => Ok(Self::Any),
            Some(digits) => match parse_port(digits.as_bytes()) {
                Some(port) if default_port(scheme) == Some(port) => Ok(Self::Default),
                Some(port) => Ok(Self::Number(port)),
                None => Err(InvalidOrigin::Port),
            },
        }
    }
}

impl fmt::Display for PortPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => Ok(()),
            Self::Number(port) => write!(f, ":{port}"),
            Self::Any => f.write_str(":*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::HostPattern;

    #[test]
    fn every_form_parses_and_prints_in_its_normal_form() {
        for (why, raw, want) in [
            ("exact", "https://a.example", "https://a.example"),
            ("case", "HTTPS://A.Example", "https://a.example"),
            ("default port", "https://a.example:443", "https://a.example"),
            ("other port", "https://a.example:8443", "https://a.example:8443"),
            ("any port", "http://localhost:*", "http://localhost:*"),
            ("whole labels", "https://*.a.example", "https://*.a.example"),
            ("star in a label", "https://pr-*--app.a.example", "https://pr-*--app.a.example"),
            ("star and suffix", "https://*example.com", "https://*example.com"),
            ("IPv4", "http://10.1.2.3", "http://10.1.2.3"),
            ("last octet", "http://192.168.1.*:3000", "http://192.168.1.*:3000"),
            ("two octets, any port", "http://10.0.*.*:*", "http://10.0.*.*:*"),
            ("all octets", "http://*.*.*.*", "http://*.*.*.*"),
            ("IPv6", "http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
            ("IPv6, upper case", "http://[2001:DB8::1]", "http://[2001:db8::1]"),
            ("a block", "http://172.16.0.0/12", "http://172.16.0.0/12"),
            ("a block, one port", "http://172.16.0.0/12:8080", "http://172.16.0.0/12:8080"),
            ("a block, any port", "http://172.16.0.0/12:*", "http://172.16.0.0/12:*"),
            ("a block, the default port", "HTTPS://10.0.0.0/8:443", "https://10.0.0.0/8"),
            ("an IPv6 block", "http://[fd00::]/8:*", "http://[fd00::]/8:*"),
            ("an IPv6 block, spelled out", "http://[FD00:0:0::0]/8", "http://[fd00::]/8"),
            ("mapped addresses", "http://[::ffff:127.0.0.0]/104", "http://[::ffff:7f00:0]/104"),
            ("a block of one address", "http://10.0.0.1/32:*", "http://10.0.0.1:*"),
            ("a block of one IPv6 address", "http://[::1]/128", "http://[::1]"),
            ("every address", "http://0.0.0.0/0", "http://0.0.0.0/0"),
            ("any host", "https://*", "https://*"),
            ("any host, any port", "https://*:*", "https://*:*"),
            ("extension", "chrome-extension://ABC", "chrome-extension://abc"),
            ("app", "capacitor://localhost", "capacitor://localhost"),
            ("digits in an opaque host", "app://1.2", "app://1.2"),
            ("file", "file://", "file://"),
            ("no host", "App://", "app://"),
            ("a dot for a host", "app://.", "app://."),
            ("a dot and a port", "app://.:*", "app://.:*"),
            ("null", "null", "null"),
            ("any", "*", "*"),
        ] {
            let parsed =
                OriginPattern::parse(raw).unwrap_or_else(|e| panic!("{why}: {raw}: {e:?}"));
            assert_eq!(parsed.pattern.to_string(), want, "{why}");
            assert_eq!(parsed.normalized, raw != want, "{why}");
            assert_eq!(OriginPattern::parse(want).unwrap().pattern, parsed.pattern, "{why}");
        }
    }

    fn block(address: &str, prefix: u8) -> Cidr {
        Cidr::around(address.parse().unwrap(), prefix).unwrap()
    }

    #[test]
    fn a_usual_origin_is_read_as_every_other() {
        const PIECES: [&str; 10] = ["a", "z1", "0", "-", "_", ".", "*", ":", "A", "0x"];
        let mut hosts = vec![String::new()];
        for _ in 0..4 {
            let longer = |host: &String| PIECES.map(|piece| format!("{host}{piece}"));
            hosts = hosts.iter().flat_map(longer).collect();
            for host in &hosts {
                let raw = format!("http://{host}");
                let usual = TuplePattern::usual(&raw);
                assert!(usual.is_none_or(|usual| TuplePattern::parse(&raw) == Ok(usual)), "{raw}");
                let exact = HostPattern::Exact(host.clone());
                assert!(!is_usual_name(host) || HostPattern::read(host) == Ok(exact), "{host}");
            }
        }
        assert_eq!(
            TuplePattern::usual("https://a.example").map(|a| a.to_string()).as_deref(),
            Some("https://a.example")
        );
    }

    #[test]
    fn every_mistake_has_its_own_reason() {
        use InvalidOrigin::*;
        for (raw, want) in [
            ("", Empty),
            (" https://a.example", Space),
            ("https://a.example\t", Space),
            ("a.example", NoScheme),
            ("https:/a.example", NoScheme),
            ("*://a.example", Scheme),
            ("1http://a.example", Scheme),
            ("https://me@a.example", Userinfo),
            ("https://me:pw@a.example:1", Userinfo),
            ("https://a.example/", TrailingSlash),
            ("https://a.example/x", Path),
            ("https://a.example\\x", Path),
            ("https://a.example?x", Query),
            ("https://a.example#x", Fragment),
            ("https://", NoHost),
            ("https://:443", NoHost),
            ("https://b\u{fc}cher.example", NonAscii("b\u{fc}cher.example".into())),
            ("https://a.example.", TrailingDot),
            ("https://a..example", EmptyLabel),
            ("https://.example", EmptyLabel),
            ("https://.", TrailingDot),
            ("app://..", TrailingDot),
            ("app://.a", EmptyLabel),
            ("app://*.", TrailingDot),
            ("app://:3000", NoHost),
            ("app://10.0.0.0/8", Path),
            ("https://a.example/12", Path),
            ("http://10.0.0.0:80/8", Path),
            ("http://10.0.0.0/", TrailingSlash),
            ("https://a,b.example", HostCharacter(',')),
            ("http://256.0.0.1", Ipv4),
            ("http://1.2.3", Ipv4),
            ("http://01.2.3.4", Ipv4),
            ("http://a.0x1", Ipv4),
            ("http://[::1", Ipv6),
            ("http://[zz]", Ipv6),
            ("http://[::1]x", Ipv6),
            ("https://a.*.example", Star),
            ("https://*.*.example", Star),
            ("https://**.example", Star),
            ("https://a*b*.example", Star),
            ("https://app.example.*", Star),
            ("https://app.*.*", Star),
            ("http://192.168.*", Ipv4Star),
            ("http://192.*.1.1", Ipv4Star),
            ("http://192.168.1*.1", Ipv4Star),
            ("http://300.168.1.*", Ipv4Star),
            ("https://a.example:0", Port),
            ("https://a.example:08", Port),
            ("https://a.example:65536", Port),
            ("https://a.example:http", Port),
            ("https://a.example:", Port),
        ] {
            assert_eq!(OriginPattern::parse(raw).unwrap_err(), want, "{raw}");
        }
        let long = format!("https://{}.example", "a".repeat(MAX_HOST_LEN));
        assert_eq!(OriginPattern::parse(&long).unwrap_err(), HostTooLong);
    }

    #[test]
    fn every_mistake_in_a_block_of_addresses_has_its_own_reason() {
        use InvalidOrigin::*;
        for (raw, want) in [
            ("http://172.16.5.0/12", CidrHostBits(block("172.16.0.0", 12))),
            ("http://[fd00::1]/8:*", CidrHostBits(block("fd00::", 8))),
            ("http://10.0.0.0/33", CidrPrefix),
            ("http://10.0.0.0/08", CidrPrefix),
            ("http://10.0.0.0/00", CidrPrefix),
            ("http://10.0.0.0/999", CidrPrefix),
            ("http://[fd00::]/129", CidrPrefix),
            ("http://10.0.*.*/16", CidrStar),
            ("https://a.example/12:80", CidrName),
            ("http://10.0.0/8", Ipv4),
            ("http://[fd00::zz]/8", Ipv6),
            ("http://10.0.0.0/8:", Port),
            ("http://10.0.0.0/8:0", Port),
        ] {
            assert_eq!(OriginPattern::parse(raw).unwrap_err(), want, "{raw}");
        }
    }
}
