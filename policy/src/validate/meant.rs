//! The entries that an author probably meant by one that does not parse.

use std::net::Ipv6Addr;

use super::Knowledge;
use crate::finding::{
    Language, is_every_origin, is_glob, is_underscored_scheme, is_word_of_exception,
};
use crate::header_line;
use crate::origin::{ends_in_number, is_http, is_scheme};
use crate::pattern::cidr::{prefix_in_another_notation, prefix_of_mask, split_cidr};
use crate::pattern::{InvalidOrigin, OriginPattern, TuplePattern};
use crate::slip::slips;

/// Spellings of the two schemes of the web as one, in regexes and in prose.
const BOTH_SCHEMES: [&str; 11] = [
    "https?://",
    "http(s)://",
    "http(s)?://",
    "http(s?)://",
    "http[s]://",
    "http[s]?://",
    "http{s}://",
    "http/https://",
    "http|https://",
    "(http|https)://",
    "(https|http)://",
];

/// Most entries that one entry is taken apart into.
const MAX_PARTS: usize = 16;

/// The entries to write instead of `written`, in their normal form; none where no guess parses.
pub(super) fn by(written: &str, knowledge: &dyn Knowledge) -> Vec<String> {
    let line = header_line::read(written).filter(|(name, _)| says(name, "origin"));
    let written = line.map_or(written, |(_, value)| value);
    let text = unwrapped(written);
    if is_every_origin(text) {
        return vec!["*".to_owned()];
    }
    if let Some(rest) = BOTH_SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        return both_schemes(rest, knowledge);
    }
    if let Some(each) = port_list(text, knowledge) {
        return each;
    }
    let alternatives: Vec<&str> = text.split('|').map(str::trim).collect();
    if alternatives.len() > 1
        && alternatives.len() <= MAX_PARTS
        && alternatives.iter().all(|it| it.contains("://"))
    {
        let each: Option<Vec<String>> = alternatives.iter().map(|it| one(it, knowledge)).collect();
        return each.unwrap_or_default();
    }
    if Language::of(written).is_some() {
        return Vec::new();
    }
    separated(text, knowledge)
}

/// The origins of a text with white space, commas or semicolons in it; none where a part of it could be a piece of an origin.
fn separated(text: &str, knowledge: &dyn Knowledge) -> Vec<String> {
    // A comment, as in YAML.
    let text = unwrapped(text.split(" #").next().unwrap_or(text));
    let is_conjunction = |part: &str| ["and", "or", "&", "+"].contains(&part);
    let parts: Vec<&str> =
        text.split(is_separator).filter(|part| !part.is_empty() && !is_conjunction(part)).collect();
    let each = |parts: &[&str]| {
        let each: Option<Vec<String>> = parts.iter().map(|part| one(part, knowledge)).collect();
        each.unwrap_or_default()
    };
    let have_schemes = parts.iter().all(|part| part.contains("://"));
    match parts.as_slice() {
        [_] => each(&parts),
        // An entry of a list in YAML.
        ["-", entry] => each(&[entry]),
        // As in `https:// app.example`.
        [scheme, host] if is_scheme_alone(scheme) => {
            let scheme = scheme.trim_end_matches(['/', ':']);
            each(&[&format!("{scheme}://{}", host.trim_start_matches(['/', ':']))])
        }
        all if all.len() <= MAX_PARTS && (have_schemes || all.iter().all(|it| is_whole(it))) => {
            each(all)
        }
        // As in `https://app.example always`.
        [first, rest @ ..] if is_whole(first) && rest.iter().all(|it| is_word(it, knowledge)) => {
            let after = text.split_once(first).map_or("", |(_, after)| after.trim_start());
            if after.starts_with(',') { Vec::new() } else { each(&[first]) }
        }
        _ => Vec::new(),
    }
}

/// Whether it is `http` or `https`, with or without what follows it.
fn is_scheme_alone(part: &str) -> bool {
    is_http(part.trim_end_matches(['/', ':']))
}

/// Whether a part of a list is an origin or a host in full, and no piece of one.
fn is_whole(part: &str) -> bool {
    let text = unwrapped(part);
    if is_null(text) || is_every_origin(text) {
        return true;
    }
    let (scheme, rest) = split_scheme(text);
    let rest = rest.trim_start_matches(['/', '\\']);
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    scheme.is_some_and(|scheme| !is_http(&scheme))
        || rest.starts_with('[')
        || rest.starts_with("::")
        || ["*", "localhost"].contains(&host)
        || (host.contains('.') && !host.starts_with('.') && !host.ends_with('.'))
}

/// Whether it is a word beside an origin, and no piece of one.
fn is_word(part: &str, knowledge: &dyn Knowledge) -> bool {
    part.chars().all(|c| c.is_ascii_alphabetic()) && !knowledge.is_public_suffix(part)
}

/// Whether it is the word for opaque origins.
pub(super) fn is_null(text: &str) -> bool {
    text.eq_ignore_ascii_case("null")
}

/// The only entry of a list that is written as text, as in `["https://app.example"]`.
pub(super) fn listed(text: &str) -> Option<&str> {
    let entry = text.strip_prefix('[')?.strip_suffix(']')?.trim();
    let is_quoted = entry.starts_with(['"', '\'']) && entry.len() > 1;
    let entry = entry.trim_matches(|c| "\"'".contains(c));
    ((is_quoted || entry.contains("://")) && !entry.contains(['[', ']'])).then_some(entry)
}

/// Is `word` a part of a header's or a property's name?
fn says(name: &str, word: &str) -> bool {
    name.to_ascii_lowercase().contains(word)
}

/// The origins of a list of ports, as in `https://app.example:[8080,8081]` of Spring and `https://app.example:8080,8081`.
fn port_list(text: &str, knowledge: &dyn Knowledge) -> Option<Vec<String>> {
    let (host, ports) = text.rsplit_once(':')?;
    let ports = ports.strip_prefix('[').map_or(Some(ports), |list| list.strip_suffix(']'))?;
    let ports: Vec<&str> = ports.split(',').map(str::trim).collect();
    let is_port = |port: &&str| *port == "*" || port.parse::<u16>().is_ok();
    if host.contains(is_separator) || ports.len() > MAX_PARTS || !ports.iter().all(is_port) {
        return None;
    }
    ports.iter().map(|port| one(&format!("{host}:{port}"), knowledge)).collect()
}

/// The origins with and without TLS of what follows both schemes.
fn both_schemes(rest: &str, knowledge: &dyn Knowledge) -> Vec<String> {
    if Language::of(rest).is_some() {
        return Vec::new();
    }
    let both = ["https", "http"].map(|scheme| one(&format!("{scheme}://{rest}"), knowledge));
    both.into_iter().flatten().collect()
}

/// The origins that the pages have which open what is written.
pub(super) fn pages_of(tuple: &TuplePattern) -> Vec<String> {
    let scheme = match tuple.scheme() {
        "ws" => "http",
        "wss" | "ftp" => "https",
        _ => return Vec::new(),
    };
    with_scheme(tuple, scheme).into_iter().collect()
}

/// The same with `http` or `https`, of which its own scheme is a misspelling; `None`: it is none.
pub(super) fn well_spelled(tuple: &TuplePattern) -> Option<Vec<String>> {
    let scheme = scheme(tuple.scheme())?;
    Some(with_scheme(tuple, scheme).into_iter().collect())
}

/// The one of `http` and `https` of which `own` is a misspelling.
pub(super) fn scheme(own: &str) -> Option<&'static str> {
    if is_http(own) || !is_scheme(own) {
        return None;
    }
    let is_near = |scheme: &str| slips(own, scheme) == 1;
    match (is_near("http"), is_near("https")) {
        (true, true) if own.ends_with('s') => Some("https"),
        (true, _) => Some("http"),
        (false, true) => Some("https"),
        (false, false) => None,
    }
}

fn with_scheme(tuple: &TuplePattern, scheme: &str) -> Option<String> {
    let text = format!("{scheme}://{}{}", tuple.host(), tuple.port());
    OriginPattern::parse(&text).ok().map(|parsed| parsed.pattern.to_string())
}

/// The entries to write for a host in the form of an address that has a placeholder or a range in place of a number, as in
/// `192.168.1.x`; `None`: the host is no such text.
pub(super) fn addresses(tuple: &TuplePattern) -> Option<Vec<String>> {
    let host = tuple.host().to_string();
    let parts: Vec<&str> = host.split('.').collect();
    let [first, rest @ ..] = parts.as_slice() else { return None };
    let is_octet = |part: &str| part.parse::<u8>().is_ok();
    let is_any =
        |part: &str| ["x", "xx", "xxx", "0-255", "1-255", "0-254", "1-254"].contains(&part);
    let is_range =
        |part: &str| part.split_once('-').is_some_and(|(from, to)| is_octet(from) && is_octet(to));
    let is_form = rest.len() == 3
        && is_octet(first)
        && rest.iter().all(|part| is_octet(part) || is_any(part) || is_range(part));
    if !is_form || !is_http(tuple.scheme()) || rest.iter().all(|part| is_octet(part)) {
        return None;
    }
    let starred: Vec<&str> =
        parts.iter().map(|part| if is_any(part) { "*" } else { part }).collect();
    let text = format!("{}://{}{}", tuple.scheme(), starred.join("."), tuple.port());
    let pattern = OriginPattern::parse(&text).ok().map(|parsed| parsed.pattern.to_string());
    Some(pattern.filter(|_| !starred.iter().any(|part| is_range(part))).into_iter().collect())
}

/// The pattern of all hosts below the domain behind the last star, as in `https://www.*.app.example`.
pub(super) fn below_last_star(written: &str) -> Option<OriginPattern> {
    let (scheme, rest) = written.split_once("://")?;
    let (_, domain) = rest.rsplit_once("*.").filter(|(_, domain)| domain.contains('.'))?;
    Some(OriginPattern::parse(&format!("{scheme}://*.{domain}")).ok()?.pattern)
}

/// The names that an entry holds which is none; none where one of them is no entry, or where the list has no room for them.
/// `is_entry` is `Some(false)` for a name that is left out.
pub(super) fn names(
    written: &str,
    room: usize,
    is_entry: impl Fn(&str) -> Option<bool>,
) -> Vec<String> {
    let is_separator = |c: char| matches!(c, ',' | ';' | '|' | '&' | '+') || c.is_whitespace();
    let line = header_line::read(written);
    let of_list = |name: &str| says(name, "methods") || says(name, "headers");
    let written = line.filter(|(name, _)| of_list(name)).map_or(written, |(_, value)| value);
    let mut names: Vec<String> = Vec::new();
    for piece in written.split(is_separator) {
        let name = unqualified(piece.trim_matches(|c| "[](){}<>\"'`^$?:".contains(c)));
        // Nothing tells whether what follows is meant.
        if is_word_of_exception(name) {
            return Vec::new();
        }
        if name.is_empty() || ["and", "or"].contains(&name) || names.iter().any(|it| it == name) {
            continue;
        }
        let is_end = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(is_end)
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

/// The foreign syntax of a token in a list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameSyntax {
    /// A word for every name.
    Every,
    /// A regex.
    Regex,
    /// A star, or `%` as in `LIKE` of SQL.
    Glob,
    /// A constant of a program, in quotes or after a type as in `HttpMethod.GET`.
    Constant,
    /// A variable as in `$request_method`, or a value as `true`: nothing tells which name is meant.
    Value,
}

// === impl NameSyntax ===

impl NameSyntax {
    /// The syntax of `token`, unless it is a name.
    pub(super) fn of(token: &str) -> Option<Self> {
        let syntax = if is_every_name(token) {
            Self::Every
        } else if is_regex_of_names(token) {
            Self::Regex
        } else if token.contains(['*', '%']) {
            Self::Glob
        } else if token.starts_with('$') || is_value_of_a_program(token) {
            Self::Value
        } else if token.contains(['\'', '`']) || unqualified(token) != token {
            Self::Constant
        } else {
            return None;
        };
        Some(syntax)
    }
}

/// Whether a token excludes a name, as in `!cookie` and `-DELETE`.
pub(super) fn is_excluded(token: &str) -> bool {
    token.starts_with(['!', '-'])
}

/// Whether a token is a regex over names: no name of a method or a header begins, ends or is divided like that.
fn is_regex_of_names(token: &str) -> bool {
    token.contains('|')
        || token.starts_with('^')
        || token.ends_with('$')
        || [".*", ".+"].iter().any(|part| token.contains(part))
}

/// Whether a token is a truth value or nothing.
fn is_value_of_a_program(token: &str) -> bool {
    const VALUES: [&str; 6] = ["true", "false", "none", "null", "nil", "undefined"];
    VALUES.iter().any(|value| value.eq_ignore_ascii_case(token))
}

/// The one of `known` that `typed` is but for a slip.
pub(super) fn nearest<'k>(typed: &str, known: &[&'k str]) -> Option<&'k str> {
    if known.contains(&typed) {
        return None;
    }
    known.iter().copied().find(|name| slips(typed, name) == 1)
}

/// The name after the type of a constant.
fn unqualified(name: &str) -> &str {
    const TYPES: [&str; 8] = [
        "HttpMethod.",
        "RequestMethod.",
        "HttpMethods.",
        "HttpHeaders.",
        "HeaderNames.",
        // `http.MethodPut` of Go.
        "http.Method",
        "HTTP_METHOD_",
        "METHOD_",
    ];
    TYPES.iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name)
}

/// Whether a token is the word of other systems for every name.
fn is_every_name(token: &str) -> bool {
    const WORDS: [&str; 10] = [
        "all",
        "any",
        "**",
        ".*",
        ".+",
        "^.*$",
        "^.+$",
        "all_methods",
        "all_headers",
        "any_method",
    ];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(token))
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

fn one(part: &str, knowledge: &dyn Knowledge) -> Option<String> {
    let text = unwrapped(part);
    if is_null(text) {
        return Some("null".to_owned());
    }
    if is_every_origin(text) {
        return Some("*".to_owned());
    }
    if Language::of(part).is_some() {
        return None;
    }
    let is_of_application =
        text.split_once("://").is_some_and(|(scheme, _)| is_underscored_scheme(scheme));
    if is_of_application || is_glob(text) {
        return None;
    }
    let (scheme, rest) = split_scheme(text);
    // Three slashes are one too many in an address of the web, and no host in others.
    let rest = match scheme.as_deref() {
        None | Some("http" | "https") => rest.trim_start_matches(['/', '\\']),
        Some(_) => rest,
    };
    let authority = authority(rest)?;
    // A scheme that is left over is no host.
    if is_scheme_alone(authority.split(':').next().unwrap_or_default()) {
        return None;
    }
    // A word alone is the name of no page's host, but for that of the machine itself.
    let is_host = |it: &str| it.contains(['.', ':', '*']) || it.eq_ignore_ascii_case("localhost");
    if scheme.is_none() && !text.starts_with("//") && !is_host(&authority) {
        return None;
    }
    let scheme = scheme.unwrap_or_else(|| default_scheme(&authority).to_owned());
    parsed(&format!("{scheme}://{authority}"), knowledge)
}

/// The scheme, where one is meant, and what follows it.
fn split_scheme(text: &str) -> (Option<String>, &str) {
    if let Some((before, rest)) = text.split_once("://") {
        // As in `https://http://app.example` and `https://http//app.example`.
        let is_twice = ["http", "https"].iter().any(|scheme| {
            let rest = rest.strip_prefix(scheme).map(|rest| rest.strip_prefix(':').unwrap_or(rest));
            rest.is_some_and(|rest| rest.starts_with(['/', '\\']))
        });
        if is_twice {
            return split_scheme(rest);
        }
        let scheme = before.to_ascii_lowercase();
        // As in `blob:http://app.example/…`, whose origin is that of the page.
        let is_insecure = scheme.rsplit_once(':').is_some_and(|(_, inner)| inner == "http");
        let scheme = match scheme.as_str() {
            scheme if is_scheme(scheme) => scheme,
            _ if is_insecure => "http",
            _ => "https",
        };
        return (Some(scheme.to_owned()), rest);
    }
    if let Some(rest) = text.strip_prefix("http:s//") {
        return (Some("https".to_owned()), rest);
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
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if let Some(block) = block(rest) {
        return Some(block);
    }
    if prefix_in_another_notation(rest).is_some() {
        return None;
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
    // Dots alone are no host.
    if host.is_empty() && authority.starts_with('.') {
        return None;
    }
    let is_port_meant = !port.is_empty();
    Some(if is_port_meant { format!("{host}:{port}") } else { host })
}

/// An address, a prefix length and a port, in any order.
fn block(rest: &str) -> Option<String> {
    if let Some((address, prefix)) = rest.split_once('/')
        && let Ok(ipv6) = address.parse::<Ipv6Addr>()
    {
        return Some(format!("[{ipv6}]/{prefix}"));
    }
    if let Some((address, mask)) = prefix_in_another_notation(rest)
        && let Some(prefix) = prefix_of_mask(mask)
    {
        return Some(format!("{address}/{prefix}"));
    }
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
    let is_octet = |octet: &str| octet == "*" || octet.parse::<u8>().is_ok();
    let is_starred = !host.starts_with('*') && host.split('.').all(is_octet);
    let is_address = host.starts_with('[')
        || ends_in_number(host)
        || is_starred
        || split_cidr(authority).is_some();
    if is_local || is_address { "http" } else { "https" }
}

/// The normal form of `text`, where it has one once its host is what browsers send and its block begins where it says.
fn parsed(text: &str, knowledge: &dyn Knowledge) -> Option<String> {
    let text = match OriginPattern::parse(text) {
        Err(InvalidOrigin::NonAscii(host)) => text.replacen(&host, &knowledge.punycode(&host)?, 1),
        Err(InvalidOrigin::CidrHostBits(block)) => with_block(text, |_, _| block.to_string())?,
        Err(InvalidOrigin::CidrStar) => {
            with_block(text, |address, prefix| format!("{}/{prefix}", address.replace('*', "0")))?
        }
        _ => text.to_owned(),
    };
    OriginPattern::parse(&text).ok().map(|parsed| parsed.pattern.to_string())
}

/// `text` with a different block of addresses in place of its own.
fn with_block(text: &str, block: impl FnOnce(&str, &str) -> String) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let (address, prefix, port) = split_cidr(rest)?;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{}{port}", block(address, prefix)))
}
