//! Whose request it is behind HTTP proxies: `Forwarded` (RFC 7239) and its older kin
//! `X-Forwarded-For` and `X-Forwarded-Proto`.
//!
//! Anybody can write these headers, so they are read from the right, where the proxy next to us
//! wrote, and only as far as the writers are trusted. What cannot be read ends the walk: the last
//! address that a trusted proxy vouched for stands.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use crate::http::listener::ListenerOptions;
use crate::http::peer::Peer;

/// Which header trusted proxies write. The operator must know: a proxy passes on, untouched, the
/// kind that it does not write itself, with whatever the client put into it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For` when it is there, as nearly every proxy writes it, else `Forwarded`.
    #[default]
    Either,
    /// `X-Forwarded-For` and `X-Forwarded-Proto` only.
    XForwardedFor,
    /// `Forwarded` only.
    Forwarded,
}

/// The peer of one request on the connection of `peer`.
///
/// A peer that is no trusted proxy comes back unchanged, whatever its headers say.
pub fn believe(headers: &HeaderMap, peer: &Peer, options: &ListenerOptions) -> Peer {
    let trusted = |address: SocketAddr| options.trusted_proxies.contain(address.ip());
    if !trusted(peer.address) {
        return peer.clone();
    }
    let said = read(headers, options.forwarded_header);
    if said.is_silent() {
        return peer.clone();
    }
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
}

fn read(headers: &HeaderMap, which: ForwardedHeader) -> Said {
    match which {
        ForwardedHeader::XForwardedFor => read_x_forwarded(headers),
        ForwardedHeader::Forwarded => read_forwarded(headers),
        ForwardedHeader::Either if headers.contains_key(X_FORWARDED_FOR) => {
            read_x_forwarded(headers)
        }
        ForwardedHeader::Either if headers.contains_key(FORWARDED) => read_forwarded(headers),
        ForwardedHeader::Either => read_x_forwarded(headers),
    }
}

fn read_x_forwarded(headers: &HeaderMap) -> Said {
    let hops = items(headers, &X_FORWARDED_FOR)
        .map(|item| read_node(item))
        .collect();
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
