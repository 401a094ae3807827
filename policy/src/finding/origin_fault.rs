//! Faults of origins in a foreign notation: the fault, and the fix.

use crate::pattern::cidr::prefix_in_another_notation;
use crate::pattern::{InvalidOrigin, OriginPattern};

/// The fault of a refused entry, and its fix without a guess, if they are clearer than the parser's reason.
pub(super) fn of(value: &str, why: &InvalidOrigin) -> Option<(&'static str, &'static str)> {
    let (scheme, rest) = value.split_once("://")?;
    let is_ipv6 = rest.starts_with('[');
    match why {
        InvalidOrigin::Scheme if is_underscored_scheme(scheme) => Some((
            "has a `_` in its scheme, and a scheme has none",
            "give the application a scheme of `a-z`, `0-9`, `+`, `-` and `.`",
        )),
        InvalidOrigin::Query if is_glob(value) => Some((
            "has a `?`, which stands for no character",
            "write a star in the first label, such as `https://app-*.app.example`, or one entry for each host",
        )),
        InvalidOrigin::Path if rest.contains("://") => {
            Some(("has several origins in it", "write one origin per entry"))
        }
        InvalidOrigin::Path | InvalidOrigin::Port if ends_in_one_slash(value) => {
            Some(("ends in a slash, and an origin does not", "write it without the slash"))
        }
        InvalidOrigin::Port if has_port_range(rest) => Some((
            "has a range of ports, and an entry has one port",
            "write one entry for each port, or `:*` for any",
        )),
        InvalidOrigin::Path if is_bare_ipv6_block(rest) => {
            Some(("has an IPv6 address without brackets", IPV6_BLOCK))
        }
        InvalidOrigin::Path if prefix_in_another_notation(rest).is_some() => {
            Some(("has no prefix length in decimal digits after its address", IPV4_BLOCK))
        }
        InvalidOrigin::Ipv6 if is_ipv6 && rest.contains('*') => {
            Some(("has a `*` in an IPv6 address, whose blocks have a prefix length", IPV6_BLOCK))
        }
        InvalidOrigin::CidrPrefix if is_ipv6 => Some((
            "has a prefix length that is not between 0 and 128, or has leading zeros",
            IPV6_BLOCK,
        )),
        _ => None,
    }
}

const IPV4_BLOCK: &str =
    "write the first address of the block and its prefix length, such as `http://10.0.0.0/8:*`";
const IPV6_BLOCK: &str =
    "write the first address of the block and its prefix length, such as `http://[fd00::]/8:*`";

/// Whether it is a scheme but for a `_`.
pub(crate) fn is_underscored_scheme(scheme: &str) -> bool {
    let is_scheme_char = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.contains('_')
        && scheme.chars().all(is_scheme_char)
}

/// Whether a `?` is the one of a glob: what follows it is the rest of a host, and no query.
pub(crate) fn is_glob(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split_once('?').is_some_and(|(before, after)| {
        let is_host_char = |c: char| c.is_ascii_alphanumeric() || "-.?*:".contains(c);
        !before.contains(['/', '#'])
            && after.contains('.')
            && after.trim_end_matches('/').chars().all(is_host_char)
    })
}

/// Whether a text ends in two ports with a hyphen between them.
fn has_port_range(text: &str) -> bool {
    let ports = text.rsplit_once(':').and_then(|(_, ports)| ports.split_once('-'));
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    ports.is_some_and(|(from, to)| is_port(from) && is_port(to))
}

fn ends_in_one_slash(value: &str) -> bool {
    value.strip_suffix('/').is_some_and(|origin| OriginPattern::parse(origin).is_ok())
}

fn is_bare_ipv6_block(rest: &str) -> bool {
    let address = rest.split_once('/').map(|(address, _)| address);
    address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}
