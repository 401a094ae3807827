//! Port: the part of the grammar behind the host's colon.

use std::cmp::Ordering;

use corsward_policy::finding::OriginFault as Fault;

use super::grammar::Scheme;

const LARGEST: &[u8] = b"65535";

/// The progress of reading a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Port {
    len: u8,
    /// The digits beside as many of 65535.
    compared: Ordering,
    /// Whether the digits begin the scheme's default port.
    begins_default: bool,
}

// === impl Port ===

impl Port {
    pub(super) const START: Self = Self { len: 0, compared: Ordering::Equal, begins_default: true };

    pub(super) fn step(self, scheme: Scheme, digit: u8) -> (Self, Option<Fault>) {
        let at = usize::from(self.len);
        if self.len == 0 && digit == b'0' {
            return (self, Some(Fault::PortZeros));
        }
        let Some(largest) = LARGEST.get(at) else { return (self, Some(Fault::PortRange)) };
        let default = scheme.default_port().and_then(|port| port.get(at));
        let compared = self.compared.then(digit.cmp(largest));
        let len = self.len.saturating_add(1);
        let is_above = usize::from(len) == LARGEST.len() && compared == Ordering::Greater;
        let begins_default = self.begins_default && default == Some(&digit);
        (Self { len, compared, begins_default }, is_above.then_some(Fault::PortRange))
    }

    /// The fault of a port that ends here.
    pub(super) fn end(self, scheme: Scheme) -> Option<Fault> {
        let len = usize::from(self.len);
        if len == 0 {
            return Some(Fault::EmptyPort);
        }
        let is_default =
            self.begins_default && scheme.default_port().is_some_and(|port| port.len() == len);
        is_default.then_some(Fault::DefaultPort)
    }
}
