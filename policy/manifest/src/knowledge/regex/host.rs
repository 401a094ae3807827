//! Host: the part of the grammar between `://` and the port (URL standard, "host serializer").

use corsward_policy::finding::OriginFault as Fault;

use super::grammar::{ReadState, ReadStep, Scheme, character_fault};

/// The progress of reading a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Host {
    /// Nothing is read.
    Start,
    /// A dot, and nothing else: `app://.` of Electron.
    Lone,
    /// Some of a label, and all before it.
    Label(Label, Octets),
    /// A dot, after a label that is or is no number.
    Dot { after_number: bool, octets: Octets },
    /// Some of a bracketed address.
    Bracket,
    /// All of a bracketed address.
    Closed,
}

/// A label, as far as it matters for the URL standard's "ends in a number checker".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Label {
    Zero,
    Digits,
    Hexadecimal,
    Name,
}

/// The host so far as the beginning of a dotted IPv4 address: how many octets are complete, and the one that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Octets {
    None,
    Some(u8, Octet),
}

/// A number from 0 to 255 without leading zeros, by what may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Octet {
    Empty,
    /// `1`: any two digits.
    One,
    /// `2`: a digit and, unless it is above 5, a further one.
    Two,
    /// `25`: a digit up to 5.
    TwoFive,
    /// Any one digit.
    OneMore,
    /// Nothing.
    Full,
}

// === impl Host ===

impl Host {
    /// The place after `byte`, which is neither a colon nor a slash.
    pub(super) fn step(self, scheme: Scheme, byte: u8) -> ReadStep {
        let (host, fault) = match (self, byte) {
            (Self::Start, b'[') => (Self::Bracket, None),
            (Self::Bracket, b']') => (Self::Closed, None),
            (Self::Bracket, b'0'..=b'9' | b'a'..=b'f' | b':') => (self, None),
            (Self::Bracket, b'A'..=b'F') => (self, Some(Fault::HostCase)),
            (Self::Bracket, b'.') => (self, Some(Fault::Ipv6)),
            (Self::Bracket, _) => (self, Some(Fault::NoIpv6)),
            (Self::Closed, _) => (self, Some(character_fault(byte))),
            (Self::Label(label, octets), b'.') => {
                let after_number = label != Label::Name;
                (Self::Dot { after_number, octets: octets.next() }, None)
            }
            (Self::Start, b'.') if !scheme.is_http() => (Self::Lone, None),
            (Self::Lone, _) | (_, b'.') => (self, Some(Fault::EmptyLabel)),
            (_, b'q'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'Q'..=b'Z')
                if scheme == Scheme::ChromeExtension =>
            {
                (self.with(scheme, byte), Some(Fault::ExtensionId))
            }
            (_, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => (self.with(scheme, byte), None),
            (_, b'A'..=b'Z') => {
                let is_lower = scheme.is_http() || scheme == Scheme::ChromeExtension;
                let fault = is_lower.then_some(Fault::HostCase);
                (self.with(scheme, byte.to_ascii_lowercase()), fault)
            }
            _ => (self.with(scheme, byte), Some(character_fault(byte))),
        };
        (ReadState::Host(scheme, host), fault)
    }

    /// The fault of a host that ends here.
    pub(super) fn end(self, scheme: Scheme) -> Option<Fault> {
        match self {
            // Applications may have none.
            Self::Start => scheme.is_http().then_some(Fault::NoHost),
            Self::Label(Label::Name, _) | Self::Lone | Self::Closed => None,
            Self::Label(_, octets) => (!octets.are_four()).then_some(Fault::Ipv4),
            Self::Dot { after_number, .. } => after_number.then_some(Fault::Ipv4),
            Self::Bracket => Some(Fault::NoIpv6),
        }
    }

    fn with(self, scheme: Scheme, byte: u8) -> Self {
        // Hosts of other schemes are names, whatever they look like.
        if !scheme.is_http() {
            return Self::Label(Label::Name, Octets::None);
        }
        let (label, octets) = match self {
            Self::Label(label, octets) => (label.with(byte), octets),
            Self::Dot { octets, .. } => (Label::of(byte), octets),
            Self::Start | Self::Lone | Self::Bracket | Self::Closed => {
                (Label::of(byte), Octets::Some(0, Octet::Empty))
            }
        };
        Self::Label(label, octets.with(byte))
    }
}

// === impl Label ===

impl Label {
    fn of(first: u8) -> Self {
        match first {
            b'0' => Self::Zero,
            b'1'..=b'9' => Self::Digits,
            _ => Self::Name,
        }
    }

    fn with(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Zero | Self::Digits, b'0'..=b'9') => Self::Digits,
            (Self::Zero, b'x') | (Self::Hexadecimal, b'0'..=b'9' | b'a'..=b'f') => {
                Self::Hexadecimal
            }
            _ => Self::Name,
        }
    }
}

// === impl Octets ===

impl Octets {
    fn with(self, byte: u8) -> Self {
        let Self::Some(before, octet) = self else { return Self::None };
        let octet = match (octet, byte) {
            (Octet::Empty, b'1') => Octet::One,
            (Octet::Empty, b'2') => Octet::Two,
            (Octet::Two, b'5') => Octet::TwoFive,
            (Octet::Empty, b'3'..=b'9') | (Octet::One, b'0'..=b'9') | (Octet::Two, b'0'..=b'4') => {
                Octet::OneMore
            }
            (Octet::Empty, b'0')
            | (Octet::TwoFive, b'0'..=b'5')
            | (Octet::Two, b'6'..=b'9')
            | (Octet::OneMore, b'0'..=b'9') => Octet::Full,
            _ => return Self::None,
        };
        Self::Some(before, octet)
    }

    /// After a dot.
    fn next(self) -> Self {
        match self {
            Self::Some(before, octet) if octet != Octet::Empty && before < 3 => {
                Self::Some(before.saturating_add(1), Octet::Empty)
            }
            _ => Self::None,
        }
    }

    fn are_four(self) -> bool {
        matches!(self, Self::Some(3, octet) if octet != Octet::Empty)
    }
}
