//! Whose request it is behind HTTP proxies: `Forwarded` (RFC 7239) and its older kin
//! `X-Forwarded-For` and `X-Forwarded-Proto`.
//!
//! Anybody can write these headers, so they are read from the right, where the proxy next to us
//! wrote, and only as far as the writers are trusted. What cannot be read ends the walk: the last
//! address that a trusted proxy vouched for stands.
//!
//! One thing is believed from anybody: that there is a proxy at all. Nobody gains by claiming it,
//! since it takes away what a direct client on loopback may do.

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use axum::http::{HeaderMap, HeaderName, header};
use tracing::warn;

use crate::http::listener::ListenerOptions;
use crate::http::peer::Peer;

/// Which header trusted proxies write. The operator must know: a proxy passes on, untouched, the
/// kind that it does not write itself, with whatever the client put into it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`, as nearly every proxy does.
    #[default]
    XForwardedFor,
    /// `Forwarded`.
    Forwarded,
}

/// The peer of one request on the connection of `peer`.
///
/// Of a peer that is no trusted proxy nothing is believed but that it
/// [is one](tell_of_a_proxy): it keeps its address, and loses what only a person on this machine
/// may do. The first such peer of the process is named in the log.
pub fn believe(headers: &HeaderMap, peer: &Peer, options: &ListenerOptions) -> Peer {
    let trusted = |address: SocketAddr| options.trusted_proxies.contain(address.ip());
    if !trusted(peer.address) {
        return doubt(headers, peer);
    }
    let said = read(headers, options.forwarded_header);
    if said.is_silent() {
        return behind_unknown(headers, peer);
    }
    said.warn_of_what_is_missing(peer, options.forwarded_header);
    let mut believed = Peer {
        proxied: true,
        tls: None,
        ..peer.clone()
    };
    for hop in said.hops.iter().rev() {
        let Some(address) = *hop else { break };
        believed.address = address;
        if !trusted(address) {
            break;
        }
    }
    believed.secure = said.secure.unwrap_or(peer.secure);
    believed
}

/// Whether a request bears the mark of a proxy, whoever put it there.
pub fn tell_of_a_proxy(headers: &HeaderMap) -> bool {
    let marks = [
        FORWARDED,
        X_FORWARDED_FOR,
        X_FORWARDED_PROTO,
        X_REAL_IP,
        header::VIA,
    ];
    marks.iter().any(|name| headers.contains_key(name))
}

/// The peer of a request from somebody who is not trusted.
fn doubt(headers: &HeaderMap, peer: &Peer) -> Peer {
    let doubted = behind_unknown(headers, peer);
    if doubted.proxied && !peer.proxied {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            let address = peer.ip();
            warn!(
                "requests come through a proxy at {address} that listen.trusted_proxies does not list"
            );
        });
    }
    doubted
}

/// The peer of a request whose way to the proxy next to us is unknown, if there is a proxy.
///
/// TLS that ends here stays what a login binds itself to: else whoever ends the client's TLS in
/// secret could switch the binding off by one header, and so escape its discovery.
fn behind_unknown(headers: &HeaderMap, peer: &Peer) -> Peer {
    if !tell_of_a_proxy(headers) {
        return peer.clone();
    }
    Peer {
        proxied: true,
        secure: false,
        ..peer.clone()
    }
}

/// What the headers say, before anybody decides how much of it to believe.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    /// The client first, the proxy's own client last; `None` where no address stands.
    hops: Vec<Option<SocketAddr>>,
    /// Every hop that names a scheme names https.
    secure: Option<bool>,
}

impl Said {
    fn is_silent(&self) -> bool {
        self.hops.is_empty() && self.secure.is_none()
    }

    /// Half of what a proxy has to say is easily forgotten in its configuration, and shows only in
    /// clients that are taken for each other, or that are not offered what needs TLS. The first
    /// proxy of each kind is named in the log.
    fn warn_of_what_is_missing(&self, peer: &Peer, which: ForwardedHeader) {
        static WARNED: [Once; 2] = [Once::new(), Once::new()];
        let (who, how) = match which {
            ForwardedHeader::XForwardedFor => ("X-Forwarded-For", "X-Forwarded-Proto"),
            ForwardedHeader::Forwarded => ("for= in Forwarded", "proto= in Forwarded"),
        };
        let address = peer.ip();
        if self.hops.is_empty() {
            WARNED[0].call_once(|| {
                warn!("the proxy at {address} sends no {who}: its clients count as one");
            });
        }
        if self.secure.is_none() && !peer.secure {
            WARNED[1].call_once(|| {
                warn!("the proxy at {address} sends no {how}: its clients count as without TLS");
            });
        }
    }
}

fn read(headers: &HeaderMap, which: ForwardedHeader) -> Said {
    match which {
        ForwardedHeader::XForwardedFor => read_x_forwarded(headers),
        ForwardedHeader::Forwarded => read_forwarded(headers),
    }
}

fn read_x_forwarded(headers: &HeaderMap) -> Said {
    let hops = items(headers, &X_FORWARDED_FOR).map(read_node).collect();
    let mut said = Said { hops, secure: None };
    for scheme in items(headers, &X_FORWARDED_PROTO) {
        note_scheme(&mut said, scheme);
    }
    said
}

/// The items of a comma list that may span several header lines. A line that is not ASCII is one
/// unreadable item, so that what stands left of it is not reached.
fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| line.to_str().unwrap_or_default().split(',').map(str::trim))
}

fn read_forwarded(headers: &HeaderMap) -> Said {
    let mut said = Said::default();
    for line in headers.get_all(FORWARDED) {
        for element in split_outside_quotes(line.to_str().unwrap_or_default(), ',') {
            read_element(element, &mut said);
        }
    }
    said
}

/// One element: `for="[2001:db8::1]:4711";proto=https;by=203.0.113.43` (RFC 7239 §4).
fn read_element(element: &str, said: &mut Said) {
    let mut hop = None;
    for pair in split_outside_quotes(element, ';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let value = unquoted(value.trim());
        match name.trim() {
            name if name.eq_ignore_ascii_case("for") => hop = read_node(&value),
            name if name.eq_ignore_ascii_case("proto") => note_scheme(said, &value),
            _ => {}
        }
    }
    said.hops.push(hop);
}

fn note_scheme(said: &mut Said, scheme: &str) {
    let https = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss");
    said.secure = Some(https && said.secure.unwrap_or(true));
}

/// A node: an address with or without a port, IPv6 in brackets or bare (RFC 7239 §6). `unknown`
/// and obfuscated names are no address.
fn read_node(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(SocketAddr::new(address.ip().to_canonical(), address.port()));
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address: IpAddr = bare.parse().ok()?;
    Some(SocketAddr::new(address.to_canonical(), 0))
}

fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |c| {
        let was_escaped = std::mem::take(&mut escaped);
        match c {
            '\\' if quoted && !was_escaped => escaped = true,
            '"' if !was_escaped => quoted = !quoted,
            c if c == separator && !quoted => return true,
            _ => {}
        }
        false
    })
}

/// The content of a quoted-string (RFC 9110 §5.6.4), or the token as it is.
fn unquoted(text: &str) -> String {
    let Some(inner) = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    else {
        return text.to_owned();
    };
    let mut escaped = false;
    inner
        .chars()
        .filter(|c| {
            escaped = *c == '\\' && !escaped;
            !escaped
        })
        .collect()
}

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use crate::http::peer::{TlsLink, TlsVersion};

    /// Trusts loopback and 10.0.0.0/8.
    fn options(which: ForwardedHeader) -> ListenerOptions {
        let networks = ["127.0.0.0/8", "::1/128", "10.0.0.0/8"].map(|one| one.parse().unwrap());
        ListenerOptions {
            trusted_proxies: networks.into_iter().collect(),
            forwarded_header: which,
            ..ListenerOptions::default()
        }
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let lines = lines
            .iter()
            .map(|(name, value)| (name, HeaderValue::from_str(value).unwrap()));
        lines.map(|(name, value)| (name.clone(), value)).collect()
    }

    /// From a proxy that writes the kind of header of the first line.
    fn from_proxy(lines: &[(HeaderName, &str)]) -> Peer {
        let which = match lines.first() {
            Some((name, _)) if *name == FORWARDED => ForwardedHeader::Forwarded,
            _ => ForwardedHeader::XForwardedFor,
        };
        let proxy = Peer::direct("127.0.0.1:9".parse().unwrap());
        believe(&headers(lines), &proxy, &options(which))
    }

    fn address(lines: &[(HeaderName, &str)]) -> String {
        from_proxy(lines).address.to_string()
    }

    #[test]
    fn trusted_proxy_names_the_client_in_the_header_that_it_writes() {
        assert_eq!(address(&[(X_FORWARDED_FOR, "192.0.2.1")]), "192.0.2.1:0");
        assert_eq!(
            address(&[(X_FORWARDED_FOR, "2001:db8::1")]),
            "[2001:db8::1]:0"
        );
        assert_eq!(
            address(&[(X_FORWARDED_FOR, "192.0.2.1:4711")]),
            "192.0.2.1:4711"
        );
        assert_eq!(address(&[(FORWARDED, "for=192.0.2.1")]), "192.0.2.1:0");
        let quoted = r#"by=10.0.0.1; For="[2001:db8::1]:4711" ;proto=http"#;
        assert_eq!(address(&[(FORWARDED, quoted)]), "[2001:db8::1]:4711");
    }

    #[test]
    fn nobody_else_is_believed_but_that_there_is_a_proxy() {
        let stranger = Peer::direct("192.0.2.9:1".parse().unwrap());
        let lines = headers(&[
            (X_FORWARDED_FOR, "127.0.0.1"),
            (X_FORWARDED_PROTO, "https"),
            (FORWARDED, "for=127.0.0.1;proto=https"),
        ]);
        let proxied = Peer {
            proxied: true,
            ..stranger.clone()
        };
        let options = options(ForwardedHeader::XForwardedFor);
        assert_eq!(believe(&lines, &stranger, &options), proxied);
    }

    #[test]
    fn proxy_on_loopback_that_is_not_listed_is_no_person_on_this_machine() {
        let proxy = Peer::direct("127.0.0.1:9".parse().unwrap());
        let nobody_trusted = ListenerOptions::default();
        assert_eq!(believe(&HeaderMap::new(), &proxy, &nobody_trusted), proxy);
        for (name, value) in [
            (X_FORWARDED_FOR, "127.0.0.1"),
            (X_FORWARDED_PROTO, "https"),
            (FORWARDED, "for=127.0.0.1;proto=https"),
            (X_REAL_IP, "127.0.0.1"),
            (header::VIA, "1.1 proxy"),
        ] {
            let lines = headers(&[(name.clone(), value)]);
            let peer = believe(&lines, &proxy, &nobody_trusted);
            assert!(!peer.is_on_loopback() && !peer.link_is_private(), "{name}");
            assert_eq!(peer.address, proxy.address, "{name}");
        }
    }

    #[test]
    fn trusted_proxy_that_names_nobody_makes_no_person_on_this_machine_either() {
        for line in [(X_REAL_IP, "192.0.2.1"), (header::VIA, "1.1 proxy")] {
            assert!(!from_proxy(&[line]).link_is_private());
        }
    }

    /// Whoever ends TLS between client and server must not be able to hide it with a header.
    #[test]
    fn header_of_a_stranger_does_not_switch_channel_binding_off() {
        let tls = TlsLink {
            exporter: Some([7; 32]),
            server_end_point: None,
            version: TlsVersion::V1_3,
        };
        let direct = Peer {
            secure: true,
            tls: Some(tls.clone()),
            ..Peer::direct("192.0.2.9:1".parse().unwrap())
        };
        let lines = headers(&[(X_FORWARDED_FOR, "192.0.2.1")]);
        let peer = believe(&lines, &direct, &ListenerOptions::default());
        assert!(!peer.link_is_private());
        assert_eq!(peer.tls, Some(tls));
    }

    #[test]
    fn walk_from_the_right_ends_at_the_first_address_that_is_no_proxy() {
        let chain = "127.0.0.1, 198.51.100.1, 192.0.2.1, 10.0.0.2";
        assert_eq!(address(&[(X_FORWARDED_FOR, chain)]), "192.0.2.1:0");
        let chain = "for=198.51.100.1, for=192.0.2.1, for=10.0.0.2";
        assert_eq!(address(&[(FORWARDED, chain)]), "192.0.2.1:0");
    }

    #[test]
    fn several_header_lines_are_one_list() {
        let lines = [
            (X_FORWARDED_FOR, "192.0.2.1"),
            (X_FORWARDED_FOR, "192.0.2.2, 10.0.0.2"),
        ];
        assert_eq!(address(&lines), "192.0.2.2:0");
        let lines = [
            (FORWARDED, "for=192.0.2.1"),
            (FORWARDED, "for=192.0.2.2,for=10.0.0.2"),
        ];
        assert_eq!(address(&lines), "192.0.2.2:0");
    }

    #[test]
    fn chain_of_proxies_alone_begins_at_its_first() {
        assert_eq!(
            address(&[(X_FORWARDED_FOR, "10.0.0.3, 10.0.0.2")]),
            "10.0.0.3:0"
        );
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk_where_the_last_proxy_stood() {
        for garbage in [
            "unknown",
            "_hidden",
            "",
            "192.0.2.1.5",
            "\"192.0.2.1\"",
            "[::1",
            "a b",
        ] {
            let chain = format!("192.0.2.1, {garbage}, 10.0.0.2");
            assert_eq!(
                address(&[(X_FORWARDED_FOR, &chain)]),
                "10.0.0.2:0",
                "{garbage}"
            );
        }
        for garbage in [
            "for=unknown",
            "for=_x",
            "for=",
            "proto=http",
            "for=\"192.0.2.1",
            ";;",
            "=",
        ] {
            let chain = format!("for=192.0.2.1, for=10.0.0.2, {garbage}");
            assert_eq!(address(&[(FORWARDED, &chain)]), "127.0.0.1:9", "{garbage}");
        }
        let not_ascii = HeaderValue::from_bytes(b"192.0.2.1, \xff").unwrap();
        let lines = HeaderMap::from_iter([(X_FORWARDED_FOR, not_ascii)]);
        let proxy = Peer::direct("127.0.0.1:9".parse().unwrap());
        let peer = believe(&lines, &proxy, &options(ForwardedHeader::XForwardedFor));
        assert_eq!((peer.address, peer.proxied), (proxy.address, true));
    }

    #[test]
    fn comma_inside_quotes_separates_nothing() {
        let line = r#"for="192.0.2.1, for=198.51.100.1";x="\"a,b;c\"", for=192.0.2.7"#;
        assert_eq!(address(&[(FORWARDED, line)]), "192.0.2.7:0");
    }

    #[test]
    fn header_that_the_proxy_does_not_write_is_not_read() {
        let theirs = (FORWARDED, "for=192.0.2.1;proto=http");
        let forged = [(X_FORWARDED_FOR, "127.0.0.1"), (X_FORWARDED_PROTO, "https")];
        let peer = from_proxy(&[theirs, forged[0].clone(), forged[1].clone()]);
        assert_eq!(peer.address.to_string(), "192.0.2.1:0");
        assert!(!peer.secure);
        let theirs = (X_FORWARDED_FOR, "192.0.2.1");
        let peer = from_proxy(&[theirs, (FORWARDED, "for=127.0.0.1;proto=https")]);
        assert_eq!(peer.address.to_string(), "192.0.2.1:0");
        assert!(!peer.secure);
    }

    /// The proxy wrote nothing, so that the client did.
    #[test]
    fn header_of_the_other_kind_alone_names_nobody() {
        let lines = headers(&[(FORWARDED, "for=192.0.2.1;proto=https")]);
        let proxy = Peer::direct("127.0.0.1:9".parse().unwrap());
        let peer = believe(&lines, &proxy, &options(ForwardedHeader::XForwardedFor));
        assert_eq!((peer.address, peer.secure), (proxy.address, false));
        assert!(!peer.is_on_loopback());
    }

    #[test]
    fn link_is_secure_when_every_hop_that_speaks_of_it_says_https() {
        for (scheme, secure) in [
            ("https", true),
            ("HTTPS", true),
            ("wss", true),
            ("http", false),
        ] {
            assert_eq!(from_proxy(&[(X_FORWARDED_PROTO, scheme)]).secure, secure);
        }
        assert!(!from_proxy(&[(X_FORWARDED_PROTO, "https, http")]).secure);
        assert!(from_proxy(&[(FORWARDED, "for=192.0.2.1;proto=https, for=10.0.0.2")]).secure);
        assert!(!from_proxy(&[(X_FORWARDED_FOR, "192.0.2.1")]).secure);
    }

    #[test]
    fn tls_of_the_proxy_is_not_the_clients() {
        let exporter = Some([7; 32]);
        let tls = TlsLink {
            exporter,
            server_end_point: None,
            version: TlsVersion::V1_3,
        };
        let direct = Peer {
            secure: true,
            tls: Some(tls),
            ..Peer::direct("127.0.0.1:9".parse().unwrap())
        };
        let options = options(ForwardedHeader::XForwardedFor);
        assert_eq!(believe(&HeaderMap::new(), &direct, &options), direct);
        let lines = headers(&[(X_FORWARDED_FOR, "192.0.2.1"), (X_FORWARDED_PROTO, "http")]);
        let peer = believe(&lines, &direct, &options);
        assert_eq!((peer.tls, peer.secure), (None, false));
    }

    proptest! {
        #[test]
        fn any_header_is_read_and_the_nearest_hop_cannot_be_forged(line in "[ -~]{0,80}") {
            let chain = format!("{line}, 192.0.2.1");
            prop_assert_eq!(address(&[(X_FORWARDED_FOR, &chain)]), "192.0.2.1:0");
            let _ = from_proxy(&[(FORWARDED, &line)]);
        }
    }
}
