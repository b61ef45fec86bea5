//! Which proxies are believed: networks in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// A network: an address and how many of its leading bits count.
///
/// IPv4 addresses inside `::ffff:0:0/96` are the same as plain IPv4 ones, on both sides of the
/// comparison, so that a dual-stack socket needs no second list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    /// With the bits behind the prefix cleared.
    network: IpAddr,
    prefix_bits: u8,
}

impl Cidr {
    /// The network of `prefix_bits` leading bits around `address`; host bits are dropped.
    ///
    /// # Errors
    ///
    /// [`CidrError::PrefixTooLong`] beyond 32 bits for IPv4 and 128 for IPv6.
    pub fn new(address: IpAddr, prefix_bits: u8) -> Result<Self, CidrError> {
        let limit_bits = width_bits(address);
        if prefix_bits > limit_bits {
            return Err(CidrError::PrefixTooLong {
                prefix_bits,
                limit_bits,
            });
        }
        let (address, prefix_bits) = unmapped(address, prefix_bits);
        Ok(Self {
            network: masked(address, prefix_bits),
            prefix_bits,
        })
    }

    /// Whether `address` lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4()
            && masked(address, self.prefix_bits) == self.network
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// Reads `10.0.0.0/8`, `::1/128`, or a lone address, which is a network of one.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let not_a_network = || CidrError::NotANetwork {
            text: text.to_owned(),
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| not_a_network())?;
        let prefix_bits = match prefix {
            Some(digits) if is_plain_number(digits) => digits.parse().map_err(|_| not_a_network()),
            Some(_) => Err(not_a_network()),
            None => Ok(width_bits(address)),
        }?;
        Self::new(address, prefix_bits)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix_bits)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no network. The operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Neither an address nor an address with a prefix length.
    #[error("{text:?} is not a network such as \"10.0.0.0/8\" or \"::1\"")]
    NotANetwork {
        /// What stood there.
        text: String,
    },
    /// More prefix bits than the address has.
    #[error("prefix length {prefix_bits} is beyond {limit_bits}")]
    PrefixTooLong {
        /// What stood behind the slash.
        prefix_bits: u8,
        /// The width of the address.
        limit_bits: u8,
    },
}

/// The proxies whose word about a client is believed (`listen.trusted_proxies`).
///
/// Cheap to clone. The empty list, also the default, believes nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[Cidr]>);

impl TrustedProxies {
    /// Whether the host at `address` is one of them. Cost: O(networks).
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl FromIterator<Cidr> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = Cidr>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

fn is_plain_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn width_bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`. A shorter prefix than /96 spans more than IPv4 and stays.
fn unmapped(address: IpAddr, prefix_bits: u8) -> (IpAddr, u8) {
    match (
        address.to_canonical(),
        prefix_bits.checked_sub(MAPPED_PREFIX_BITS),
    ) {
        (canonical @ IpAddr::V4(_), Some(v4_bits)) if address.is_ipv6() => (canonical, v4_bits),
        _ => (address, prefix_bits),
    }
}

fn masked(address: IpAddr, prefix_bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let dropped = 32 - u32::from(prefix_bits.min(32));
            let mask = u32::MAX.checked_shl(dropped).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let dropped = 128 - u32::from(prefix_bits.min(128));
            let mask = u128::MAX.checked_shl(dropped).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// Where IPv4 begins inside an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2).
const MAPPED_PREFIX_BITS: u8 = 96;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn network_holds_its_first_and_last_address_and_no_neighbour() {
        let network = cidr("10.1.2.0/23");
        assert!(network.contains(ip("10.1.2.0")) && network.contains(ip("10.1.3.255")));
        assert!(!network.contains(ip("10.1.1.255")) && !network.contains(ip("10.1.4.0")));
        let network = cidr("2001:db8::/33");
        assert!(network.contains(ip("2001:db8:7fff::1")));
        assert!(!network.contains(ip("2001:db8:8000::1")));
    }

    #[test]
    fn lone_address_is_a_network_of_one() {
        assert_eq!(cidr("::1"), cidr("::1/128"));
        assert!(cidr("192.0.2.7").contains(ip("192.0.2.7")));
        assert!(!cidr("192.0.2.7").contains(ip("192.0.2.6")));
    }

    #[test]
    fn prefix_of_zero_holds_its_own_family_only() {
        assert!(cidr("0.0.0.0/0").contains(ip("255.255.255.255")));
        assert!(!cidr("0.0.0.0/0").contains(ip("::1")));
        assert!(cidr("::/0").contains(ip("::1")));
        assert!(!cidr("::/0").contains(ip("127.0.0.1")));
    }

    #[test]
    fn mapped_ipv4_is_ipv4_on_both_sides() {
        assert!(cidr("127.0.0.0/8").contains(ip("::ffff:127.0.0.9")));
        assert!(cidr("::ffff:127.0.0.0/104").contains(ip("127.0.0.9")));
    }

    #[test]
    fn host_bits_are_dropped_and_shown_so() {
        assert_eq!(cidr("10.1.2.3/8").to_string(), "10.0.0.0/8");
    }

    #[test]
    fn what_is_no_network_is_named_in_the_error() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0/8",
            "localhost",
            "::1/1/1",
        ] {
            let error = text.parse::<Cidr>().unwrap_err();
            assert_eq!(
                error,
                CidrError::NotANetwork {
                    text: text.to_owned()
                }
            );
        }
        assert_eq!(
            "10.0.0.0/33".parse::<Cidr>(),
            Err(CidrError::PrefixTooLong {
                prefix_bits: 33,
                limit_bits: 32
            })
        );
    }

    proptest! {
        #[test]
        fn every_network_contains_the_address_that_it_was_made_of(
            bits: u128, v4: u32, long in 0u8..=128, short in 0u8..=32
        ) {
            let v6 = IpAddr::V6(bits.into());
            let v4 = IpAddr::V4(v4.into());
            prop_assume!(v6.to_canonical().is_ipv6());
            prop_assert!(Cidr::new(v6, long).unwrap().contains(v6));
            prop_assert!(Cidr::new(v4, short).unwrap().contains(v4));
        }
    }
}
