//! Hazards: how far an expression reaches, by the schemes and the ends of hosts that it accepts (design section 3.3).

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use corsward_policy::finding::OriginFault as Fault;
use corsward_policy::regex::OriginRegex;
use corsward_policy::validate::RegexHazard as Hazard;

use super::super::suffixes;
use super::ends::{End, Hosts, TooMuch};
use super::grammar::{ReadState, Scheme};
use super::host::{Host, Label};
use super::product::{Budget, Graph};

/// Origins without a relation to any site of users; `test` can never be registered (RFC 6761 section 6.2).
const STRANGERS: [&str; 6] = [
    "https://corsward-probe.test",
    "https://a.b-c.corsward-probe.test",
    "https://198.51.100.7:8443",
    "http://corsward-probe.test",
    "http://0-9.corsward-probe.test:3000",
    "http://203.0.113.7",
];

/// Most schemes of an expression that does not take any.
const MAX_SCHEMES: usize = 8;

/// Most domains of a listing that differ in one character at one place: one for each digit.
const MAX_VARIANTS: usize = 10;

/// Does the regex accept every origin of http and https?
pub(super) fn is_any_origin(regex: &str) -> bool {
    accepts(regex, |_| true)
}

fn accepts(regex: &str, which: impl Fn(&str) -> bool) -> bool {
    OriginRegex::parse(regex).is_ok_and(|regex| {
        STRANGERS.iter().filter(|stranger| which(stranger)).all(|stranger| regex.accepts(stranger))
    })
}

/// The hazards of an expression, each once. `regex` is its text.
pub(super) fn of(regex: &str, graph: &Graph, budget: &Budget<'_>) -> Vec<Hazard> {
    if is_any_origin(regex) {
        return vec![Hazard::AnyOrigin];
    }
    let mut hazards = BTreeSet::new();
    if schemes(graph, budget).is_none() {
        hazards.insert(Hazard::AnyScheme);
    }
    let schemes: BTreeSet<Scheme> = graph.useful_places().filter_map(scheme_of).collect();
    for scheme in schemes {
        let reach = Reach::of(graph, scheme, budget);
        match reach {
            Ok(reach) => reach.add_hazards(regex, scheme, &mut hazards),
            Err(TooMuch) => {
                hazards.insert(Hazard::Unjudged);
            }
        }
    }
    // Any host is more than any address.
    if hazards.contains(&Hazard::AnyHost) {
        hazards.remove(&Hazard::AnyAddress);
    }
    // An origin without TLS is worth more words than one of the machine itself.
    if hazards.contains(&Hazard::Insecure) {
        hazards.remove(&Hazard::Loopback);
    }
    hazards.into_iter().collect()
}

fn scheme_of(place: ReadState) -> Option<Scheme> {
    match place {
        ReadState::Host(scheme, _) => Some(scheme),
        _ => None,
    }
}

/// Whether the regex accepts an origin of http or https.
pub(super) fn has_sites(graph: &Graph) -> bool {
    graph.useful_places().filter_map(scheme_of).any(Scheme::is_http)
}

/// The schemes that the regex accepts; `None`: more than a few.
pub(super) fn schemes(graph: &Graph, budget: &Budget<'_>) -> Option<BTreeSet<String>> {
    let is_spelling = |at: usize| {
        matches!(
            graph.nodes.get(at).map(|node| node.place),
            Some(ReadState::Begin | ReadState::Spelling(_))
        )
    };
    graph.texts(BTreeSet::from([0]), is_spelling, b':', MAX_SCHEMES, budget)
}

/// Are all hosts bracketed texts that are no serialized address?
pub(super) fn has_only_misspelled_ipv6(graph: &Graph, budget: &Budget<'_>) -> bool {
    let schemes: BTreeSet<Scheme> = graph.useful_places().filter_map(scheme_of).collect();
    schemes.into_iter().all(|scheme| {
        let Ok(hosts) = Hosts::new(graph, scheme, budget) else { return false };
        let others = hosts.ends(scheme, |host| host != Host::Closed, &|_| false);
        let bracketed = hosts.ends(scheme, |host| host == Host::Closed, &|_| false);
        others.is_ok_and(|ends| ends.is_empty())
            && bracketed.is_ok_and(|ends| {
                ends.iter().all(|end| matches!(end, End::Host(host) if !is_ipv6(host)))
            })
    })
}

/// The fault in the bracketed host of a text that is no origin.
pub(super) fn fault_of_ipv6(text: &str) -> Fault {
    let address = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    let is_address = address.is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok());
    if is_address { Fault::Ipv6 } else { Fault::NoIpv6 }
}

fn is_ipv6(host: &str) -> bool {
    let origin = format!("http://{host}");
    corsward_policy::origin::Origin::parse(origin.as_bytes()).is_some()
}

/// The hosts of one scheme.
struct Reach {
    names: BTreeSet<End>,
    /// First octets of IPv4 addresses; `None`: any.
    octets: Option<BTreeSet<String>>,
    ipv6: BTreeSet<End>,
}

// === impl Reach ===

impl Reach {
    fn of(graph: &Graph, scheme: Scheme, budget: &Budget<'_>) -> Result<Self, TooMuch> {
        let hosts = Hosts::new(graph, scheme, budget)?;
        let is_name = |host| {
            matches!(
                host,
                Host::Label(Label::Name, _) | Host::Dot { .. } | Host::Start | Host::Lone
            )
        };
        Ok(Self {
            names: hosts.ends(scheme, is_name, &is_registrable)?,
            octets: hosts.first_octets(scheme),
            ipv6: hosts.ends(scheme, |host| host == Host::Closed, &|_| false)?,
        })
    }

    fn add_hazards(&self, regex: &str, scheme: Scheme, hazards: &mut BTreeSet<Hazard>) {
        let any_host = if scheme.is_http() { Hazard::AnyHost } else { Hazard::AnyAppHost };
        let has_any_address =
            self.octets.is_none() || self.ipv6.iter().any(|end| matches!(end, End::Open { .. }));
        if has_any_address {
            hazards.insert(if scheme.is_http() { Hazard::AnyAddress } else { any_host });
        }
        for end in &self.names {
            if let End::Open { domain, is_deep } = end {
                if !domain.is_empty() {
                    if scheme.is_http() && is_registrable_below(domain, *is_deep) {
                        hazards.insert(Hazard::PublicSuffix);
                    }
                } else if !scheme.is_http() || accepts_any_host(regex, scheme) {
                    hazards.insert(any_host);
                } else if !hazards.contains(&any_host) {
                    hazards.insert(if *is_deep { Hazard::OpenEnd } else { Hazard::SingleLabel });
                }
            }
        }
        if scheme.is_http() && self.have_any_character() {
            hazards.insert(Hazard::PublicSuffix);
        }
        if scheme == Scheme::Http {
            let is_loopback = self.is_loopback() && !has_any_address;
            hazards.insert(if is_loopback { Hazard::Loopback } else { Hazard::Insecure });
        }
    }

    /// Whether one character of the registrable domains is any of many, as in `app.?example\.com`.
    fn have_any_character(&self) -> bool {
        let mut variants: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for domain in self.names.iter().filter_map(End::registrable) {
            for (at, c) in domain.char_indices() {
                let Some((before, rest)) = domain.split_at_checked(at) else { continue };
                let after = rest.strip_prefix(c).unwrap_or_default();
                let count = variants.entry((before, after)).or_default();
                *count = count.saturating_add(1);
                if *count > MAX_VARIANTS {
                    return true;
                }
            }
        }
        false
    }

    fn is_loopback(&self) -> bool {
        let is_localhost = |name: &str| name == "localhost" || name.ends_with(".localhost");
        let names = self.names.iter().all(|end| match end {
            End::Host(name) | End::Below(name) => is_localhost(name.trim_end_matches('.')),
            End::Open { .. } => false,
        });
        let octets = self.octets.iter().flatten().all(|octet| octet == "127");
        let ipv6 = self.ipv6.iter().all(|end| *end == End::Host("[::1]".to_owned()));
        names && octets && ipv6
    }
}

fn accepts_any_host(regex: &str, scheme: Scheme) -> bool {
    let prefix = if scheme == Scheme::Https { "https://" } else { "http://" };
    accepts(regex, |stranger| {
        // A name on the default port: `https://*` accepts no more.
        let host = stranger.strip_prefix(prefix).filter(|host| !host.contains(':'));
        host.is_some_and(|host| host.contains("corsward-probe"))
    })
}

/// Is a name with one of many labels before `domain` open to registration, because `domain` has no owner?
fn is_registrable_below(domain: &str, is_deep: bool) -> bool {
    // One label above a suffix, such as `s3.amazonaws.com`, reaches none of the names below it.
    is_deep
        || suffixes::is_public_suffix(domain)
        || suffixes::is_public_suffix(&format!("a.{domain}"))
}

/// Is `domain` one that has an owner? An address has none above it, a public suffix many below.
fn is_registrable(domain: &str) -> bool {
    !domain.is_empty()
        && !suffixes::is_public_suffix(domain)
        && !suffixes::is_ancestor_of_public_suffix(domain)
}
