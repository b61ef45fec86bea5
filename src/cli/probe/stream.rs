//! The steps inside the WebSocket: `<open/>` and features (RFC 7395 §3.4, RFC 6120 §4.3).

use futures_util::{SinkExt, StreamExt};
use quick_xml::XmlVersion;
use quick_xml::escape::escape;
use quick_xml::events::attributes::{AttrError, Attribute};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;
use tokio_tungstenite::tungstenite::Message;

use super::report::{Done, Trouble};
use super::upgrade::Socket;

const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
const STREAMS: &str = "http://etherx.jabber.org/streams";
const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

/// Opens the stream.
pub(super) async fn open(socket: &mut Socket, domain: &str) -> Result<Done<()>, Trouble> {
    let frame = format!(
        "<open xmlns=\"{FRAMING}\" to=\"{}\" version=\"1.0\"/>",
        escape(domain)
    );
    let sent = socket.send(Message::text(frame)).await;
    sent.map_err(|error| Trouble::new(error, "The connection ended right after the upgrade."))?;
    let (text, frame) = receive(socket).await?;
    let root = &frame.root;
    if (root.namespace.as_str(), root.name.as_str()) != (FRAMING, "open") {
        return Err(unexpected(&frame, "<open/>"));
    }
    let id = frame.attribute("id").unwrap_or("none");
    let from = frame.attribute("from").unwrap_or("nobody");
    let mut done = Done::new((), format!("from {from}, id {id}"));
    let mut warn = |applies: bool, what: &str| {
        if applies {
            done.warnings.push(what.to_owned());
        }
    };
    warn(
        !text.starts_with("<open "),
        "the frame does not begin with \"<open \": Strophe hangs",
    );
    warn(
        frame.attribute("version") != Some("1.0"),
        "version is not 1.0 (RFC 6120 §4.7.5)",
    );
    warn(
        frame.attribute("id").is_none(),
        "the stream has no id (RFC 6120 §4.7.3)",
    );
    Ok(done)
}

/// Waits for the features and says how a client can log in.
pub(super) async fn features(socket: &mut Socket) -> Result<Done<()>, Trouble> {
    let (_, frame) = receive(socket).await?;
    let root = &frame.root;
    if (root.namespace.as_str(), root.name.as_str()) != (STREAMS, "features") {
        return Err(unexpected(&frame, "<stream:features/>"));
    }
    let mechanisms = frame.mechanisms();
    if mechanisms.is_empty() {
        return Err(Trouble::new(
            "the server offers no SASL mechanism",
            "Without TLS a server may want TLS first: try the wss:// URL.",
        ));
    }
    let mut done = Done::new((), mechanisms.join(", "));
    if !mechanisms
        .iter()
        .any(|mechanism| mechanism.starts_with("SCRAM-"))
    {
        done.warnings
            .push("no SCRAM: the password itself goes to the server".to_owned());
    }
    Ok(done)
}

/// Takes leave; what the server makes of it is no step.
pub(super) async fn close(socket: &mut Socket) {
    let frame = Message::text(format!("<close xmlns=\"{FRAMING}\" />"));
    let _ = socket.send(frame).await;
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), socket.close(None)).await;
}

/// The next frame with text.
async fn receive(socket: &mut Socket) -> Result<(String, Frame), Trouble> {
    loop {
        let message = socket
            .next()
            .await
            .ok_or_else(|| Trouble::new("the connection ended", ENDED))?;
        match message.map_err(|error| Trouble::new(error, ENDED))? {
            Message::Text(text) => {
                let frame = Frame::parse(&text);
                let frame =
                    frame.map_err(|what| Trouble::new(what, "Each frame is one XML element."))?;
                return Ok((text.as_str().to_owned(), frame));
            }
            Message::Binary(_) => {
                return Err(Trouble::new(
                    "a binary frame",
                    "XMPP uses text frames (RFC 7395 §3.2).",
                ));
            }
            Message::Close(frame) => {
                let what = frame.map_or_else(|| "no code".to_owned(), |frame| frame.to_string());
                return Err(Trouble::new(format!("the server closed: {what}"), ENDED));
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

const ENDED: &str =
    "The log of the server says why it ended the connection; so does that of a proxy.";

fn unexpected(frame: &Frame, wanted: &str) -> Trouble {
    if let Some(condition) = frame.stream_error() {
        let advice = match condition.as_str() {
            "host-unknown" => {
                "The server does not answer for this domain: name another by --domain."
            }
            "policy-violation" => "The server refuses by its limits; its log says which.",
            "system-shutdown" => "The server is stopping. Try again.",
            _ => "RFC 6120 §4.9.3 says what this condition means.",
        };
        return Trouble::new(format!("stream error {condition}"), advice);
    }
    if let Some(uri) = frame.attribute("see-other-uri") {
        return Trouble::new(
            "the server sends its clients elsewhere",
            format!("Probe {uri}."),
        );
    }
    let root = &frame.root;
    let advice = "What answers there is no XMPP over WebSocket server, or an old one.";
    Trouble::new(
        format!(
            "<{}/> in {:?} instead of {wanted}",
            root.name, root.namespace
        ),
        advice,
    )
}

/// The elements of a frame, and the attributes of its root.
#[derive(Default)]
struct Frame {
    root: Node,
    attributes: Vec<(String, String)>,
    /// All others, in document order.
    inner: Vec<Node>,
}

#[derive(Default)]
struct Node {
    /// 1 for a child of the root.
    depth: usize,
    namespace: String,
    name: String,
    text: String,
}

impl Frame {
    fn parse(text: &str) -> Result<Self, String> {
        let mut reader = NsReader::from_str(text);
        let mut frame = Self::default();
        let mut depth = 0_usize;
        loop {
            let event = reader.read_resolved_event();
            match event.map_err(|error| format!("not XML: {error}"))? {
                (namespace, Event::Start(start)) => {
                    frame.element(depth, namespace, &start)?;
                    depth += 1;
                }
                (namespace, Event::Empty(start)) => frame.element(depth, namespace, &start)?,
                (_, Event::End(_)) => depth = depth.saturating_sub(1),
                (_, Event::Text(text)) => {
                    if let Some(node) = frame.inner.last_mut() {
                        node.text.push_str(&text);
                    }
                }
                (_, Event::Eof) if depth == 0 && !frame.root.name.is_empty() => return Ok(frame),
                (_, Event::Eof) => return Err("a frame that is no whole element".to_owned()),
                _ => {}
            }
        }
    }

    fn element(
        &mut self,
        depth: usize,
        namespace: ResolveResult<'_>,
        start: &BytesStart<'_>,
    ) -> Result<(), String> {
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.as_ref().to_owned(),
            ResolveResult::Unbound | ResolveResult::Unknown(_) => String::new(),
        };
        let name = start.local_name().as_ref().to_owned();
        let node = Node {
            depth,
            namespace,
            name,
            text: String::new(),
        };
        if depth > 0 {
            self.inner.push(node);
            return Ok(());
        }
        if !self.root.name.is_empty() {
            return Err("a frame with two elements".to_owned());
        }
        self.root = node;
        self.attributes = read_attributes(start).map_err(|error| format!("not XML: {error}"))?;
        Ok(())
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn mechanisms(&self) -> Vec<&str> {
        let mechanism = |node: &&Node| node.namespace == SASL && node.name == "mechanism";
        self.inner
            .iter()
            .filter(mechanism)
            .map(|node| node.text.trim())
            .collect()
    }

    /// The condition of a `<stream:error/>`, with its text if it has one.
    fn stream_error(&self) -> Option<String> {
        let root = &self.root;
        if (root.namespace.as_str(), root.name.as_str()) != (STREAMS, "error") {
            return None;
        }
        let children = self.inner.iter().filter(|node| node.depth == 1);
        let mut conditions = children.filter(|node| node.namespace == STREAM_ERRORS);
        conditions
            .find(|node| node.name != "text")
            .map(|node| node.name.clone())
    }
}

fn read_attributes(start: &BytesStart<'_>) -> Result<Vec<(String, String)>, quick_xml::Error> {
    let read = |attribute: Result<Attribute<'_>, AttrError>| {
        let attribute = attribute?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
        Ok((attribute.key.as_ref().to_owned(), value.into_owned()))
    };
    start.attributes().map(read).collect()
}
