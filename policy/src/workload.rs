//! Workload: which proxies of a bundle, and which port of theirs, a policy is for.

use std::collections::BTreeMap;

/// Proxies with certain labels, or one port of theirs, as the resolution of targets names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workload {
    /// Labels that the proxy must have, all of them; none: every proxy of the bundle.
    pub labels: BTreeMap<String, String>,
    /// The port that requests must have come to, as the proxy sees it; `None`: every port.
    pub port: Option<u16>,
}

/// A [`Workload`] in a compiled policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Narrowing {
    // INVARIANT: sorted, each key once.
    labels: Vec<(String, String)>,
    port: Option<u16>,
}

// === impl Narrowing ===

impl Narrowing {
    /// Only this port.
    pub(crate) fn to_port(port: Option<u16>) -> Self {
        Self { labels: Vec::new(), port }
    }

    pub(crate) fn of(workload: &Workload) -> Self {
        let Workload { labels, port } = workload;
        let labels = labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        Self { labels, port: *port }
    }

    /// Asks for one more label; `false`: its key is there already.
    pub(crate) fn require(&mut self, key: &str, value: &str) -> bool {
        let place = self.labels.binary_search_by(|(known, _)| known.as_str().cmp(key));
        if let Err(place) = place {
            self.labels.insert(place, (key.to_owned(), value.to_owned()));
        }
        place.is_err()
    }

    pub(crate) fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns whether it covers every request of every proxy.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.port.is_none()
    }
}
