//! Public and special-purpose addresses, according to the IANA registries (RFC 6890 and its successors).
//!
//! Server-side request forgery sends requests to private addresses. Invariant: in IPv6 only global unicast addresses
//! are public, and an address that contains an IPv4 address is public if the IPv4 address is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of IP addresses, written as in `10.1.0.0/16` or `fd00:12::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpNetwork {
    address: IpAddr,
    prefix: u8,
}

impl IpNetwork {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNetwork {
        IpNetwork { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(first: u16, second: u16, prefix: u8) -> IpNetwork {
        IpNetwork { address: IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)), prefix }
    }

    /// Returns whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same_start(own.to_bits().into(), other.to_bits().into(), 32 - self.prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                same_start(own.to_bits(), other.to_bits(), 128 - self.prefix)
            }
            _ => false,
        }
    }
}

fn same_start(one: u128, other: u128, free: u8) -> bool {
    let shift = |bits: u128| bits.checked_shr(free.into()).unwrap_or(0);
    shift(one) == shift(other)
}

/// The error for a text that is not a range of IP addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseIpNetworkError(String);

impl fmt::Display for ParseIpNetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not a range of addresses; write one like 10.1.0.0/16", self.0)
    }
}

impl std::error::Error for ParseIpNetworkError {}

impl FromStr for IpNetwork {
    type Err = ParseIpNetworkError;

    fn from_str(text: &str) -> Result<IpNetwork, ParseIpNetworkError> {
        let wrong = || ParseIpNetworkError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        if prefix > most { Err(wrong()) } else { Ok(IpNetwork { address, prefix }) }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

const NOT_PUBLIC: &[IpNetwork] = &[
    IpNetwork::v4(0, 0, 0, 0, 8),
    IpNetwork::v4(10, 0, 0, 0, 8),
    IpNetwork::v4(100, 64, 0, 0, 10),
    IpNetwork::v4(127, 0, 0, 0, 8),
    // The metadata services of most clouds are in this range.
    IpNetwork::v4(169, 254, 0, 0, 16),
    IpNetwork::v4(172, 16, 0, 0, 12),
    IpNetwork::v4(192, 0, 0, 0, 24),
    IpNetwork::v4(192, 0, 2, 0, 24),
    IpNetwork::v4(192, 88, 99, 0, 24),
    IpNetwork::v4(192, 168, 0, 0, 16),
    IpNetwork::v4(198, 18, 0, 0, 15),
    IpNetwork::v4(198, 51, 100, 0, 24),
    IpNetwork::v4(203, 0, 113, 0, 24),
    IpNetwork::v4(224, 0, 0, 0, 3),
    // It looks public, but is the host's side of every virtual machine at Azure.
    IpNetwork::v4(168, 63, 129, 16, 32),
    // IETF protocol assignments: Teredo, ORCHID, benchmarks.
    IpNetwork::v6(0x2001, 0, 23),
    IpNetwork::v6(0x2001, 0xdb8, 32),
    IpNetwork::v6(0x3fff, 0, 20),
];

const GLOBAL_UNICAST: IpNetwork = IpNetwork::v6(0x2000, 0, 3);

/// Returns whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let special = NOT_PUBLIC.iter().any(|network| network.contains(address));
    match address {
        IpAddr::V4(_) => !special,
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => GLOBAL_UNICAST.contains(address) && !special,
        },
    }
}

/// Returns the IPv4 address in a translated (RFC 6052) or 6to4 (RFC 3056) address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(joined(high, low)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let table = [
            ("8.8.8.8", true),
            ("1.1.1.1", true),
            ("100.63.255.255", true),
            ("100.128.0.0", true),
            ("172.32.0.1", true),
            ("2606:4700::1111", true),
            ("2a00:1450::1", true),
            ("64:ff9b::808:808", true),
            ("2002:808:808::1", true),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("100.100.100.200", false),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("168.63.129.16", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.192", false),
            ("192.168.1.1", false),
            ("198.19.255.255", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::127.0.0.1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:169.254.169.254", false),
            ("64:ff9b::a00:1", false),
            ("64:ff9b:1::1", false),
            ("100::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("3fff::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ];
        for (text, public) in table {
            assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
        }
    }

    #[test]
    fn networks_are_read_and_contain_what_they_should() {
        let table = [
            ("10.1.0.0/16", "10.1.200.3", true),
            ("10.1.0.0/16", "10.2.0.0", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("::/0", "fd00::1", true),
            ("::/0", "10.0.0.1", false),
            ("fd00:12::/32", "fd00:12:ffff::1", true),
            ("fd00:12::/32", "fd00:13::1", false),
        ];
        for (network, address, inside) in table {
            let network: IpNetwork = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network} {address}");
        }
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "host/8"] {
            assert!(wrong.parse::<IpNetwork>().is_err(), "{wrong}");
        }
    }
}
