//! Host syntax: an entry of `hostnames` in the syntax of a different system, and the hosts that it stands for.
//!
//! Only an entry that [`HostPattern::parse`] refuses is in a foreign syntax: any accepted entry is a host.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::scope::{HostPattern, split_authority};

/// The syntax that an entry is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostSyntax {
    /// `shop/api.example`, `*/api.example`, as Istio's Gateways and Sidecars write it.
    Namespaced,
    /// `regex:…`, `~^api\.example$`.
    Regex,
    /// ``Host(`api.example`)``, `exact:api.example`.
    Match,
    /// `.shop.example`, as nginx, Django and cookies write it.
    Suffix,
    /// `{tenant}.shop.example`, `:tenant.shop.example`, `{{ .Values.host }}`.
    Placeholder,
    /// `app-?.shop.example`.
    Glob,
    /// `10.0.0.0/8`.
    Block,
    /// An IPv6 address without brackets.
    BareIpv6,
    /// `a.example,b.example`, several in one text.
    List,
}

/// Words by which other systems mean every host, and which are hosts to this one.
const WORDS: [&str; 8] =
    ["_", "_default_", "default_server", "all", "any", "every", "mesh", "wildcard"];

/// Kinds of matches that a colon divides from a host.
const KINDS: [&str; 10] = [
    "exact",
    "host",
    "hostname",
    "name",
    "value",
    "domain",
    "fqdn",
    "authority",
    "server_name",
    "glob",
];

// === impl HostSyntax ===

impl HostSyntax {
    /// The syntax that `text`, which is no host, is written in, and the entries that are meant by it; none where they are not in
    /// the text.
    pub fn of(text: &str) -> Option<(Self, Vec<String>)> {
        let one = |syntax, meant: Option<String>| Some((syntax, meant.into_iter().collect()));
        if text.parse::<Ipv6Addr>().is_ok() {
            return one(Self::BareIpv6, Some(format!("[{text}]")));
        }
        if is_block(text) {
            return one(Self::Block, None);
        }
        if let Some(host) = of_match(text) {
            let list = of_list(host).or_else(|| meant(host).map(|host| vec![host]));
            return Some((Self::Match, list.unwrap_or_default()));
        }
        if let Some(list) = of_list(text) {
            return Some((Self::List, list));
        }
        if has_placeholder(text) {
            return one(Self::Placeholder, below_placeholder(text));
        }
        if let Some(expression) = expression(text) {
            return one(Self::Regex, of_regex(expression));
        }
        if let Some(host) = of_suffix(text) {
            return one(Self::Suffix, Some(host));
        }
        if is_glob(text) {
            return one(Self::Glob, None);
        }
        let host = of_namespaced(text)?;
        one(Self::Namespaced, Some(host))
    }
}

impl fmt::Display for HostSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespaced => "a host with the namespace of its Service",
            Self::Regex => "a regex",
            Self::Match => "a match of another system",
            Self::Suffix => "a suffix",
            Self::Placeholder => "a text with a placeholder",
            Self::Glob => "a glob",
            Self::Block => "a block of addresses",
            Self::BareIpv6 => "an IPv6 address without brackets",
            Self::List => "a list in one text",
        })
    }
}

/// Returns whether `host`, as written, is a word by which other systems mean every host.
pub fn is_word_for_every_host(host: &str) -> bool {
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(host))
}

/// The pattern for the hosts below the labels of `text` that are not literal; `None`: fewer than two labels follow them.
pub(crate) fn below_wildcards(text: &str) -> Option<String> {
    let is_literal = |label: &&str| {
        label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let labels: Vec<&str> = text.split('.').collect();
    let count = labels.iter().rev().take_while(|label| is_literal(label)).count();
    let (_, parent) = labels.split_at_checked(labels.len().saturating_sub(count))?;
    if parent.len() < 2 { None } else { subdomains_of(&parent.join(".")) }
}

/// The host that is meant by a text with something around it; `None`: there is none in it.
pub fn meant(text: &str) -> Option<String> {
    if HostPattern::parse(text).is_ok() {
        return Some(text.to_owned());
    }
    let bare = bare(text);
    let rest = bare.split_once("://").map_or(bare, |(_, rest)| rest);
    let authority = rest.trim_start_matches('/').split(['/', '?', '#']).next()?;
    let (host, _) = split_authority(authority.as_bytes());
    let host = str::from_utf8(host).ok()?.trim_end_matches('.').replacen("**.", "*.", 1);
    HostPattern::parse(&host).ok().map(|host| host.to_string())
}

/// `text` without white space and quotes around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || "\"'`".contains(c))
}

/// The host of a match that names it.
fn of_match(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("Host(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(host) = inside.filter(|inside| !inside.contains('(')) {
        return Some(host);
    }
    let (kind, host) = text.split_once(':')?;
    KINDS.contains(&kind).then_some(host.trim_start()).filter(|host| !is_port(host))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text == "*" || text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_block(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok() && prefix.parse::<u8>().is_ok()
}

/// Is a name between braces, between angle brackets, or behind a colon or a dollar sign?
fn has_placeholder(text: &str) -> bool {
    let is_name = |rest: &str| {
        rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '{' || c == ' ')
    };
    let encloses = |open: char, close: char| {
        text.split_once(open).is_some_and(|(_, rest)| is_name(rest) && rest.contains(close))
    };
    let has_prefix = |mark: char| text.strip_prefix(mark).is_some_and(is_name);
    encloses('{', '}') || encloses('<', '>') || has_prefix(':') || has_prefix('$')
}

/// The pattern for all hosts below the one that follows a placeholder.
fn below_placeholder(text: &str) -> Option<String> {
    let close = text.find(['}', '>']);
    let end = match text.chars().next()? {
        '{' | '<' => close?.saturating_add(1),
        ':' => text.find('.')?,
        '$' => close.map_or_else(|| text.find('.'), |at| at.checked_add(1))?,
        _ => return None,
    };
    subdomains_of(text.get(end..)?.strip_prefix('.')?)
}

/// The expression, where it is one.
fn expression(text: &str) -> Option<&str> {
    const PREFIXES: [&str; 4] = ["regex:", "regexp:", "~*", "~"];
    const PARTS: [&str; 5] = [".+", "(?", "]+", "]*", ")?"];
    if let Some(expression) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        return Some(expression.trim());
    }
    let is_regex = text.starts_with('^')
        || text.ends_with('$')
        || text.contains('\\')
        || text.starts_with(".*")
        || text.contains('(') && text.contains(')')
        || PARTS.iter().any(|part| text.contains(part));
    is_regex.then_some(text)
}

/// The entry that accepts what an expression does; `None`: no entry says that, or it would accept more.
fn of_regex(expression: &str) -> Option<String> {
    let expression = expression.strip_prefix("(?i)").unwrap_or(expression);
    let expression = expression.strip_prefix('^').unwrap_or(expression);
    let expression = expression.strip_suffix('$').unwrap_or(expression);
    let rest = [".*", ".+", "(.*)", "(.+)"].iter().find_map(|any| expression.strip_prefix(any));
    let literal = |text: &str| {
        let host = text.replace("\\.", ".").replace("\\-", "-");
        (!host.contains('*') && HostPattern::parse(&host).is_ok()).then_some(host)
    };
    match rest {
        None => literal(expression),
        Some("") => Some("*".to_owned()),
        Some(rest) => {
            let parent = rest.strip_prefix("\\.").or_else(|| rest.strip_prefix('.'))?;
            subdomains_of(&literal(parent)?)
        }
    }
}

fn of_suffix(text: &str) -> Option<String> {
    subdomains_of(text.strip_prefix('.')?)
}

/// The pattern for the hosts below `parent`.
fn subdomains_of(parent: &str) -> Option<String> {
    let pattern = format!("*.{parent}");
    HostPattern::parse(&pattern).is_ok().then_some(pattern)
}

/// Is a question mark the one of a glob? The rest of a host follows it then, and no query.
fn is_glob(text: &str) -> bool {
    text.split_once('?').is_some_and(|(before, after)| {
        let is_host_char = |c: char| c.is_ascii_alphanumeric() || "-.?*".contains(c);
        !before.contains(['/', '#']) && after.contains('.') && after.chars().all(is_host_char)
    })
}

/// The hosts of a list, each once; `None`: it is none, or an entry of it is no host.
fn of_list(text: &str) -> Option<Vec<String>> {
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let pieces: Vec<&str> = inside
        .unwrap_or(text)
        .split(|c: char| ",;|".contains(c) || c.is_whitespace())
        .filter(|piece| !piece.is_empty())
        .collect();
    if pieces.len() < 2 {
        return None;
    }
    let mut hosts: Vec<String> = Vec::new();
    for piece in pieces {
        match HostSyntax::of(piece) {
            Some((_, meant)) if meant.is_empty() => return None,
            Some((_, meant)) => hosts.extend(meant),
            None => hosts.push(meant(piece)?),
        }
    }
    let mut seen = BTreeSet::new();
    hosts.retain(|host| seen.insert(host.clone()));
    Some(hosts)
}

/// The host behind a namespace: the text before the slash is a namespace if it cannot be a host with a path.
fn of_namespaced(text: &str) -> Option<String> {
    let (namespace, host) = text.split_once('/')?;
    let is_label = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_namespace =
        matches!(namespace, "*" | "." | "~") || is_label(namespace) && namespace != "localhost";
    let is_host = host == "*" || host.contains('.');
    (is_namespace && is_host && HostPattern::parse(host).is_ok()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use HostSyntax::{BareIpv6, Block, Glob, List, Match, Namespaced, Placeholder, Regex, Suffix};

    #[test]
    fn another_syntax_is_told_by_its_marks() {
        for (text, syntax, meant) in [
            ("shop/api.example", Namespaced, &["api.example"][..]),
            ("*/api.example", Namespaced, &["api.example"]),
            ("./*.shop.example", Namespaced, &["*.shop.example"]),
            ("*/*", Namespaced, &["*"]),
            ("regex:x", Regex, &["x"]),
            (r"regex:api\d\.example", Regex, &[]),
            (r"~^www\d+\.shop\.example$", Regex, &[]),
            (r"^api\.shop\.example$", Regex, &["api.shop.example"]),
            (r"~ ^(.+)\.shop\.example$", Regex, &["*.shop.example"]),
            (r".*\.shop\.example", Regex, &["*.shop.example"]),
            (".*.shop.example", Regex, &["*.shop.example"]),
            (".*shop.example", Regex, &[]),
            (".*", Regex, &["*"]),
            ("(www|api).shop.example", Regex, &[]),
            ("[a-z]+.shop.example", Regex, &[]),
            ("Host(`api.example`)", Match, &["api.example"]),
            ("exact:api.example", Match, &["api.example"]),
            ("host: api.example:8080", Match, &["api.example"]),
            ("host:a.example, b.example", Match, &["a.example", "b.example"]),
            (".shop.example", Suffix, &["*.shop.example"]),
            ("{tenant}.shop.example", Placeholder, &["*.shop.example"]),
            ("<tenant>.shop.example", Placeholder, &["*.shop.example"]),
            (":tenant.shop.example", Placeholder, &["*.shop.example"]),
            ("${TENANT}.shop.example", Placeholder, &["*.shop.example"]),
            ("$tenant.shop.example", Placeholder, &["*.shop.example"]),
            ("{{ .Values.host }}", Placeholder, &[]),
            ("${HOST}", Placeholder, &[]),
            ("app-{id}.shop.example", Placeholder, &[]),
            ("app-?.shop.example", Glob, &[]),
            ("10.0.0.0/8", Block, &[]),
            ("fd00::/8", Block, &[]),
            ("[fd00::]/8", Block, &[]),
            ("::1", BareIpv6, &["[::1]"]),
            ("a.example,b.example", List, &["a.example", "b.example"]),
            ("a.example; b.example:80", List, &["a.example", "b.example"]),
            ("[\"a.example\", 'b.example']", List, &["a.example", "b.example"]),
            ("https://a.example https://b.example/", List, &["a.example", "b.example"]),
            ("a.example|b.example", List, &["a.example", "b.example"]),
            ("a.example:80,a.example:443", List, &["a.example"]),
            ("a.example .a.example", List, &["a.example", "*.a.example"]),
            ("Host(`a.example`) || Host(`b.example`)", List, &["a.example", "b.example"]),
            ("shop/a.example, b.example", List, &["a.example", "b.example"]),
        ] {
            let meant: Vec<String> = meant.iter().map(|&meant| meant.to_owned()).collect();
            assert_eq!(HostSyntax::of(text), Some((syntax, meant)), "{text}");
        }
    }

    #[test]
    fn what_has_a_fault_of_its_own_is_in_no_other_syntax() {
        for text in [
            "",
            "https://a.example/x",
            "https://a.example?b=c",
            "a.example:8080",
            "api:8080",
            "host:8080",
            "a.example/x",
            "a.example/b.json",
            "localhost/b.json",
            "api/v1",
            "a..example",
            "a.*.example",
            "*a.example",
            "**.a.example",
            "a.example.",
            "a.example?b=c.d",
            "[::1]:80",
            "user@a.example",
            "a.example,b@c",
        ] {
            assert_eq!(HostSyntax::of(text), None, "{text}");
        }
    }

    #[test]
    fn the_pattern_below_a_wildcard_is_of_the_same_domain() {
        for (text, want) in [
            ("api-*.shop.example", Some("*.shop.example")),
            ("a.*.b.shop.example", Some("*.b.shop.example")),
            ("api-?.shop.example", Some("*.shop.example")),
            ("api-*.example", None),
            ("api.shop.*", None),
            (r"^api\d\.shop\.example$", None),
        ] {
            assert_eq!(below_wildcards(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_host_is_found_within_what_is_around_it() {
        for (text, want) in [
            ("https://a.example:8443/x", Some("a.example")),
            ("//a.example/x", Some("a.example")),
            ("A.example:8080", Some("a.example")),
            ("[::1]:80", Some("[::1]")),
            ("a.example.", Some("a.example")),
            (" \"a.example\" ", Some("a.example")),
            ("**.a.example", Some("*.a.example")),
            ("a.*.example", None),
            ("user@a.example", None),
            ("", None),
        ] {
            assert_eq!(meant(text).as_deref(), want, "{text}");
        }
    }
}
