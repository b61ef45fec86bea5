//! The address under which browsers reach the server.

use std::fmt;
use std::net::IpAddr;

/// An `http:` or `https:` URL of nothing but scheme, host, port and a path to stand under.
///
/// Written, it never ends in a slash and carries no default port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    secure: bool,
    /// Lower case; an IPv6 address with its brackets.
    host: String,
    port: u16,
    /// Empty, or "/" and more, without a slash at the end.
    base: String,
}

impl PublicUrl {
    /// The URL of a server at `host` (an IPv6 address in brackets) and `port`.
    pub fn new(secure: bool, host: &str, port: u16) -> Self {
        Self {
            secure,
            host: host.to_ascii_lowercase(),
            port,
            base: String::new(),
        }
    }

    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// A sentence to be put after what was written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("has no https:// or http:// in front")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            "wss" | "ws" => {
                return Err("is a WebSocket URL; write it with https:// or http://".into());
            }
            _ => return Err("has no https:// or http:// in front".into()),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = split_authority(authority, if secure { 443 } else { 80 })?;
        Ok(Self {
            port,
            base: parse_base(path)?,
            ..Self::new(secure, host, port)
        })
    }

    /// `https:`, and so `wss:`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Host name or address, in lower case; an IPv6 address has its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also if it is the default of the scheme.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The origin (RFC 6454 §6.2) of pages under this URL, as browsers write it.
    pub fn origin(&self) -> String {
        self.with_scheme(if self.secure { "https" } else { "http" })
    }

    /// The WebSocket URL of a path that begins with "/".
    pub fn ws(&self, path: &str) -> String {
        let origin = self.with_scheme(if self.secure { "wss" } else { "ws" });
        format!("{origin}{}{path}", self.base)
    }

    /// The HTTP URL of a path that begins with "/".
    pub fn http(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    fn with_scheme(&self, scheme: &str) -> String {
        let default_port = if self.secure { 443 } else { 80 };
        let Self { host, port, .. } = self;
        if *port == default_port {
            format!("{scheme}://{host}")
        } else {
            format!("{scheme}://{host}:{port}")
        }
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.base)
    }
}

/// Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_authority(authority: &str, default_port: u16) -> Result<(&str, u16), String> {
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = authority[host_end..].find(':').map(|at| host_end + at);
    let (host, port) = match colon {
        Some(colon) => (&authority[..colon], Some(&authority[colon + 1..])),
        None => (authority, None),
    };
    if !is_host(host) {
        return Err("names no host".into());
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0),
        None => Some(default_port),
    };
    Ok((host, port.ok_or("has a port that is not 1 to 65535")?))
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address
            .strip_suffix(']')
            .is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok());
    }
    // Browsers write an internationalised name as its A-label, and so must we.
    let labels = || host.split('.').all(|label| !label.is_empty());
    host.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        && labels()
}

fn parse_base(path: &str) -> Result<String, String> {
    let base = path.trim_end_matches('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'_' | b'~');
    if base.bytes().all(plain) && !base.contains("//") {
        Ok(base.to_owned())
    } else {
        Err("has more than a plain path behind the host".into())
    }
}

/// `address` as the host of a URL.
pub(crate) fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PublicUrl {
        PublicUrl::parse(text).expect(text)
    }

    #[test]
    fn a_default_port_and_a_last_slash_are_not_written() {
        assert_eq!(
            url("https://Chat.Example.org:443/").to_string(),
            "https://chat.example.org"
        );
        assert_eq!(url("http://[::1]:80").to_string(), "http://[::1]");
    }

    #[test]
    fn the_websocket_url_keeps_security_port_and_base() {
        assert_eq!(
            url("https://example.org/chat/").ws("/ws/"),
            "wss://example.org/chat/ws/"
        );
        assert_eq!(
            url("http://127.0.0.1:5280").ws("/ws/"),
            "ws://127.0.0.1:5280/ws/"
        );
    }

    #[test]
    fn the_origin_has_no_path() {
        assert_eq!(
            url("https://example.org:8443/chat").origin(),
            "https://example.org:8443"
        );
    }

    #[test]
    fn what_is_not_a_bare_http_url_is_refused() {
        let bad = [
            "chat.example.org",
            "wss://example.org/ws/",
            "ftp://example.org",
            "https://",
            "https://:443",
            "https://example.org:0",
            "https://example.org:99999",
            "https://user@example.org",
            "https://example.org/?q",
            "https://example.org/#f",
            "https://[::1",
            "https://a..b",
            "https://example.org//x",
            "https://bücher.example",
            "https://]:1",
            "https://[::1]x",
        ];
        for text in bad {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }
}
