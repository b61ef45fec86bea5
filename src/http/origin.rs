//! Which web pages may open a stream (RFC 6455 §10.2, RFC 6454).
//!
//! A browser tells the page's origin with every WebSocket handshake and cross-origin request.
//! Without this check any page that a user visits could talk to a server that only the user's
//! machine or network can reach. Programs that are no browsers send no Origin and are let in:
//! they could write any.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderValue, header};

/// A web origin: scheme, host and port, each in one normal form (RFC 6454 §4).
///
/// `ws` counts as `http` and `wss` as `https`, in lower case, without a default port: pages have
/// the latter, operators think of the former. Schemes of app shells (`capacitor://localhost`,
/// `chrome-extension://id`) are compared as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    /// `None` where the scheme has no default port and none was given.
    port: Option<u16>,
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    /// Reads `https://chat.example.org` or `http://[::1]:5280`; one slash may follow.
    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let not_an_origin = || NotAnOrigin {
            text: text.chars().take(SHOWN_CHARS).collect(),
        };
        let bare = text.strip_suffix('/').unwrap_or(text);
        Self::parse(bare).ok_or_else(not_an_origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) if default_port(&self.scheme) != Some(port) => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

/// A text that names no origin. The operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an origin such as \"https://chat.example.org\"")]
pub struct NotAnOrigin {
    /// What stood there, cut short.
    pub text: String,
}

impl Origin {
    /// The origin of a URL: what stands before its path.
    ///
    /// # Errors
    ///
    /// [`NotAnOrigin`] when the text does not begin with scheme and host.
    pub fn of_url(url: &str) -> Result<Self, NotAnOrigin> {
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let authority = url.get(after_scheme..).unwrap_or_default();
        let end = authority
            .find(['/', '?', '#'])
            .map_or(url.len(), |at| after_scheme + at);
        url.get(..end).unwrap_or_default().parse()
    }

    /// The host, in lower case, IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether pages of this origin came by https.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = match scheme.to_ascii_lowercase() {
            scheme if scheme == "ws" => "http".to_owned(),
            scheme if scheme == "wss" => "https".to_owned(),
            scheme => scheme,
        };
        let (host, port) = split_port(authority)?;
        let host = host.to_ascii_lowercase();
        let port = port.or_else(|| default_port(&scheme));
        (is_scheme(&scheme) && is_host(&host)).then_some(Self { scheme, host, port })
    }

    fn is_loopback(&self) -> bool {
        let bare = self.host.trim_matches(['[', ']']);
        bare == "localhost"
            || bare.ends_with(".localhost")
            || bare
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

/// Whose pages may open streams. Requests without an Origin always may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Pages of these origins. One on loopback stands for every name of loopback with its scheme
    /// and port, since `localhost`, `127.0.0.1` and `[::1]` are the same machine and people type
    /// any of them.
    Only(Vec<Origin>),
    /// Every page, `null` and nonsense included: for servers that are public anyway.
    Any,
}

impl OriginPolicy {
    /// Pages that came from `public_url` itself: the default.
    ///
    /// # Errors
    ///
    /// [`NotAnOrigin`] when `public_url` is no absolute URL.
    pub fn same_origin(public_url: &str) -> Result<Self, NotAnOrigin> {
        Origin::of_url(public_url).map(|origin| Self::Only(vec![origin]))
    }

    /// Whether a request with these headers may open a stream.
    ///
    /// # Errors
    ///
    /// [`OriginRefused`], to be answered with 403 (RFC 6455 §4.2.2). A `null` origin (a sandboxed
    /// frame, a file), one that cannot be read, and more than one are refused by every policy
    /// but [`Any`](Self::Any).
    pub fn check(&self, headers: &HeaderMap) -> Result<(), OriginRefused> {
        let Self::Only(allowed) = self else {
            return Ok(());
        };
        let mut values = headers.get_all(header::ORIGIN).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(()),
            (Some(value), None) if is_allowed(value, allowed) => Ok(()),
            (Some(value), _) => Err(OriginRefused::new(value)),
        }
    }
}

fn is_allowed(value: &HeaderValue, allowed: &[Origin]) -> bool {
    let text = value
        .to_str()
        .ok()
        .filter(|text| text.len() <= ORIGIN_MAX_BYTES);
    let Some(origin) = text.and_then(Origin::parse) else {
        return false;
    };
    allowed
        .iter()
        .any(|one| *one == origin || are_the_same_loopback(one, &origin))
}

fn are_the_same_loopback(a: &Origin, b: &Origin) -> bool {
    a.scheme == b.scheme && a.port == b.port && a.is_loopback() && b.is_loopback()
}

/// A page of a foreign origin knocked. The peer's doing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("origin {origin:?} may not open streams here")]
pub struct OriginRefused {
    /// What the browser said, cut short, for the log.
    pub origin: String,
}

impl OriginRefused {
    fn new(value: &HeaderValue) -> Self {
        let text = String::from_utf8_lossy(value.as_bytes());
        Self {
            origin: text.chars().take(SHOWN_CHARS).collect(),
        }
    }
}

/// The outer `None` means that the authority is malformed.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = authority.rfind(']').map_or(0, |at| at + 1);
    match authority.get(host_end..)?.rfind(':') {
        None => Some((authority, None)),
        Some(at) => {
            let (host, port) = authority.split_at_checked(host_end + at)?;
            let digits = port.strip_prefix(':')?;
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            Some((host, Some(digits.parse().ok().filter(|_| plain)?)))
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// RFC 3986 §3.1
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

fn is_host(text: &str) -> bool {
    if let Some(v6) = text.strip_prefix('[') {
        return v6
            .strip_suffix(']')
            .is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let is_host_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !text.is_empty() && text.bytes().all(is_host_byte)
}

/// A DNS name has at most 253 bytes; scheme and port take the rest.
const ORIGIN_MAX_BYTES: usize = 300;
const SHOWN_CHARS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(origins: &[&[u8]]) -> HeaderMap {
        let values = origins.iter().map(|o| HeaderValue::from_bytes(o).unwrap());
        values.map(|value| (header::ORIGIN, value)).collect()
    }

    fn allows(policy: &OriginPolicy, origin: &str) -> bool {
        policy.check(&headers(&[origin.as_bytes()])).is_ok()
    }

    fn same_origin(public_url: &str) -> OriginPolicy {
        OriginPolicy::same_origin(public_url).unwrap()
    }

    /// W-11
    #[test]
    fn request_without_origin_is_let_in() {
        assert_eq!(
            same_origin("https://chat.example.org").check(&HeaderMap::new()),
            Ok(())
        );
    }

    /// W-11
    #[test]
    fn page_of_the_public_url_is_let_in_however_it_is_written() {
        let policy = same_origin("https://Chat.example.org/some/path?x#y");
        assert!(allows(&policy, "https://chat.example.org"));
        assert!(allows(&policy, "https://chat.example.org:443"));
        assert!(allows(&policy, "HTTPS://CHAT.EXAMPLE.ORG"));
        assert!(allows(
            &same_origin("wss://chat.example.org/ws/"),
            "https://chat.example.org"
        ));
    }

    /// W-11
    #[test]
    fn foreign_page_is_refused() {
        let policy = same_origin("https://chat.example.org");
        for origin in [
            "http://chat.example.org",
            "https://chat.example.org:8443",
            "https://example.org",
            "https://chat.example.org.evil.example",
            "https://evil.example?https://chat.example.org",
            "https://user@chat.example.org",
        ] {
            assert!(!allows(&policy, origin), "{origin}");
        }
    }

    /// W-11
    #[test]
    fn null_garbage_and_huge_origins_are_refused() {
        let policy = same_origin("https://chat.example.org");
        let huge = format!("https://{}", "a".repeat(100_000));
        for origin in [
            "null",
            "",
            "chat.example.org",
            "https://",
            "https:// x",
            "://",
            &huge,
        ] {
            assert!(!allows(&policy, origin), "{origin}");
        }
        assert!(policy.check(&headers(&[b"https://\xff"])).is_err());
    }

    #[test]
    fn second_origin_header_is_refused() {
        let policy = same_origin("https://chat.example.org");
        let twice = headers(&[b"https://chat.example.org", b"https://chat.example.org"]);
        assert!(policy.check(&twice).is_err());
    }

    #[test]
    fn refusal_shows_a_bounded_piece_of_the_origin() {
        let huge = format!("https://{}", "a".repeat(100_000));
        let refused = same_origin("https://x.example").check(&headers(&[huge.as_bytes()]));
        assert_eq!(refused.unwrap_err().origin.len(), 100);
    }

    #[test]
    fn names_of_loopback_are_one_origin_when_scheme_and_port_agree() {
        let policy = same_origin("http://127.0.0.1:5280/");
        assert!(allows(&policy, "http://localhost:5280"));
        assert!(allows(&policy, "http://[::1]:5280"));
        assert!(!allows(&policy, "http://localhost:5281"));
        assert!(!allows(&policy, "https://localhost:5280"));
        assert!(!allows(&policy, "http://192.0.2.1:5280"));
        assert!(!allows(
            &same_origin("http://192.0.2.1:5280"),
            "http://localhost:5280"
        ));
    }

    #[test]
    fn listed_origins_may_have_the_schemes_of_app_shells() {
        let listed = ["capacitor://localhost", "wss://app.example.org"];
        let policy = OriginPolicy::Only(listed.map(|o| o.parse().unwrap()).to_vec());
        assert!(allows(&policy, "capacitor://localhost"));
        assert!(allows(&policy, "https://app.example.org"));
        assert!(!allows(&policy, "ionic://localhost"));
    }

    #[test]
    fn policy_of_any_lets_everything_in() {
        assert!(allows(&OriginPolicy::Any, "null") && allows(&OriginPolicy::Any, "\t?"));
    }

    #[test]
    fn origin_is_shown_without_its_default_port() {
        for (text, shown) in [
            ("WSS://Chat.example.org:443/", "https://chat.example.org"),
            ("http://[::1]:5280", "http://[::1]:5280"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn url_without_a_host_is_no_origin() {
        for text in [
            "",
            "/ws/",
            "example.org",
            "https://",
            "https://a b/",
            "https://[::1",
            "a:1",
        ] {
            assert!(Origin::of_url(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer(bytes in proptest::collection::vec(0x20u8..=0xff, 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let headers = HeaderMap::from_iter([(header::ORIGIN, value)]);
                let refused = same_origin("https://chat.example.org").check(&headers);
                prop_assert!(refused.is_err());
            }
        }
    }
}
