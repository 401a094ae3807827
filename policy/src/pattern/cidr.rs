//! `Cidr`: a block of IP addresses (RFC 4632 section 3.1, RFC 4291 section 2.3).

use std::fmt;
use std::net::IpAddr;

use crate::origin::{Ipv6Text, ends_in_number, parse_ipv4, parse_ipv6};
use crate::pattern::InvalidOrigin;

/// Bits of an IPv4 address.
const IPV4_BITS: u8 = 32;
/// Bits of an IPv6 address.
const IPV6_BITS: u8 = 128;

/// The addresses of one family that begin with the same bits.
///
/// An IPv4-mapped IPv6 address is an IPv6 address: browsers serialize it as one, and it is a different origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    // INVARIANT: zero after its first `prefix` bits.
    network: IpAddr,
    // INVARIANT: at most the bits of the address.
    prefix: u8,
}

// === impl Cidr ===

impl Cidr {
    /// The block of that prefix length around `address`; `None` where the length exceeds the address.
    pub fn around(address: IpAddr, prefix: u8) -> Option<Self> {
        let network = match address {
            IpAddr::V4(ipv4) => {
                let mask = mask(prefix).to_be_bytes();
                let octets = ipv4.octets();
                let mut network = [0; 4];
                for ((to, octet), mask) in network.iter_mut().zip(octets).zip(mask) {
                    *to = octet & mask;
                }
                IpAddr::from(network)
            }
            IpAddr::V6(ipv6) => IpAddr::from((u128::from(ipv6) & mask(prefix)).to_be_bytes()),
        };
        (prefix <= bits_of(address)).then_some(Self { network, prefix })
    }

    /// The one address itself.
    pub fn of(address: IpAddr) -> Self {
        Self { network: address, prefix: bits_of(address) }
    }

    /// Parses an address as a URL has it (IPv6 in brackets), and a prefix length.
    pub(crate) fn parse(address: &str, prefix: &str) -> Result<Self, InvalidOrigin> {
        if address.contains('*') {
            return Err(InvalidOrigin::CidrStar);
        }
        let address: IpAddr = if address.starts_with('[') {
            parse_ipv6(address).ok_or(InvalidOrigin::Ipv6)?.into()
        } else if ends_in_number(address) {
            parse_ipv4(address).ok_or(InvalidOrigin::Ipv4)?.into()
        } else {
            return Err(InvalidOrigin::CidrName);
        };
        let canonical = prefix == "0" || !prefix.starts_with('0');
        let prefix = prefix.parse().ok().filter(|_| canonical);
        let block = prefix.and_then(|prefix| Self::around(address, prefix));
        let block = block.ok_or(InvalidOrigin::CidrPrefix)?;
        if block.network != address {
            return Err(InvalidOrigin::CidrHostBits(block));
        }
        Ok(block)
    }

    /// Returns the first address.
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// Returns the number of bits that its addresses have in common.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Returns whether it has one address only.
    pub fn is_one_address(&self) -> bool {
        self.prefix == bits_of(self.network)
    }

    /// Returns whether it holds every address of `other`.
    pub fn contains(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && Self::around(other.network, self.prefix) == Some(*self)
    }

    /// The bits that the addresses of the block of that prefix length around `address` have in common.
    pub(crate) fn key(address: IpAddr, prefix: u8) -> [u8; 16] {
        let bits = match address {
            IpAddr::V4(ipv4) => u128::from(u32::from(ipv4)).wrapping_shl(96),
            IpAddr::V6(ipv6) => u128::from(ipv6),
        };
        (bits & mask(prefix)).to_be_bytes()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network {
            IpAddr::V4(ipv4) => write!(f, "{ipv4}/{}", self.prefix),
            IpAddr::V6(ipv6) => write!(f, "{}/{}", Ipv6Text::of(ipv6), self.prefix),
        }
    }
}

/// `address/prefix[:port]` in three. A number after a name is a path, unless a port follows it.
pub(crate) fn split_cidr(authority: &str) -> Option<(&str, &str, Option<&str>)> {
    let (address, more) = authority.split_once('/')?;
    let (prefix, port) = match more.split_once(':') {
        Some((prefix, port)) => (prefix, Some(port)),
        None => (more, None),
    };
    let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = address.starts_with('[') && address.ends_with(']')
        || (address.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'*'))
            && address.bytes().any(|byte| byte.is_ascii_digit()));
    (is_number && (is_address || port.is_some())).then_some((address, prefix, port))
}

/// The text after an IPv4 address and a slash, if it is a mask, or a number that is no prefix length in decimal
/// digits.
pub(crate) fn prefix_in_another_notation(authority: &str) -> Option<(&str, &str)> {
    let (address, more) = authority.split_once('/')?;
    let begins = more.strip_prefix(['-', '+']).unwrap_or(more);
    let is_number = begins.starts_with(|c: char| c.is_ascii_digit())
        && begins.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, 'x' | '.'));
    (is_number && parse_ipv4(address).is_some()).then_some((address, more))
}

/// The prefix length of a mask such as `255.255.0.0`.
pub(crate) fn prefix_of_mask(mask: &str) -> Option<u32> {
    let bits = u32::from_be_bytes(parse_ipv4(mask)?);
    let ones = bits.leading_ones();
    (ones > 0 && bits.count_ones() == ones).then_some(ones)
}

fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { IPV4_BITS } else { IPV6_BITS }
}

/// Ones for the first `prefix` bits, from the left.
fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(u32::from(IPV6_BITS.saturating_sub(prefix))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Cidr, InvalidOrigin> {
        let (address, prefix, _) = split_cidr(text).unwrap_or_else(|| panic!("{text} is a block"));
        Cidr::parse(address, prefix)
    }

    #[test]
    fn a_block_contains_the_blocks_and_addresses_that_begin_with_its_bits() {
        for (why, wide, narrow, want) in [
            ("itself", "172.16.0.0/12", "172.16.0.0/12", true),
            ("a block in it", "172.16.0.0/12", "172.31.255.0/24", true),
            ("its last address", "172.16.0.0/12", "172.31.255.255/32", true),
            ("the next address", "172.16.0.0/12", "172.32.0.0/32", false),
            ("a wider block", "172.16.0.0/12", "172.0.0.0/8", false),
            ("every address of the family", "0.0.0.0/0", "255.255.255.255/32", true),
            ("not of the other family", "0.0.0.0/0", "[::]/0", false),
            ("unique local addresses", "[fc00::]/7", "[fd00::]/8", true),
            ("the last bit", "[2001:db8::2]/127", "[2001:db8::3]/128", true),
            ("beyond it", "[2001:db8::2]/127", "[2001:db8::4]/128", false),
            ("a mapped address is IPv6", "127.0.0.0/8", "[::ffff:7f00:1]/128", false),
            ("mapped addresses by their own block", "[::ffff:0:0]/96", "[::ffff:7f00:1]/128", true),
        ] {
            let [wide, narrow] = [wide, narrow].map(|text| read(text).expect(text));
            assert_eq!(wide.contains(&narrow), want, "{why}");
            let same_key = Cidr::key(narrow.network(), wide.prefix())
                == Cidr::key(wide.network(), wide.prefix());
            let same_family = wide.network().is_ipv4() == narrow.network().is_ipv4();
            assert_eq!(
                same_family && wide.prefix() <= narrow.prefix() && same_key,
                want,
                "{why}: by its key"
            );
        }
    }

    #[test]
    fn a_number_after_a_name_is_a_path_and_after_an_address_a_prefix() {
        for (why, text, want) in [
            ("an address", "10.0.0.0/8", true),
            ("with a port", "10.0.0.0/8:3000", true),
            ("IPv6", "[fd00::]/8:*", true),
            ("stars, to be told", "10.*.*.*/8", true),
            ("a name with what only a block has", "app.example/8:3000", true),
            ("a name", "app.example/12", false),
            ("any host", "*/12", false),
            ("a word", "10.0.0.1/api", false),
            ("nothing", "10.0.0.1/", false),
            ("a longer path", "10.0.0.1/8/x", false),
            ("a port before it", "10.0.0.0:80/8", false),
        ] {
            assert_eq!(split_cidr(text).is_some(), want, "{why}: {text}");
        }
    }
}
