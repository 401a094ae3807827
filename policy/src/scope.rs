//! Scope: the hosts and paths that a policy covers.

use std::fmt;

use crate::draft::PathType;
use crate::limits::{MAX_HOST_LEN, MAX_RULE_PATH_LEN};
use crate::origin::{Ipv6Text, is_usual_name, split_scheme};
use crate::{path, path_syntax};

/// One entry of `hostnames` (Gateway API, `Hostname`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// `*`: every authority, as when there are no `hostnames`.
    Any,
    /// `*.rest`: one or more labels to the left of `rest`.
    Subdomains(String),
    /// This host, lower case.
    Exact(String),
}

/// The reason why an entry of `hostnames` is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidHost {
    /// Nothing written, or only a star and a dot.
    Empty,
    /// A scheme: it is an origin, not a host.
    Scheme,
    /// A port.
    Port,
    /// A path, query, fragment, userinfo or other byte that no host has.
    Character(char),
    /// A trailing dot.
    TrailingDot,
    /// An empty label.
    EmptyLabel,
    /// A star that is not the whole leftmost label.
    Star,
    /// Longer than a host can be.
    TooLong,
}

/// The paths that a rule covers (Gateway API, `HTTPPathMatch`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathMatch {
    /// This path, to the letter.
    Exact(String),
    /// This path and everything below it; no trailing slash, so the root is empty.
    Prefix(String),
}

/// The reason why a rule's path is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidPath {
    /// It does not start with a slash.
    NotAbsolute,
    /// It has a query or a fragment.
    Query,
    /// Longer than a rule's path may be.
    TooLong,
    /// Back ends read it in two ways, so it can never match.
    Ambiguous,
    /// Requests are compared in their normal form, which is this one.
    NotNormal(String),
}

// === impl HostPattern ===

impl HostPattern {
    /// Parses an entry as an author writes it; case and IPv6 form are normalized.
    ///
    /// # Errors
    ///
    /// See [`InvalidHost`].
    pub fn parse(raw: &str) -> Result<Self, InvalidHost> {
        if raw == "*" {
            return Ok(Self::Any);
        }
        if is_usual_name(raw) {
            return Ok(Self::Exact(raw.to_owned()));
        }
        Self::read(raw)
    }

    /// [`HostPattern::parse`] of what is no usual name.
    pub(crate) fn read(raw: &str) -> Result<Self, InvalidHost> {
        if split_scheme(raw).is_some() {
            return Err(InvalidHost::Scheme);
        }
        if raw.len() > MAX_HOST_LEN {
            return Err(InvalidHost::TooLong);
        }
        let host = raw.to_ascii_lowercase();
        if let Some(address) = host.strip_prefix('[') {
            let (inside, after) = address.split_once(']').ok_or(InvalidHost::Character('['))?;
            if after.starts_with(':') {
                return Err(InvalidHost::Port);
            }
            let address = inside.parse().ok().filter(|_| after.is_empty());
            let address = address.ok_or(InvalidHost::Character('['))?;
            return Ok(Self::Exact(Ipv6Text::of(address).to_string()));
        }
        let rest = host.strip_prefix("*.");
        refuse_misspelled_host(rest.unwrap_or(&host))?;
        Ok(match rest {
            Some(rest) => Self::Subdomains(rest.to_owned()),
            None => Self::Exact(host),
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Subdomains(rest) => write!(f, "*.{rest}"),
            Self::Exact(host) => f.write_str(host),
        }
    }
}

fn refuse_misspelled_host(host: &str) -> Result<(), InvalidHost> {
    let is_host_char = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.');
    match host.chars().find(|c| !is_host_char(c)) {
        Some(':') => return Err(InvalidHost::Port),
        Some('*') => return Err(InvalidHost::Star),
        Some(c) => return Err(InvalidHost::Character(c)),
        None if host.is_empty() => return Err(InvalidHost::Empty),
        None if host.ends_with('.') => return Err(InvalidHost::TrailingDot),
        None => {}
    }
    if host.split('.').any(str::is_empty) { Err(InvalidHost::EmptyLabel) } else { Ok(()) }
}

/// Splits a request's `:authority` into the host, brackets included, and the port as written.
pub fn split_authority(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let colon = authority.iter().rposition(|&byte| byte == b':');
    let bracket = authority.iter().rposition(|&byte| byte == b']');
    match colon {
        Some(at) if bracket.is_none_or(|bracket| bracket < at) => {
            (authority.get(..at).unwrap_or_default(), authority.get(at.saturating_add(1)..))
        }
        _ => (authority, None),
    }
}

// === impl PathMatch ===

impl PathMatch {
    /// Parses a rule's path.
    ///
    /// # Errors
    ///
    /// See [`InvalidPath`].
    pub fn parse(path_type: PathType, raw: &str) -> Result<Self, InvalidPath> {
        let normal = normal(raw)?;
        // A star is `%2A` to an author, whom `*` would promise a glob, and itself to the comparison.
        if normal != raw && normal != path_syntax::unspell(raw) {
            return Err(InvalidPath::NotNormal(path_syntax::spell(&normal)));
        }
        Ok(Self::of(path_type, &normal))
    }

    /// Reads a path in its normal form, as it is compared; `None` for any other form.
    pub(crate) fn read(path_type: PathType, raw: &str) -> Option<Self> {
        let normal = normal(raw).ok()?;
        (normal == raw).then(|| Self::of(path_type, &normal))
    }

    fn of(path_type: PathType, normal: &str) -> Self {
        match path_type {
            PathType::Exact => Self::Exact(normal.to_owned()),
            PathType::PathPrefix => {
                Self::Prefix(normal.strip_suffix('/').unwrap_or(normal).to_owned())
            }
        }
    }
}

/// The normal form of a path that can be compared.
fn normal(raw: &str) -> Result<String, InvalidPath> {
    if !raw.starts_with('/') {
        return Err(InvalidPath::NotAbsolute);
    }
    if raw.contains(['?', '#']) {
        return Err(InvalidPath::Query);
    }
    if raw.len() > MAX_RULE_PATH_LEN {
        return Err(InvalidPath::TooLong);
    }
    if path::is_ambiguous(raw.as_bytes()) {
        return Err(InvalidPath::Ambiguous);
    }
    // What is escaped is ASCII, and stays so.
    Ok(String::from_utf8(path::normalize(&escape(raw))).unwrap_or_default())
}

impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(path) if path.is_empty() => f.write_str("/"),
            Self::Exact(path) | Self::Prefix(path) => f.write_str(path),
        }
    }
}

/// Escapes the characters that a path cannot hold, as clients do (RFC 3986 section 2.1).
fn escape(path: &str) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            0x21..=0x7e => escaped.push(byte),
            _ => escaped.extend([b'%', path::hex_digit(byte >> 4), path::hex_digit(byte & 15)]),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostname_is_a_host_without_a_port() {
        for (raw, want) in [
            ("api.shop.example", Ok(HostPattern::Exact("api.shop.example".into()))),
            ("API.Shop.Example", Ok(HostPattern::Exact("api.shop.example".into()))),
            ("*.shop.example", Ok(HostPattern::Subdomains("shop.example".into()))),
            ("*", Ok(HostPattern::Any)),
            ("localhost", Ok(HostPattern::Exact("localhost".into()))),
            ("[::1]", Ok(HostPattern::Exact("[::1]".into()))),
            ("[0:0:0:0:0:0:0:1]", Ok(HostPattern::Exact("[::1]".into()))),
            ("", Err(InvalidHost::Empty)),
            ("*.", Err(InvalidHost::Empty)),
            ("https://a.example", Err(InvalidHost::Scheme)),
            ("a.example:8080", Err(InvalidHost::Port)),
            ("[::1]:80", Err(InvalidHost::Port)),
            ("a.example/x", Err(InvalidHost::Character('/'))),
            ("a.example.", Err(InvalidHost::TrailingDot)),
            ("a..example", Err(InvalidHost::EmptyLabel)),
            ("a.*.example", Err(InvalidHost::Star)),
            ("pr-*.example", Err(InvalidHost::Star)),
        ] {
            assert_eq!(HostPattern::parse(raw), want, "{raw}");
        }
    }

    #[test]
    fn an_authority_splits_into_host_and_port() {
        for (raw, host, port) in [
            ("a.example", "a.example", None),
            ("a.example:80", "a.example", Some("80")),
            ("[::1]", "[::1]", None),
            ("[::1]:80", "[::1]", Some("80")),
            ("a.example:", "a.example", Some("")),
            ("", "", None),
        ] {
            assert_eq!(
                split_authority(raw.as_bytes()),
                (host.as_bytes(), port.map(str::as_bytes)),
                "{raw}"
            );
        }
    }

    #[test]
    fn a_rule_path_is_in_normal_form() {
        use PathType::{Exact, PathPrefix};
        for (why, kind, raw, want) in [
            ("exact", Exact, "/sso/acs", Ok(PathMatch::Exact("/sso/acs".into()))),
            ("exact keeps its slash", Exact, "/sso/", Ok(PathMatch::Exact("/sso/".into()))),
            ("prefix", PathPrefix, "/public", Ok(PathMatch::Prefix("/public".into()))),
            ("prefix loses it", PathPrefix, "/public/", Ok(PathMatch::Prefix("/public".into()))),
            ("root", PathPrefix, "/", Ok(PathMatch::Prefix(String::new()))),
            ("escaped", Exact, "/caf%C3%A9", Ok(PathMatch::Exact("/caf%C3%A9".into()))),
            ("relative", Exact, "sso", Err(InvalidPath::NotAbsolute)),
            ("query", Exact, "/a?b", Err(InvalidPath::Query)),
            ("dots", Exact, "/a/../b", Err(InvalidPath::NotNormal("/b".into()))),
            ("letters", Exact, "/caf\u{e9}", Err(InvalidPath::NotNormal("/caf%C3%A9".into()))),
            (
                "lower-case escape",
                Exact,
                "/caf%c3%a9",
                Err(InvalidPath::NotNormal("/caf%C3%A9".into())),
            ),
            ("encoded letter", Exact, "/%61", Err(InvalidPath::NotNormal("/a".into()))),
            ("a literal star", Exact, "/a/%2A", Ok(PathMatch::Exact("/a/*".into()))),
            (
                "the same in lower case",
                PathPrefix,
                "/%2a/%3aid",
                Ok(PathMatch::Prefix("/*/:id".into())),
            ),
            ("a star and more", Exact, "/%61/%2A", Err(InvalidPath::NotNormal("/a/%2A".into()))),
            ("encoded slash", Exact, "/a%2fb", Err(InvalidPath::Ambiguous)),
            ("double slash", PathPrefix, "/a//", Err(InvalidPath::Ambiguous)),
            ("parameters", PathPrefix, "/a;b", Err(InvalidPath::Ambiguous)),
        ] {
            assert_eq!(PathMatch::parse(kind, raw), want, "{why}");
        }
    }
}
