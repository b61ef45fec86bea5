//! `[listen]` and `[tls]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::config::kinds::{address, choice, networks, optional, path, switch};
use crate::config::option::section;
use crate::config::types::ForwardedHeader;

section! {
    /// Where the server listens. 5280 is the port registered for XMPP over BOSH. A socket with one
    /// of these addresses that systemd passes to the server is taken in place of binding it.
    Listen in "listen." {
        /// WebSocket, BOSH and the page without TLS: for browsers on this machine and for a proxy
        /// that ends TLS. The default is out of reach of other machines.
        plain: Option<SocketAddr> = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 5280))),
            optional(address(), "\"127.0.0.1:5280\""), Restart;

        /// The same with TLS; see `[tls]` for the certificate.
        tls: Option<SocketAddr> = None, optional(address(), "\"[::]:5281\""), Restart;

        /// The interface for operators and applications: `/healthz`, `/readyz`, `/metrics`, and what
        /// `[admin]` is about. An address that other machines can reach is an error unless
        /// `listen.admin_public` and `admin.token_file` are set.
        admin: Option<SocketAddr> = None, optional(address(), "\"127.0.0.1:5290\""), Restart;

        /// Whether `listen.admin` may be an address that other machines can reach. There is no TLS,
        /// so something else, such as a private network, has to keep strangers from listening in.
        admin_public: bool = false, switch(), Restart;

        /// The proxies that are believed when they name the client, by the header of
        /// `listen.forwarded_header` or by the PROXY protocol. Whoever is listed here can pass for
        /// any address and for a link with TLS. Of anybody else such headers tell only that there is
        /// a proxy, so that its clients do not count as users of this machine.
        trusted_proxies: Vec<IpNet> = Vec::new(), networks(), Restart;

        /// The header in which those proxies name the client: "x-forwarded-for", together with
        /// `X-Forwarded-Proto`, or "forwarded" (RFC 7239). The other kind is not read: a proxy
        /// passes it on as the client wrote it.
        forwarded_header: ForwardedHeader = ForwardedHeader::XForwardedFor, choice(), Restart;
    }
}

section! {
    /// The certificate of `listen.tls`. TLS 1.2 and 1.3.
    Tls in "tls." {
        /// The certificate and those that lead to its issuer, in PEM. The file is read again on
        /// SIGHUP, and a bad one then leaves the old one in place. If it is absent the server makes a
        /// self-signed certificate and keeps it in `state_dir`.
        cert: Option<PathBuf> = None, optional(path(), "\"fullchain.pem\""), Restart;

        /// The private key, in PEM: PKCS#8, PKCS#1 or SEC1, without a passphrase. It is read again
        /// together with `tls.cert`, and looked for in that same file if this option is absent.
        key: Option<PathBuf> = None, optional(path(), "\"privkey.pem\""), Restart;

        /// Whether a self-signed certificate will do. If not, `listen.tls` without `tls.cert` is an
        /// error at the start and not a warning in every browser.
        self_signed: bool = true, switch(), Restart;
    }
}
