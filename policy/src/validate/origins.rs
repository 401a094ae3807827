//! Origins: the entries of `allowOrigins` and `trustedOrigins`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use super::Judge;
use super::dangers::Dangers;
use super::meant;
use super::report::{Field, Report};
use crate::cidr::Cidr;
use crate::contain::Cover;
use crate::finding::{Danger, DangerReason, ListReason, OriginReason};
use crate::limits::{MAX_LIST_LEN, MAX_TRUSTED_ORIGINS};
use crate::pattern::{HostShape, OriginPattern, PortPattern, TuplePattern};

/// Schemes whose pages have another origin: sockets and files are opened by pages, and the rest is opaque.
const NEVER_SENT: [&str; 8] =
    ["ws", "wss", "ftp", "about", "blob", "data", "filesystem", "javascript"];

/// A valid entry, beside what its author wrote.
struct Entry<'l> {
    written: &'l str,
    field: Field,
    pattern: OriginPattern,
}

/// The valid entries of a list, each once, and whether they are all.
struct Parsed<'l> {
    entries: Vec<Entry<'l>>,
    /// The same patterns, each as often as it is written: where all are valid, an index here is one of the list.
    patterns: Vec<OriginPattern>,
    all_valid: bool,
}

/// The entries of `allowOrigins`.
pub(super) fn allowed(
    list: &[String],
    no_regexes: bool,
    field: &Field,
    judge: &dyn Judge,
    dangers: &mut Dangers,
    report: &mut Report,
) -> Vec<OriginPattern> {
    let may_be_any = !dangers.credentials && no_regexes && list.len() == 1;
    let Parsed { entries, patterns, all_valid } =
        parse(MAX_LIST_LEN, list, may_be_any, field, judge, report);
    if !all_valid {
        dangers.cannot_tell();
    }
    let cover = Cover::new(entries.iter().map(|entry| &entry.pattern));
    for Entry { written, field, pattern } in &entries {
        match pattern {
            OriginPattern::Any => {
                if entries.len() > 1 || !no_regexes {
                    report.add(field, OriginReason::AnyBesideOthers);
                }
                if dangers.credentials {
                    dangers.meet(Danger::AnyOriginWithCredentials, written, field, report);
                }
            }
            OriginPattern::Null => {
                report.add(field, OriginReason::Null);
                if dangers.credentials {
                    dangers.meet(Danger::NullOriginWithCredentials, written, field, report);
                }
            }
            OriginPattern::Tuple(tuple) => {
                check_dangers(tuple, written, field, judge, dangers, report);
                check_use(tuple, written, field, &cover, report);
            }
        }
    }
    sifted(patterns)
}

/// The entries of `trustedOrigins`. They never share anything, so only what would trust everybody is refused.
pub(super) fn trusted(
    list: &[String],
    field: &Field,
    judge: &dyn Judge,
    report: &mut Report,
) -> Vec<OriginPattern> {
    let Parsed { entries, patterns, all_valid: _ } =
        parse(MAX_TRUSTED_ORIGINS, list, false, field, judge, report);
    let cover = Cover::new(entries.iter().map(|entry| &entry.pattern));
    for Entry { written, field, pattern } in &entries {
        match pattern {
            OriginPattern::Any => report.add(field, OriginReason::AnyTrusted("*".to_owned())),
            OriginPattern::Null => report.add(field, OriginReason::NullTrusted),
            OriginPattern::Tuple(tuple) if is_any_host(tuple.host()) => {
                let (web, app) = (OriginReason::AnyTrusted, OriginReason::AnyAppTrusted);
                let reason = if has_sites(tuple) { web } else { app };
                report.add(field, reason((*written).to_owned()));
            }
            OriginPattern::Tuple(tuple) => {
                if has_registrable_star(tuple, judge) {
                    report.add(field, DangerReason::PublicSuffix((*written).to_owned()));
                }
                check_is_sent(tuple, written, field, report);
                check_is_not_covered(tuple, written, field, &cover, report);
            }
        }
    }
    sifted(patterns)
}

/// `*` beside others is refused; what is left without it allows less, and can be read by a filter.
fn sifted(mut patterns: Vec<OriginPattern>) -> Vec<OriginPattern> {
    if patterns.iter().any(|pattern| *pattern != OriginPattern::Any) {
        patterns.retain(|pattern| *pattern != OriginPattern::Any);
    }
    patterns
}

/// A list that stands in no policy: what is dangerous is judged where it is used.
pub(super) fn shared(
    list: &[String],
    field: &Field,
    judge: &dyn Judge,
    report: &mut Report,
) -> Vec<OriginPattern> {
    let Parsed { entries, patterns, all_valid: _ } =
        parse(MAX_LIST_LEN, list, true, field, judge, report);
    let cover = Cover::new(entries.iter().map(|entry| &entry.pattern));
    for Entry { written, field, pattern } in &entries {
        if let OriginPattern::Tuple(tuple) = pattern {
            check_is_not_covered(tuple, written, field, &cover, report);
        }
    }
    patterns
}

fn parse<'l>(
    max: usize,
    list: &'l [String],
    may_be_any: bool,
    field: &Field,
    judge: &dyn Judge,
    report: &mut Report,
) -> Parsed<'l> {
    let (mut entries, mut patterns) = (Vec::new(), Vec::new());
    let mut all_valid = true;
    let mut seen: HashMap<OriginPattern, usize> = HashMap::new();
    for (at, written) in report.bounded_to(max, list, field).iter().enumerate() {
        let entry = field.at(at);
        let parsed = match OriginPattern::parse(written) {
            Ok(parsed) => parsed,
            Err(why) => {
                all_valid = false;
                let mut instead = meant::by(written, judge);
                if !may_be_any && instead.iter().any(|meant| meant == "*") {
                    instead.clear();
                }
                let value = written.clone();
                report.add(&entry, OriginReason::Invalid { value, why, instead });
                continue;
            }
        };
        let value = written.clone();
        patterns.push(parsed.pattern.clone());
        if let Some(first) = seen.get(&parsed.pattern) {
            let first = field.at(*first).to_string();
            report.add(&entry, ListReason::Repeated { value, first });
            continue;
        }
        if parsed.normalized {
            let normal = parsed.pattern.to_string();
            report.add(&entry, ListReason::Normalized { value, normal });
        }
        seen.insert(parsed.pattern.clone(), at);
        entries.push(Entry { written, field: entry, pattern: parsed.pattern });
    }
    Parsed { entries, patterns, all_valid }
}

/// Design section 3.3, for patterns.
fn check_dangers(
    tuple: &TuplePattern,
    written: &str,
    field: &Field,
    judge: &dyn Judge,
    dangers: &mut Dangers,
    report: &mut Report,
) {
    let registrable = has_registrable_star(tuple, judge);
    if !dangers.credentials {
        if registrable {
            report.add(field, DangerReason::PublicSuffix(written.to_owned()));
        }
        return;
    }
    if is_any_host(tuple.host()) {
        let (web, app) = (Danger::AnyOriginWithCredentials, Danger::AnyAppOriginWithCredentials);
        dangers.meet(if has_sites(tuple) { web } else { app }, written, field, report);
    }
    if tuple.scheme() == "http" {
        if is_loopback(tuple.host()) {
            // Names without a port are how Capacitor and Tauri serve the pages of their applications.
            if tuple.port() != PortPattern::Default || block_or_address(tuple.host()) {
                report.add(field, OriginReason::Development(written.to_owned()));
            }
        } else {
            dangers.meet(Danger::InsecureOriginWithCredentials, written, field, report);
        }
    }
    if registrable {
        dangers.meet(Danger::PublicSuffixSubdomains, written, field, report);
    }
}

/// Does the entry do anything, and all that its author expects?
fn check_use(
    tuple: &TuplePattern,
    written: &str,
    field: &Field,
    cover: &Cover,
    report: &mut Report,
) {
    check_is_sent(tuple, written, field, report);
    check_is_not_covered(tuple, written, field, cover, report);
    // A name without a port is how Capacitor serves the pages of its applications, and 127.0.0.1 none of them.
    if tuple.scheme().starts_with("http")
        && tuple.port() != PortPattern::Default
        && *tuple.host() == HostShape::Exact("localhost".into())
    {
        let missing = format!("{}://127.0.0.1{}", tuple.scheme(), tuple.port());
        let known =
            OriginPattern::parse(&missing).is_ok_and(|other| cover.contains(&other.pattern));
        if !known {
            let value = written.to_owned();
            report.add(field, OriginReason::LocalhostAlone { value, missing });
        }
    }
}

fn check_is_sent(tuple: &TuplePattern, written: &str, field: &Field, report: &mut Report) {
    if NEVER_SENT.contains(&tuple.scheme()) {
        report.add(field, OriginReason::NeverSent(written.to_owned()));
    }
    if tuple.scheme() == "file" {
        report.add(field, OriginReason::File(written.to_owned()));
    }
}

fn check_is_not_covered(
    tuple: &TuplePattern,
    written: &str,
    field: &Field,
    cover: &Cover,
    report: &mut Report,
) {
    if let Some(by) = cover.wider_than(tuple) {
        let (value, by) = (written.to_owned(), by.to_string());
        report.add(field, OriginReason::Covered { value, by });
    }
}

/// Any name, or a block of addresses that holds more public ones than a site has: wider than a /16 of IPv4 or a /32 of IPv6.
fn is_any_host(host: &HostShape) -> bool {
    let is_wide = |block: Cidr| {
        let most = if block.network().is_ipv4() { 16 } else { 32 };
        block.prefix() < most && !is_private(&block)
    };
    *host == HostShape::Any || host.block().is_some_and(is_wide)
}

/// Are all its addresses private, loopback or link-local ones (RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291)?
fn is_private(block: &Cidr) -> bool {
    let v4 = [([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16)];
    let v4_local = [([127, 0, 0, 0], 8), ([169, 254, 0, 0], 16), ([100, 64, 0, 0], 10)];
    let v6 = [(0xfc00, 7), (0xfe80, 10)];
    let v4 = v4.into_iter().chain(v4_local).map(|(octets, len)| (IpAddr::from(octets), len));
    let v6 = v6.map(|(first, len)| (IpAddr::from([first, 0, 0, 0, 0, 0, 0, 0]), len));
    v4.chain(v6)
        .filter_map(|(network, len)| Cidr::around(network, len))
        .any(|private| private.contains(block))
}

/// Whether the hosts are addresses.
fn block_or_address(host: &HostShape) -> bool {
    let is_address = |host: &str| host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
    host.block().is_some() || matches!(host, HostShape::Exact(host) if is_address(host))
}

/// Whether its origins are sites: hosts of other schemes name extensions and applications.
fn has_sites(tuple: &TuplePattern) -> bool {
    matches!(tuple.scheme(), "http" | "https")
}

/// Is there a star over names that anyone can register? Only sites have registered names.
fn has_registrable_star(tuple: &TuplePattern, judge: &dyn Judge) -> bool {
    if !has_sites(tuple) {
        return false;
    }
    match tuple.host() {
        // Whole labels, as many as there are: what stands above a public suffix covers it too.
        HostShape::Subdomains(rest) => {
            judge.is_public_suffix(rest) || judge.is_ancestor_of_public_suffix(rest)
        }
        // One label: only its own suffix counts, be it listed by itself or by a wildcard rule.
        HostShape::Label { prefix, suffix, rest } => {
            judge.is_public_suffix(rest)
                || judge.is_public_suffix(&format!("{prefix}a{suffix}.{rest}"))
        }
        HostShape::Exact(_) | HostShape::Ipv4(_) | HostShape::Cidr(_) | HostShape::Any => false,
    }
}

/// Names and addresses of the machine itself (RFC 6761 section 6.3; URL standard).
fn is_loopback(host: &HostShape) -> bool {
    let is_localhost = |name: &str| name == "localhost" || name.ends_with(".localhost");
    match host {
        HostShape::Exact(host) => {
            let ipv4: Option<Ipv4Addr> = host.parse().ok();
            is_localhost(host) || host == "[::1]" || ipv4.is_some_and(|ipv4| ipv4.is_loopback())
        }
        HostShape::Subdomains(rest) | HostShape::Label { rest, .. } => is_localhost(rest),
        HostShape::Ipv4(_) | HostShape::Cidr(_) => {
            let loopback = Cidr::around(Ipv4Addr::LOCALHOST.into(), 8);
            host.block().zip(loopback).is_some_and(|(block, loopback)| loopback.contains(&block))
        }
        HostShape::Any => false,
    }
}
