//! Ends: the domains and addresses that the hosts of an expression end in, read from right to left.

use std::collections::{BTreeMap, BTreeSet};

use super::grammar::{ReadState, Scheme};
use super::host::{Host, Label};
use super::product::{Budget, Bytes, Graph};

/// Most labels, and ends of labels, that are read before a label counts as any.
const MAX_PIECES: usize = 256;
/// Most domains that are looked at before nothing is said.
const MAX_DOMAINS: usize = 256;
/// Most first octets that addresses have which are not just any.
const MAX_OCTETS: usize = 16;

/// One way in which hosts end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// This host, in full.
    Host(String),
    /// This domain, with anything before its dot.
    Below(String),
    /// Many labels before `.domain`; `domain` is empty where those are the last ones.
    Open {
        domain: String,
        /// Whether there is a dot before that label.
        is_deep: bool,
    },
}

/// The graph of one scheme's hosts, edges turned around.
#[derive(Debug)]
pub(super) struct Hosts<'g> {
    graph: &'g Graph,
    before: Vec<Vec<(usize, Bytes)>>,
    starts: Nodes,
    budget: &'g Budget<'g>,
}

/// Too much to look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

/// A set of nodes.
type Nodes = BTreeSet<usize>;

/// Labels, whether the host may begin with each, and the nodes before the dot before it.
type HostLabels = BTreeMap<String, (bool, Nodes)>;

/// A label of a host, read backwards so far.
struct Piece {
    label: String,
    nodes: Nodes,
}

// === impl End ===

impl End {
    /// The domain with an owner; `None` for single labels and open ends.
    pub(super) fn registrable(&self) -> Option<&str> {
        match self {
            Self::Host(host) => Some(host.as_str()).filter(|host| host.contains('.')),
            Self::Below(domain) => Some(domain),
            Self::Open { .. } => None,
        }
    }
}

// === impl Hosts ===

impl<'g> Hosts<'g> {
    pub(super) fn new(
        graph: &'g Graph,
        scheme: Scheme,
        budget: &'g Budget<'g>,
    ) -> Result<Self, TooMuch> {
        budget.spend(graph.nodes.len()).map_err(|_| TooMuch)?;
        let is_host =
            |at: usize| matches!(graph.nodes.get(at), Some(node) if is_host(node.place, scheme));
        let mut before: Vec<Vec<(usize, Bytes)>> = vec![Vec::new(); graph.nodes.len()];
        for (from, edges) in graph.edges.iter().enumerate().filter(|(from, _)| is_host(*from)) {
            for (to, bytes) in edges.iter().filter(|(to, _)| is_host(*to)) {
                before.get_mut(*to).into_iter().for_each(|list| list.push((from, *bytes)));
            }
        }
        let is_start = |at: &usize| matches!(graph.nodes.get(*at), Some(node) if node.place == ReadState::Host(scheme, Host::Start));
        let starts = (0..graph.nodes.len()).filter(is_start).collect();
        Ok(Self { graph, before, starts, budget })
    }

    /// The ends of hosts for which `is_last` holds at their last place; `is_final` holds for domains with any text
    /// before them.
    pub(super) fn ends(
        &self,
        scheme: Scheme,
        is_last: impl Fn(Host) -> bool,
        is_final: &impl Fn(&str) -> bool,
    ) -> Result<BTreeSet<End>, TooMuch> {
        let last = self.last(scheme, is_last);
        let mut ends = BTreeSet::new();
        let mut left = vec![(String::new(), self.closure(last))];
        let mut domains = MAX_DOMAINS;
        while let Some((domain, nodes)) = left.pop() {
            domains = domains.checked_sub(1).ok_or(TooMuch)?;
            if nodes.is_empty() {
                continue;
            }
            let Some(labels) = self.labels(&nodes)? else {
                let is_deep = self.reaches_a_dot(&nodes);
                ends.insert(End::Open { domain, is_deep });
                continue;
            };
            for (label, (is_first, before)) in labels {
                let domain = joined(&label, &domain);
                if is_first {
                    ends.insert(End::Host(domain.clone()));
                }
                if before.is_empty() {
                    continue;
                }
                if is_final(&domain) {
                    ends.insert(End::Below(domain));
                } else {
                    left.push((domain, before));
                }
            }
        }
        Ok(ends)
    }

    /// The nodes at the end of the host for which `is_last` holds.
    fn last(&self, scheme: Scheme, is_last: impl Fn(Host) -> bool) -> Nodes {
        let mut last: Nodes = self.graph.ends.iter().copied().collect();
        for (from, edges) in self.graph.edges.iter().enumerate() {
            let is_port = |to: &usize| matches!(self.graph.nodes.get(*to), Some(node) if matches!(node.place, ReadState::Port(..)));
            if edges.iter().any(|(to, _)| is_port(to)) {
                last.insert(from);
            }
        }
        last.retain(|at| match self.graph.nodes.get(*at).map(|node| node.place) {
            Some(ReadState::Host(own, host)) => own == scheme && is_last(host),
            _ => false,
        });
        last
    }

    /// The labels that end at `nodes`. `None`: too many.
    fn labels(&self, nodes: &Nodes) -> Result<Option<HostLabels>, TooMuch> {
        let mut labels = HostLabels::new();
        let mut pieces = MAX_PIECES;
        let mut left = vec![Piece { label: String::new(), nodes: nodes.clone() }];
        while let Some(Piece { label, nodes }) = left.pop() {
            let Some(fewer) = pieces.checked_sub(1) else { return Ok(None) };
            pieces = fewer;
            if !nodes.is_disjoint(&self.starts) {
                labels.entry(label.clone()).or_default().0 = true;
            }
            for (byte, before) in self.steps(&nodes)? {
                // A loop.
                if before == nodes {
                    return Ok(None);
                }
                if byte == b'.' {
                    labels.entry(label.clone()).or_default().1.extend(before);
                } else {
                    let label = format!("{}{label}", char::from(byte));
                    left.push(Piece { label, nodes: before });
                }
            }
        }
        Ok(Some(labels))
    }

    /// The nodes one byte before `nodes`, for each byte.
    fn steps(&self, nodes: &Nodes) -> Result<BTreeMap<u8, Nodes>, TooMuch> {
        self.spend(nodes.len())?;
        let mut steps: BTreeMap<u8, Nodes> = BTreeMap::new();
        for (from, bytes) in nodes.iter().filter_map(|at| self.before.get(*at)).flatten() {
            for byte in bytes_of(*bytes) {
                self.spend(1)?;
                steps.entry(byte).or_default().insert(*from);
            }
        }
        let closed = |(byte, nodes)| {
            let nodes = self.closure(nodes);
            self.spend(nodes.len())?;
            Ok((byte, nodes))
        };
        steps.into_iter().map(closed).collect()
    }

    /// Takes `nodes` off what may still be looked at.
    fn spend(&self, nodes: usize) -> Result<(), TooMuch> {
        self.budget.spend(nodes).map_err(|_| TooMuch)
    }

    /// Those and all before them without a byte.
    fn closure(&self, mut nodes: Nodes) -> Nodes {
        let mut left: Vec<usize> = nodes.iter().copied().collect();
        while let Some(at) = left.pop() {
            for (from, bytes) in self.before.get(at).into_iter().flatten() {
                if *bytes == 0 && nodes.insert(*from) {
                    left.push(*from);
                }
            }
        }
        nodes
    }

    /// The first octets of the IPv4 addresses among the hosts; `None`: more than a few.
    pub(super) fn first_octets(&self, scheme: Scheme) -> Option<BTreeSet<String>> {
        let is_number = |host| matches!(host, Host::Label(label, _) if label != Label::Name);
        let mut within = self.last(scheme, is_number);
        let mut left: Vec<usize> = within.iter().copied().collect();
        while let Some(at) = left.pop() {
            for (from, _) in self.before.get(at).into_iter().flatten() {
                if within.insert(*from) {
                    left.push(*from);
                }
            }
        }
        let starts = self.starts.intersection(&within).copied().collect();
        self.graph.texts(starts, |at| within.contains(&at), b'.', MAX_OCTETS, self.budget)
    }

    /// Is there a dot anywhere before `nodes`?
    fn reaches_a_dot(&self, nodes: &Nodes) -> bool {
        let mut seen = nodes.clone();
        let mut left: Vec<usize> = nodes.iter().copied().collect();
        while let Some(at) = left.pop() {
            for (from, bytes) in self.before.get(at).into_iter().flatten() {
                if bytes.checked_shr(u32::from(b'.')).is_some_and(|bits| bits & 1 == 1) {
                    return true;
                }
                if seen.insert(*from) {
                    left.push(*from);
                }
            }
        }
        false
    }
}

// === impl Graph ===

impl Graph {
    /// The texts up to `until` on the ways that begin at `from` and stay within `is_within`. `None`: more than `max`, or than can be
    /// looked at.
    pub(super) fn texts(
        &self,
        from: Nodes,
        is_within: impl Fn(usize) -> bool,
        until: u8,
        max: usize,
        budget: &Budget<'_>,
    ) -> Option<BTreeSet<String>> {
        let mut texts = BTreeSet::new();
        let mut left = vec![(String::new(), from)];
        let mut pieces = max.saturating_mul(8);
        while let Some((text, mut nodes)) = left.pop() {
            pieces = pieces.checked_sub(1)?;
            let mut steps: BTreeMap<u8, Nodes> = BTreeMap::new();
            let mut todo: Vec<usize> = nodes.iter().copied().collect();
            while let Some(at) = todo.pop() {
                for (to, bytes) in self.edges.get(at).into_iter().flatten() {
                    budget.spend(usize::try_from(bytes.count_ones()).unwrap_or(1)).ok()?;
                    if *bytes == 0 && is_within(*to) && nodes.insert(*to) {
                        todo.push(*to);
                    }
                    for byte in bytes_of(*bytes) {
                        if byte == until {
                            texts.insert(text.clone());
                        } else if is_within(*to) {
                            steps.entry(byte).or_default().insert(*to);
                        }
                    }
                }
            }
            if texts.len() > max {
                return None;
            }
            left.extend(
                steps.into_iter().map(|(byte, to)| (format!("{text}{}", char::from(byte)), to)),
            );
        }
        Some(texts)
    }
}

fn bytes_of(bytes: Bytes) -> impl Iterator<Item = u8> {
    (0..128_u8)
        .filter(move |byte| bytes.checked_shr(u32::from(*byte)).is_some_and(|bits| bits & 1 == 1))
}

fn is_host(place: ReadState, scheme: Scheme) -> bool {
    matches!(place, ReadState::Host(own, _) if own == scheme)
}

fn joined(label: &str, domain: &str) -> String {
    match domain {
        "" => label.to_owned(),
        domain => format!("{label}.{domain}"),
    }
}
