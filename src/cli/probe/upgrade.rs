//! The steps from HTTP to WebSocket (RFC 6455 §4, RFC 7395 §3.1).

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::http::header::{
    HeaderValue, LOCATION, ORIGIN, SEC_WEBSOCKET_PROTOCOL,
};
use tokio_tungstenite::tungstenite::http::{Request, Response, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Link;
use super::report::{Done, Trouble};
use super::target::Target;
use crate::cli::ProbeArgs;

pub(super) type Socket = WebSocketStream<Box<dyn Link>>;

/// What came of the upgrade; the subprotocol is a step of its own.
pub(super) enum Answer {
    /// With the subprotocol `xmpp`.
    Xmpp(Box<Socket>),
    /// 101, and with the subprotocol something is wrong.
    Other(String),
}

/// Larger than any features.
const FRAME_MAX_BYTES: usize = 1 << 20;

/// Asks for the upgrade.
pub(super) async fn upgrade(
    target: &Target,
    link: Box<dyn Link>,
    args: &ProbeArgs,
) -> Result<Done<Answer>, Trouble> {
    let request = request(target, args)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_MAX_BYTES))
        .max_frame_size(Some(FRAME_MAX_BYTES));
    let switched = |answer| Ok(Done::new(answer, "101 Switching Protocols"));
    match client_async_with_config(request, link, Some(config)).await {
        Ok((socket, _)) => switched(Answer::Xmpp(Box::new(socket))),
        Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(error))) => {
            switched(Answer::Other(error.to_string()))
        }
        Err(Error::Http(response)) => Err(refused(&response, target)),
        Err(error) => Err(Trouble::new(&error, handshake_advice(&error))),
    }
}

/// Checks that the subprotocol is ours.
pub(super) fn subprotocol(answer: Answer) -> Result<Done<Box<Socket>>, Trouble> {
    match answer {
        Answer::Xmpp(socket) => Ok(Done::new(socket, "xmpp")),
        Answer::Other(what) => Err(Trouble::new(
            what,
            "The answer does not say Sec-WebSocket-Protocol: xmpp, so browsers end the connection.\n\
             A proxy on the way takes the header away from the request or from the answer, or the \
             upgrade is answered by something that is no XMPP server.",
        )),
    }
}

fn request(target: &Target, args: &ProbeArgs) -> Result<Request<()>, Trouble> {
    let request = target.url.clone().into_client_request();
    let mut request = request.map_err(|error| Trouble::new(error, ""))?;
    let headers = request.headers_mut();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("xmpp"));
    if let Some(origin) = &args.origin {
        let origin = HeaderValue::from_str(origin);
        let origin = origin.map_err(|error| Trouble::new(error, "--origin is no header value."))?;
        headers.insert(ORIGIN, origin);
    }
    Ok(request)
}

fn refused(response: &Response<Option<Vec<u8>>>, target: &Target) -> Trouble {
    let status = response.status();
    let mut what = status.to_string();
    if let Some(line) = first_line(response.body().as_deref().unwrap_or_default()) {
        what.push_str(&format!(": {line}"));
    }
    Trouble {
        what,
        advice: status_advice(status, response, target),
    }
}

/// The first words of a text for people; a page of HTML has none.
fn first_line(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())?
        .trim()
        .to_owned();
    let shown: String = line.chars().filter(|c| !c.is_control()).take(120).collect();
    (!shown.starts_with('<')).then_some(shown)
}

fn status_advice(
    status: StatusCode,
    response: &Response<Option<Vec<u8>>>,
    target: &Target,
) -> String {
    let path = target.url.path();
    match status.as_u16() {
        200..=299 => format!(
            "Something answers {path} with a page. The proxy in front has to pass this path on to \
             stanzad, and not to the web server."
        ),
        300..=399 => {
            let location = response
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            let location = location.unwrap_or("another place");
            format!(
                "It sends the client to {location}. WebSocket clients do not follow: use that URL."
            )
        }
        400 => "The request was damaged on the way, or a needed header is missing. A proxy has to \
                pass on Upgrade, Connection, Sec-WebSocket-Protocol and Sec-WebSocket-Version."
            .into(),
        401 => "Something in front of the server wants a login of its own.".into(),
        403 => "The Origin may not connect. Set endpoint.origins to the origin of the page, or \
                public_url to the address that the page comes from."
            .into(),
        404 => format!(
            "Nothing is served at {path}. Compare it with endpoint.path, and see whether a proxy \
             cuts a part of the path."
        ),
        426 => "The request arrived without its upgrade. A proxy has to pass it on; nginx needs\n\
                proxy_http_version 1.1;\n\
                proxy_set_header Upgrade $http_upgrade;\n\
                proxy_set_header Connection \"upgrade\";"
            .into(),
        429 => "There were too many attempts. Wait, then try again.".into(),
        502 | 504 => "The proxy does not reach the server behind it: is it running, and is its \
                      address right?"
            .into(),
        503 => "The server takes no more connections (limits.connections), or not so many at once \
                (limits.new_connections_per_second), or it is stopping, or the proxy does not reach \
                it."
            .into(),
        _ => "Neither an upgrade nor an answer that stanzad gives. What stands in front of it?"
            .into(),
    }
}

fn handshake_advice(error: &Error) -> &'static str {
    match error {
        Error::Io(_) | Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            "The connection was closed instead of an answer. A port with TLS needs wss://."
        }
        Error::Protocol(ProtocolError::HttparseError(_)) => {
            "What answers there is no HTTP server. A port with TLS needs wss://."
        }
        Error::Protocol(ProtocolError::SecWebSocketAcceptKeyMismatch) => {
            "A cache or proxy answered for somebody else's request (Sec-WebSocket-Accept differs)."
        }
        Error::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader,
        ) => "A proxy took Upgrade or Connection away from the answer.",
        _ => "The answer is no WebSocket upgrade (RFC 6455 §4.1).",
    }
}
