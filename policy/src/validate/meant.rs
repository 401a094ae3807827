//! The entries that an author probably meant by one that does not parse.

use std::net::Ipv6Addr;

use super::Judge;
use crate::cidr::split_cidr;
use crate::finding::is_placeholder;
use crate::origin::{ends_in_number, is_scheme};
use crate::pattern::{InvalidOrigin, OriginPattern};

/// Spellings of `*` in other systems.
const ANY: [&str; 13] =
    ["*", "**", "*.*", "*:*", "*/*", "all", "any", "*://*", ".*", ".+", "^.*$", "^.+$", "^.*"];

/// Most entries that one entry is taken apart into.
const MAX_PARTS: usize = 16;

/// The entries to write instead of `written`, in their normal form; none where no guess parses.
pub(super) fn by(written: &str, judge: &dyn Judge) -> Vec<String> {
    let text = unwrapped(written);
    let parts: Vec<&str> = text.split(is_separator).filter(|part| !part.is_empty()).collect();
    if parts.len() > MAX_PARTS {
        return Vec::new();
    }
    let each: Option<Vec<String>> = parts.iter().map(|part| one(unwrapped(part), judge)).collect();
    match each {
        Some(all) => all,
        // White space inside of one origin.
        None => one(&parts.concat(), judge).into_iter().collect(),
    }
}

/// The names that an entry holds which is none; none where one of them is no entry, or where the list has no room for them.
/// `is_entry` is `Some(false)` for a name that is left out.
pub(super) fn names(
    written: &str,
    room: usize,
    is_entry: impl Fn(&str) -> Option<bool>,
) -> Vec<String> {
    let is_separator = |c: char| matches!(c, ',' | ';' | '|' | '&' | '+') || c.is_whitespace();
    let mut names: Vec<String> = Vec::new();
    for piece in written.split(is_separator) {
        let name = piece.trim_matches(|c| "[](){}<>\"'`^$?".contains(c));
        if name.is_empty() || ["and", "or"].contains(&name) || names.iter().any(|it| it == name) {
            continue;
        }
        let is_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !name.contains('*')
            && !is_every_name(name);
        match is_entry(name).filter(|_| is_plain) {
            Some(true) => names.push(name.to_owned()),
            Some(false) => {}
            None => return Vec::new(),
        }
    }
    // One of them takes the place of the entry.
    if names.len() > room.saturating_add(1) { Vec::new() } else { names }
}

/// Whether a token is a regex over names: no name of a method or a header begins, ends or is divided like that.
pub(super) fn is_regex_of_names(token: &str) -> bool {
    token.contains('|') || token.starts_with('^') || token.ends_with('$')
}

/// Whether a token is the word of other systems for every name.
pub(super) fn is_every_name(token: &str) -> bool {
    ["all", "any"].iter().any(|word| word.eq_ignore_ascii_case(token))
}

/// `text` without what encloses and ends values elsewhere.
fn unwrapped(text: &str) -> &str {
    let is_quote =
        |c: char| c.is_whitespace() || c.is_control() || "\"'`\u{201c}\u{201d}<>".contains(c);
    text.trim_matches(is_quote).trim_end_matches(|c| is_quote(c) || is_separator(c))
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ';')
}

fn one(text: &str, judge: &dyn Judge) -> Option<String> {
    let word = text.to_ascii_lowercase();
    if word == "null" {
        return Some(word);
    }
    if ANY.contains(&word.as_str()) {
        return Some("*".to_owned());
    }
    if is_placeholder(text) {
        return None;
    }
    let (scheme, rest) = split_scheme(text);
    // Three slashes are one too many in an address of the web, and no host in others.
    let rest = match scheme.as_deref() {
        None | Some("http" | "https") => rest.trim_start_matches(['/', '\\']),
        Some(_) => rest,
    };
    let authority = authority(rest)?;
    let scheme = scheme.unwrap_or_else(|| default_scheme(&authority).to_owned());
    parsed(&format!("{scheme}://{authority}"), judge)
}

/// The scheme, where one is meant, and what follows it.
fn split_scheme(text: &str) -> (Option<String>, &str) {
    if let Some((scheme, rest)) = text.split_once("://") {
        let scheme = scheme.to_ascii_lowercase();
        return (Some(if is_scheme(&scheme) { scheme } else { "https".to_owned() }), rest);
    }
    for scheme in ["https", "http"] {
        let matches =
            text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
        let rest = text.get(scheme.len()..).filter(|_| matches);
        if let Some(rest) = rest.filter(|rest| rest.starts_with([':', '/', '\\'])) {
            return (Some(scheme.to_owned()), rest.trim_start_matches(':'));
        }
    }
    (None, text)
}

/// Host and port of what follows the scheme.
fn authority(rest: &str) -> Option<String> {
    if let Some(block) = block(rest) {
        return Some(block);
    }
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(ipv6) = bare_ipv6(authority) {
        return Some(ipv6);
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.trim_start_matches('0')),
        _ => (authority, ""),
    };
    // A dot alone is the host of Electron's pages.
    let host = if host == "." { host } else { host.trim_end_matches('.') };
    let host = match host.strip_prefix('.') {
        Some(domain) if !domain.is_empty() => format!("*.{domain}"),
        _ => host.to_owned(),
    };
    let labels = host.trim_start_matches(['*', '.']);
    let stars = host.strip_suffix(labels).unwrap_or_default();
    // Stars for whole labels at the left: one stands for as many as there are.
    let host = if stars.len() > 1 && stars.ends_with('.') && !labels.is_empty() {
        format!("*.{labels}")
    } else {
        full_ipv4(&host, "*")
    };
    let is_port_meant = !port.is_empty();
    Some(if is_port_meant { format!("{host}:{port}") } else { host })
}

/// An address, a prefix length and a port, in whatever order they were put.
fn block(rest: &str) -> Option<String> {
    let (address, prefix, port) = match split_cidr(rest) {
        Some((address, prefix, port)) => (address.to_owned(), prefix, port),
        None => misplaced_prefix(rest)?,
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}/{prefix}{port}", full_ipv4(&address, "0")))
}

/// A prefix length inside the brackets, or after the port.
fn misplaced_prefix(rest: &str) -> Option<(String, &str, Option<&str>)> {
    let (before, after) = rest.split_once('/')?;
    if let Some((prefix, port)) = after.split_once(']') {
        return Some((format!("{before}]"), prefix, port.strip_prefix(':')));
    }
    let (address, port) = before.rsplit_once(':')?;
    let is_address = ends_in_number(address) || address.ends_with(']');
    let is_prefix = !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit());
    (is_address && is_prefix).then(|| (address.to_owned(), after, Some(port)))
}

/// Fewer than four octets of an address, filled up.
fn full_ipv4(host: &str, filling: &str) -> String {
    let mut octets: Vec<&str> = host.split('.').collect();
    let is_octet = |octet: &&str| *octet == "*" || octet.parse::<u8>().is_ok();
    let is_short = octets.iter().all(is_octet) && octets.first().is_some_and(|first| *first != "*");
    let is_open = filling == "0" || octets.last() == Some(&"*");
    if is_short && is_open {
        octets.resize(octets.len().max(4), filling);
    }
    octets.join(".")
}

/// An IPv6 address without its brackets.
fn bare_ipv6(authority: &str) -> Option<String> {
    if let Some(port) = authority.strip_prefix("::1:") {
        return Some(format!("[::1]:{port}"));
    }
    let address: Ipv6Addr = authority.parse().ok()?;
    Some(format!("[{address}]"))
}

/// The scheme of a page whose author leaves it out: pages of developers' machines are served without TLS.
fn default_scheme(authority: &str) -> &'static str {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let is_local = host == "localhost" || host.ends_with(".localhost");
    let is_address =
        host.starts_with('[') || ends_in_number(host) || split_cidr(authority).is_some();
    if is_local || is_address { "http" } else { "https" }
}

/// The normal form of `text`, where it has one once its host is what browsers send and its block begins where it says.
fn parsed(text: &str, judge: &dyn Judge) -> Option<String> {
    let text = match OriginPattern::parse(text) {
        Err(InvalidOrigin::NonAscii(host)) => text.replacen(&host, &judge.punycode(&host)?, 1),
        Err(InvalidOrigin::CidrHostBits(block)) => with_block(text, |_, _| block.to_string())?,
        Err(InvalidOrigin::CidrStar) => {
            with_block(text, |address, prefix| format!("{}/{prefix}", address.replace('*', "0")))?
        }
        _ => text.to_owned(),
    };
    OriginPattern::parse(&text).ok().map(|parsed| parsed.pattern.to_string())
}

/// `text` with another block of addresses in place of its own.
fn with_block(text: &str, block: impl FnOnce(&str, &str) -> String) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let (address, prefix, port) = split_cidr(rest)?;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{}{port}", block(address, prefix)))
}
