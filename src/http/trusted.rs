//! The proxies whose word about a client is believed.

use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// The proxies whose word about a client is believed (`listen.trusted_proxies`).
///
/// Cheap to clone. The empty list, also the default, believes nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Whether the host at `address` is one of them; an IPv4 address also when it comes as
    /// IPv4-mapped IPv6. Cost: O(networks).
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromIterator<IpNet> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(networks: &[&str]) -> TrustedProxies {
        networks
            .iter()
            .map(|network| network.parse::<IpNet>().unwrap())
            .collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_empty_list_believes_nobody() {
        assert!(!TrustedProxies::default().contain(ip("127.0.0.1")));
    }

    #[test]
    fn any_of_the_networks_will_do_and_no_neighbour() {
        let proxies = trusted(&["10.1.2.0/23", "::1/128"]);
        assert!(proxies.contain(ip("10.1.3.255")) && proxies.contain(ip("::1")));
        assert!(!proxies.contain(ip("10.1.4.0")) && !proxies.contain(ip("::2")));
    }

    #[test]
    fn mapped_ipv4_is_ipv4() {
        assert!(trusted(&["127.0.0.0/8"]).contain(ip("::ffff:127.0.0.9")));
        assert!(!trusted(&["::/0"]).contain(ip("127.0.0.1")));
    }
}
