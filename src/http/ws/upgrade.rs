//! The handshake (RFC 6455 §4.2, RFC 7395 §3.1). axum would upgrade even when no subprotocol
//! matches, so it is done by hand.

use crate::http::door::RetryAfter;
use crate::http::transcoder::{Subprotocol, Transcoders};
use axum::body::Body;
use axum::http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use base64::Engine as _;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Why a request is not upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A browser or curl looks what is here.
    #[error(
        "This is XMPP over WebSocket (RFC 7395): connect with an XMPP client, subprotocol \"xmpp\"."
    )]
    NoUpgrade,
    /// `Upgrade: websocket` without `Connection: upgrade`, which proxies must pass on by hand.
    #[error(
        "The header \"Connection: Upgrade\" is missing: does a proxy before this server pass on Upgrade and Connection?"
    )]
    NoConnectionUpgrade,
    /// POST and the like (RFC 6455 §4.2.1).
    #[error("A WebSocket handshake is a GET.")]
    Method,
    /// HTTP/1.0 (RFC 6455 §4.2.1).
    #[error("A WebSocket handshake needs HTTP/1.1.")]
    HttpVersion,
    /// Not version 13 (RFC 6455 §4.4).
    #[error("Only version 13 of the WebSocket protocol is spoken here.")]
    WebSocketVersion,
    /// No key, or none of 16 bytes (RFC 6455 §4.2.1).
    #[error("Sec-WebSocket-Key must be 16 bytes in base64.")]
    Key,
    /// Neither `xmpp` (RFC 7395 §3.1) nor what has a transcoder is among the subprotocols.
    #[error("Sec-WebSocket-Protocol must offer \"xmpp\".")]
    Subprotocol,
    /// The page that asks may not (RFC 6455 §10.2).
    #[error(
        "Pages of this origin may not connect: it is not that of public_url, nor among the endpoint's origins."
    )]
    Origin,
    /// The server stops.
    #[error("The server is stopping.")]
    Stopping,
    /// `limits.new_connections_per_second`
    #[error("Too many connect at present; try again in {} seconds.", .0.0)]
    TooManyAtOnce(RetryAfter),
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::NoUpgrade | Self::WebSocketVersion => StatusCode::UPGRADE_REQUIRED,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::HttpVersion | Self::NoConnectionUpgrade | Self::Key | Self::Subprotocol => {
                StatusCode::BAD_REQUEST
            }
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Stopping | Self::TooManyAtOnce(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One helpful line.
    pub fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(format!("{self}\n")));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(
            axum::http::header::CONTENT_TYPE,
            "text/plain; charset=utf-8",
        );
        set(axum::http::header::CACHE_CONTROL, "no-store");
        match self {
            Self::NoUpgrade => set(UPGRADE, "websocket"),
            Self::WebSocketVersion => {
                set(UPGRADE, "websocket");
                set(SEC_WEBSOCKET_VERSION, "13"); // RFC 6455 §4.4
            }
            Self::Method => set(axum::http::header::ALLOW, "GET"),
            Self::Stopping => set(axum::http::header::RETRY_AFTER, "5"),
            Self::TooManyAtOnce(RetryAfter(seconds)) => {
                headers.insert(axum::http::header::RETRY_AFTER, seconds.into());
            }
            _ => {}
        }
        response
    }
}

/// Checks a handshake; returns the answer that accepts it, and the first of the subprotocols that the
/// client offers and that are spoken here. Looks at everything but the origin.
///
/// # Errors
///
/// [`Refusal`]
pub fn accept<B>(
    request: &Request<B>,
    transcoders: &Transcoders,
) -> Result<(Response<Body>, Subprotocol), Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Refusal::Method);
    }
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err(Refusal::NoUpgrade);
    }
    if request.version() < Version::HTTP_11 {
        return Err(Refusal::HttpVersion);
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Refusal::NoConnectionUpgrade);
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version.as_bytes() != b"13")
    {
        return Err(Refusal::WebSocketVersion);
    }
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .filter(|key| is_key(key))
        .ok_or(Refusal::Key)?;
    // RFC 6455 §11.3.4: compared with case; in the client's order of preference.
    let offer = tokens(headers, &SEC_WEBSOCKET_PROTOCOL);
    let subprotocol = transcoders.choose(offer).ok_or(Refusal::Subprotocol)?;
    Ok((switching_protocols(key, &subprotocol), subprotocol))
}

fn switching_protocols(key: &HeaderValue, subprotocol: &Subprotocol) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(name) = HeaderValue::from_str(subprotocol.name()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// The members of a header that is a list, over one line or several.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers
        .get_all(name)
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

fn is_key(key: &HeaderValue) -> bool {
    let decoded = base64::engine::general_purpose::STANDARD.decode(key.as_bytes());
    decoded.is_ok_and(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake() -> axum::http::request::Builder {
        Request::get("/ws/")
            .header("Host", "example.org")
            .header("Upgrade", "websocket")
            .header("Connection", "keep-alive, Upgrade")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    fn outcome(request: axum::http::request::Builder) -> Result<Response<Body>, Refusal> {
        accepted(&request.body(()).unwrap())
    }

    fn accepted(request: &Request<()>) -> Result<Response<Body>, Refusal> {
        accept(request, &Transcoders::default()).map(|(response, _)| response)
    }

    /// W-01, W-10
    #[test]
    fn a_correct_handshake_gets_the_accept_key_and_the_subprotocol() {
        let answer = outcome(handshake().header("Sec-WebSocket-Protocol", "xmpp")).unwrap();
        assert_eq!(answer.status(), 101);
        assert_eq!(
            answer.headers()["sec-websocket-accept"],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(answer.headers()["sec-websocket-protocol"], "xmpp");
        assert!(!answer.headers().contains_key("sec-websocket-extensions"));
    }

    /// W-04
    #[test]
    fn xmpp_is_picked_out_of_any_list() {
        for offer in [
            &["a, xmpp"][..],
            &["xmpp,a"],
            &["a", "b,xmpp"],
            &["a ,  xmpp ,b"],
        ] {
            let mut request = handshake();
            for line in offer {
                request = request.header("Sec-WebSocket-Protocol", *line);
            }
            let answer = outcome(request).unwrap();
            assert_eq!(
                answer.headers()["sec-websocket-protocol"],
                "xmpp",
                "{offer:?}"
            );
        }
    }

    /// W-02, W-03
    #[test]
    fn without_an_offer_of_xmpp_there_is_no_upgrade() {
        assert_eq!(outcome(handshake()).unwrap_err(), Refusal::Subprotocol);
        for offer in ["chat", "XMPP", "xmppx", ""] {
            let request = handshake().header("Sec-WebSocket-Protocol", offer);
            assert_eq!(
                outcome(request).unwrap_err(),
                Refusal::Subprotocol,
                "{offer}"
            );
        }
    }

    /// W-05
    #[test]
    fn another_version_hears_which_one_is_spoken() {
        let mut request = handshake().header("Sec-WebSocket-Protocol", "xmpp");
        request
            .headers_mut()
            .unwrap()
            .insert("sec-websocket-version", "8".parse().unwrap());
        let refusal = outcome(request).unwrap_err();
        let answer = refusal.response();
        assert_eq!(answer.status(), 426);
        assert_eq!(answer.headers()["sec-websocket-version"], "13");
    }

    /// W-06
    #[test]
    fn a_key_that_is_not_16_bytes_is_refused() {
        for key in ["", "c2hvcnQ=", "not base64!", "dGhlIHNhbXBsZSBub25jZQ"] {
            let mut request = handshake().header("Sec-WebSocket-Protocol", "xmpp");
            request
                .headers_mut()
                .unwrap()
                .insert("sec-websocket-key", key.parse().unwrap());
            assert_eq!(outcome(request).unwrap_err(), Refusal::Key, "{key}");
        }
    }

    /// W-07, W-08, W-09, D-10
    #[test]
    fn what_is_no_handshake_is_told_apart_and_answered() {
        let plain = Request::get("/ws/").body(()).unwrap();
        assert_eq!(accepted(&plain).unwrap_err().response().status(), 426);
        let half = Request::get("/ws/")
            .header("Upgrade", "websocket")
            .body(())
            .unwrap();
        assert_eq!(accepted(&half).unwrap_err(), Refusal::NoConnectionUpgrade);
        let post = handshake().method("POST").body(()).unwrap();
        assert_eq!(accepted(&post).unwrap_err().response().status(), 405);
        let old = handshake().version(Version::HTTP_10).body(()).unwrap();
        assert_eq!(accepted(&old).unwrap_err(), Refusal::HttpVersion);
    }
}
