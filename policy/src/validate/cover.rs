//! Cover: which entries of a list accept all that another one accepts. Look-ups, because lists may be long.

use std::collections::HashMap;

use crate::pattern::{HostShape, OriginPattern, PortPattern, TuplePattern};

/// Most stars inside a label that an entry is compared with, one after the other.
const MAX_LABEL_PATTERNS: usize = 64;

/// The tuple patterns of a list, by what they are made of.
#[derive(Debug, Default)]
pub(super) struct Cover<'l> {
    tuples: HashMap<Key, &'l TuplePattern>,
    labels: Vec<&'l TuplePattern>,
}

/// Scheme, host and port.
type Key = (String, HostShape, PortPattern);

// === impl Cover ===

impl<'l> Cover<'l> {
    pub(super) fn new(patterns: impl Iterator<Item = &'l OriginPattern>) -> Self {
        let mut cover = Self::default();
        for pattern in patterns {
            let OriginPattern::Tuple(tuple) = pattern else { continue };
            let is_label = matches!(tuple.host(), HostShape::Label { .. });
            if is_label && cover.labels.len() < MAX_LABEL_PATTERNS {
                cover.labels.push(tuple);
            }
            let key = (tuple.scheme().to_owned(), tuple.host().clone(), tuple.port());
            cover.tuples.insert(key, tuple);
        }
        cover
    }

    /// Is all that `pattern` accepts accepted by some entry?
    pub(super) fn accepts(&self, pattern: &OriginPattern) -> bool {
        match pattern {
            OriginPattern::Tuple(tuple) => {
                let key = (tuple.scheme().to_owned(), tuple.host().clone(), tuple.port());
                self.tuples.contains_key(&key) || self.wider_than(tuple).is_some()
            }
            OriginPattern::Any | OriginPattern::Null => false,
        }
    }

    /// An entry that accepts all that `tuple` accepts, and more.
    pub(super) fn wider_than(&self, tuple: &TuplePattern) -> Option<String> {
        let mut hosts = wider_hosts(tuple.host());
        hosts.push(tuple.host().clone());
        for host in hosts {
            for port in [tuple.port(), PortPattern::Any] {
                if host == *tuple.host() && port == tuple.port() {
                    continue;
                }
                let key = (tuple.scheme().to_owned(), host.clone(), port);
                if let Some(wider) = self.tuples.get(&key) {
                    return Some(wider.to_string());
                }
            }
        }
        let wider = self.labels.iter().find(|label| has_label_of(label, tuple))?;
        Some(wider.to_string())
    }
}

/// The shapes that accept all hosts of `host`, and more.
fn wider_hosts(host: &HostShape) -> Vec<HostShape> {
    let mut wider = match host {
        HostShape::Exact(name) => match name.parse::<std::net::Ipv4Addr>() {
            Ok(address) => shorter_prefixes(&address.octets()),
            Err(_) if name.starts_with('[') => Vec::new(),
            Err(_) => parents(name),
        },
        HostShape::Subdomains(rest) => parents(rest),
        HostShape::Label { rest, .. } => {
            let mut wider = parents(rest);
            wider.push(HostShape::Subdomains(rest.clone()));
            wider
        }
        HostShape::Ipv4(fixed) => shorter_prefixes(fixed),
        HostShape::Any => return Vec::new(),
    };
    wider.push(HostShape::Any);
    wider
}

/// `*.rest` for everything after a dot.
fn parents(name: &str) -> Vec<HostShape> {
    let rests = std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.'));
    rests.map(|(_, rest)| HostShape::Subdomains(rest.to_owned())).collect()
}

fn shorter_prefixes(octets: &[u8]) -> Vec<HostShape> {
    (0..octets.len()).filter_map(|len| Some(HostShape::Ipv4(octets.get(..len)?.to_vec()))).collect()
}

/// Does `label`, a star inside a label, accept the one host of `tuple`?
fn has_label_of(label: &TuplePattern, tuple: &TuplePattern) -> bool {
    let (HostShape::Label { prefix, suffix, rest }, HostShape::Exact(host)) =
        (label.host(), tuple.host())
    else {
        return false;
    };
    let (first, others) = host.split_once('.').unwrap_or((host, ""));
    let star =
        first.strip_prefix(prefix.as_str()).and_then(|star| star.strip_suffix(suffix.as_str()));
    let is_star_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    label.scheme() == tuple.scheme()
        && [tuple.port(), PortPattern::Any].contains(&label.port())
        && rest == others
        && star.is_some_and(|star| !star.is_empty() && star.bytes().all(is_star_byte))
}
