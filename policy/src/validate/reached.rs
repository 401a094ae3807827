//! The reach of a pattern: sites, applications, addresses, and its dangers with credentials (design section 3.3).

use std::net::{IpAddr, Ipv4Addr};

use super::Knowledge;
use crate::finding::Danger;
use crate::pattern::cidr::Cidr;
use crate::pattern::{HostShape, OriginPattern, TuplePattern};

/// The dangers of a pattern with credentials, each once.
pub(super) fn dangers_of(pattern: &OriginPattern, knowledge: &dyn Knowledge) -> Vec<Danger> {
    match pattern {
        OriginPattern::Any => vec![Danger::AnyOriginWithCredentials],
        OriginPattern::Null => vec![Danger::NullOriginWithCredentials],
        OriginPattern::Tuple(tuple) => dangers_of_tuple(tuple, knowledge),
    }
}

fn dangers_of_tuple(tuple: &TuplePattern, knowledge: &dyn Knowledge) -> Vec<Danger> {
    let mut dangers = Vec::new();
    if is_any_host(tuple) {
        let (web, app) = (Danger::AnyOriginWithCredentials, Danger::AnyAppOriginWithCredentials);
        dangers.push(if has_sites(tuple) { web } else { app });
    }
    if tuple.scheme() == "http" && !is_loopback(tuple.host()) {
        dangers.push(Danger::InsecureOriginWithCredentials);
    }
    if has_registrable_star(tuple, knowledge) {
        dangers.push(Danger::PublicSuffixSubdomains);
    }
    dangers
}

/// Any name, or a block of addresses that holds more public ones than a site has: wider than a /16 of IPv4 or a /32 of IPv6. Hosts of
/// schemes other than http and https have no registry, so that any star over them reaches applications of other authors.
pub(super) fn is_any_host(tuple: &TuplePattern) -> bool {
    let host = tuple.host();
    let is_wide = |block: Cidr| {
        let most = if block.network().is_ipv4() { 16 } else { 32 };
        block.prefix() < most && !is_private(&block)
    };
    let is_star = match host {
        HostShape::Any => true,
        HostShape::Subdomains(_) | HostShape::Label { .. } => !has_sites(tuple),
        HostShape::Exact(_) | HostShape::Ipv4(_) | HostShape::Cidr(_) => false,
    };
    is_star || host.block().is_some_and(is_wide)
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
pub(super) fn block_or_address(host: &HostShape) -> bool {
    let is_address = |host: &str| host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
    host.block().is_some() || matches!(host, HostShape::Exact(host) if is_address(host))
}

/// Whether its origins are sites: hosts of other schemes name extensions and applications.
pub(super) fn has_sites(tuple: &TuplePattern) -> bool {
    matches!(tuple.scheme(), "http" | "https")
}

/// Is there a star over names that are open to registration? Only sites have registered names.
pub(super) fn has_registrable_star(tuple: &TuplePattern, knowledge: &dyn Knowledge) -> bool {
    if !has_sites(tuple) {
        return false;
    }
    match tuple.host() {
        // Whole labels, as many as there are: what stands above a public suffix covers it too.
        HostShape::Subdomains(rest) => {
            knowledge.is_public_suffix(rest) || knowledge.is_ancestor_of_public_suffix(rest)
        }
        // One label: only its own suffix counts, be it listed by itself or by a wildcard rule.
        HostShape::Label { prefix, suffix, rest } => {
            knowledge.is_public_suffix(rest)
                || knowledge.is_public_suffix(&format!("{prefix}a{suffix}.{rest}"))
        }
        HostShape::Exact(_) | HostShape::Ipv4(_) | HostShape::Cidr(_) | HostShape::Any => false,
    }
}

/// Names and addresses of the machine itself (RFC 6761 section 6.3; URL standard).
pub(super) fn is_loopback(host: &HostShape) -> bool {
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
