//! Who is at the other end of a request, as far as this edge can vouch for it.
//!
//! The listener makes one [`Peer`] for every request and puts it into the request's extensions;
//! handlers read it there and never look at forwarding headers themselves.

use crate::auth::ChannelBinding;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Once};

/// The far end of one request: extension of every request that came in through a
/// [`Listener`](crate::http::listener::Listener).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The client's address as believed: from the PROXY protocol or a forwarding header when a
    /// trusted proxy sent it, else the socket's. The port is 0 where the proxy did not name it.
    pub address: SocketAddr,
    /// The address at the other end of the TCP connection: a proxy's, when there is one.
    pub socket: SocketAddr,
    /// A proxy passed this request on, so that `socket` is not the client. A trusted one named the
    /// client; of any other, `address` is its own.
    pub proxied: bool,
    /// The client's own link is encrypted: TLS ends here, or a trusted proxy says that it ended
    /// there.
    pub secure: bool,
    /// The TLS connection between the client and this process. `None` without TLS, and also when
    /// a proxy ended the client's TLS and opened another one: that one is not the client's, and
    /// binding a login to it would fail (RFC 5056 §2.1).
    pub tls: Option<TlsLink>,
}

impl Peer {
    /// A peer that reached us directly and without TLS; for tests and for listeners of others.
    pub fn direct(socket: SocketAddr) -> Self {
        Self {
            address: socket,
            socket,
            proxied: false,
            secure: false,
            tls: None,
        }
    }

    /// Behind a listener that is not ours nothing is known of the peer, and nothing is trusted. The
    /// log says so once.
    pub fn unknown() -> Self {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            tracing::warn!(
                "the application does not tell the addresses of clients: they count as one, and no \
                 link as private; serve with into_make_service_with_connect_info::<SocketAddr>()"
            );
        });
        Self {
            proxied: true,
            ..Self::direct(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
        }
    }

    /// Nobody on the way can read along: the link is encrypted, or never left this machine.
    ///
    /// A proxied request without a word about https is not private even when the proxy is on
    /// loopback: what lies before the proxy is unknown.
    pub fn link_is_private(&self) -> bool {
        self.secure || self.is_on_loopback()
    }

    /// The client itself is on this machine, not merely a proxy in front of it.
    pub fn is_on_loopback(&self) -> bool {
        !self.proxied && self.address.ip().to_canonical().is_loopback()
    }

    /// What a login may bind itself to; nothing where TLS does not end here.
    pub fn channel_binding(&self) -> ChannelBinding {
        let Some(tls) = &self.tls else {
            return ChannelBinding::NONE;
        };
        ChannelBinding {
            tls_exporter: tls.exporter,
            tls_server_end_point: tls.server_end_point.as_ref().map(|hash| hash.to_vec()),
        }
    }

    /// The believed address without its port, IPv4 also when it came as IPv4-mapped IPv6: the key
    /// for limits per address.
    pub fn ip(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }
}

/// What a login may bind itself to on a TLS connection (RFC 5929, RFC 9266).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsLink {
    /// The `tls-exporter` binding; `None` where the connection cannot give one (RFC 9266 §3).
    pub exporter: Option<[u8; 32]>,
    /// The `tls-server-end-point` binding: hash of the certificate that this connection was
    /// shown. `None` for signature algorithms that name no hash, such as Ed25519 (RFC 5929 §4.1).
    pub server_end_point: Option<Arc<[u8]>>,
    /// The version that was agreed on.
    pub version: TlsVersion,
}

/// A TLS version that this edge speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246, always with the extended master secret (RFC 7627).
    V1_2,
    /// RFC 8446.
    V1_3,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::direct(address.parse().unwrap())
    }

    #[test]
    fn loopback_is_private_also_as_mapped_ipv6() {
        assert!(peer("127.0.0.1:1").link_is_private());
        assert!(peer("[::1]:1").link_is_private());
        assert!(peer("[::ffff:127.0.0.1]:1").link_is_private());
        assert!(!peer("192.0.2.1:1").link_is_private());
    }

    #[test]
    fn request_that_a_proxy_on_loopback_passed_on_is_not_private_without_https() {
        let mut proxied = Peer {
            proxied: true,
            ..peer("127.0.0.1:1")
        };
        assert!(!proxied.link_is_private());
        proxied.secure = true;
        assert!(proxied.link_is_private());
    }
}
