//! Language: serialized origins and those of a pattern, as regexes for automata.

use std::fmt::Write as _;
use std::net::IpAddr;

use corsward_policy::pattern::cidr::Cidr;
use corsward_policy::pattern::{HostShape, PortPattern, TuplePattern};

/// A label that is the last one of a name: it is no number (URL standard, "ends in a number checker").
const LAST_LABEL: &str = "(?:[a-z_-][a-z0-9_-]*|[1-9][0-9]*[a-z_-][a-z0-9_-]*\
    |0(?:[0-9]+[a-z_-][a-z0-9_-]*|[a-wyz_-][a-z0-9_-]*|x[0-9a-f]*[g-z_-][a-z0-9_-]*))";
/// An octet of an IPv4 address.
const OCTET: &str = "(?:[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])";
/// A port from 1 to 65535.
const PORT: &str = "(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?";
/// A superset of the IPv6 addresses.
const IPV6: &str = r"\[[0-9a-f:]+\]";
/// A superset of all hosts.
const ANY_HOST: &str = r"(?:\[[0-9a-f:]+\]|[A-Za-z0-9._-]*)";

/// The origins of http and https. A superset: the form of IPv6 addresses and the lengths are missing.
pub(crate) fn web_origins() -> String {
    let name = format!(r"(?:[a-z0-9_-]+\.)*{LAST_LABEL}\.?");
    let ipv4 = format!(r"{OCTET}(?:\.{OCTET}){{3}}");
    format!("https?://(?:{name}|{ipv4}|{IPV6}){PORT}")
}

/// The ports that no origin of http or https has, because they are the default.
pub(crate) const DEFAULT_PORTS: &str = "http://.*:80|https://.*:443";

/// The origins of all other schemes, a superset too; with the texts of [`NO_APP`].
pub(crate) fn app_origins() -> String {
    let name = r"(?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+\.?";
    format!(r"[a-z][a-z0-9+.-]{{0,63}}://(?:|(?:\.|{name}|{IPV6}){PORT})")
}

/// Texts of [`app_origins`] that are no origins of such a scheme.
pub(crate) const NO_APP: &str = "https?://.*|ws://.*:80|wss://.*:443|ftp://.*:21";

/// The regex of a pattern; `None` for a block of IPv6 addresses, which has none.
pub(crate) fn of_tuple(tuple: &TuplePattern) -> Option<String> {
    let scheme = tuple.scheme();
    let is_web = matches!(scheme, "http" | "https");
    let host = match tuple.host() {
        HostShape::Exact(host) => escaped(host),
        HostShape::Subdomains(rest) => format!(r"(?:[a-z0-9_-]+\.)+{}", escaped(rest)),
        HostShape::Label { prefix, suffix, rest } => {
            let dot = if rest.is_empty() { "" } else { r"\." };
            let [prefix, suffix, rest] = [prefix, suffix, rest].map(|text| escaped(text));
            format!("{prefix}[a-z0-9-]+{suffix}{dot}{rest}")
        }
        HostShape::Ipv4(_) | HostShape::Cidr(_) => of_block(tuple.host().block()?)?,
        HostShape::Any => ANY_HOST.to_owned(),
    };
    // Hosts of other schemes compare in any case.
    let host = if is_web { host } else { format!("(?i:{host})") };
    let port = match tuple.port() {
        PortPattern::Default => String::new(),
        PortPattern::Number(number) => format!(":{number}"),
        PortPattern::Any => PORT.to_owned(),
    };
    Some(format!("{}://{host}{port}", escaped(scheme)))
}

/// The regex of a block of IPv4 addresses.
fn of_block(block: Cidr) -> Option<String> {
    let IpAddr::V4(network) = block.network() else { return None };
    let mut left = block.prefix();
    let mut octets = Vec::new();
    for octet in network.octets() {
        let fixed = left.min(8);
        left = left.saturating_sub(fixed);
        let last = octet | u8::MAX.checked_shr(u32::from(fixed)).unwrap_or(0);
        octets.push(if fixed == 0 {
            OCTET.to_owned()
        } else {
            let each: Vec<String> = (octet..=last).map(|octet| octet.to_string()).collect();
            format!("(?:{})", each.join("|"))
        });
    }
    Some(octets.join(r"\."))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        let _ = match c {
            '.' | '+' | '-' | '[' | ']' => write!(escaped, r"\{c}"),
            c => write!(escaped, "{c}"),
        };
    }
    escaped
}
