//! What an element from the client is, whatever the state.

use super::{Framing, OpenRequest, StreamFault};
use crate::stanza::CLIENT_NS;
use crate::xml::Frame;

pub(super) const FRAMING_NS: &str = "urn:ietf:params:xml:ns:xmpp-framing";
pub(super) const SASL_NS: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
pub(super) const SM_NS: &str = "urn:xmpp:sm:3";
const CSI_NS: &str = "urn:xmpp:csi:0";
const STREAMS_NS: &str = "http://etherx.jabber.org/streams";

/// An element from the client.
#[derive(Debug)]
pub(super) enum Input {
    Open(OpenRequest),
    Close,
    Auth {
        mechanism: Option<String>,
        data: Option<String>,
    },
    Response {
        data: String,
    },
    Abort,
    Enable {
        resume: bool,
        max: Option<u64>,
    },
    Resume {
        previd: Option<String>,
        h: Option<String>,
    },
    AckRequest,
    AckAnswer {
        h: Option<String>,
    },
    Inactive(bool),
    /// message, presence or iq in `jabber:client`
    Stanza,
    /// The client found a fault with us.
    Error,
}

impl Input {
    /// Names the element; a fault if it is none that a client may send in any state.
    pub(super) fn read(frame: &Frame<'_, '_>, framing: Framing) -> Result<Self, StreamFault> {
        let attribute = |name| frame.attribute(name).map(std::borrow::Cow::into_owned);
        Ok(match (&*frame.namespace(), frame.name()) {
            (CLIENT_NS, "message" | "presence" | "iq") if frame.prefix().is_empty() => Self::Stanza,
            (CLIENT_NS, "message" | "presence" | "iq") => {
                return Err(StreamFault::BadNamespacePrefix);
            }
            (FRAMING_NS, "open") if framing == Framing::WebSocket => Self::Open(OpenRequest {
                to: attribute("to"),
                version: attribute("version"),
            }),
            (FRAMING_NS, "close") if framing == Framing::WebSocket => Self::Close,
            (SASL_NS, "auth") => Self::Auth {
                mechanism: attribute("mechanism"),
                data: Some(text(frame)).filter(|data| !data.is_empty()),
            },
            (SASL_NS, "response") => Self::Response { data: text(frame) },
            (SASL_NS, "abort") => Self::Abort,
            (SM_NS, "enable") => Self::Enable {
                resume: matches!(frame.attribute("resume").as_deref(), Some("true" | "1")),
                max: frame.attribute("max").and_then(|max| max.parse().ok()),
            },
            (SM_NS, "resume") => Self::Resume {
                previd: attribute("previd"),
                h: attribute("h"),
            },
            (SM_NS, "r") => Self::AckRequest,
            (SM_NS, "a") => Self::AckAnswer { h: attribute("h") },
            (CSI_NS, "active") => Self::Inactive(false),
            (CSI_NS, "inactive") => Self::Inactive(true),
            (STREAMS_NS, "error") => Self::Error,
            // RFC 7395 §3.3.2, §3.3.3; RFC 6120 §4.8.2: a name we know in a namespace that it
            // does not have.
            (_, "open" | "close" | "message" | "presence" | "iq" | "auth" | "stream") => {
                return Err(StreamFault::InvalidNamespace);
            }
            _ => return Err(StreamFault::UnsupportedStanzaType),
        })
    }
}

/// The text of an element that holds nothing but base64: references in it are no base64.
fn text(frame: &Frame<'_, '_>) -> String {
    frame.content().to_owned()
}

/// A count as XEP-0198 §4 writes it: an unsigned 32-bit number and nothing else.
pub(super) fn count(text: Option<&str>) -> Option<u32> {
    let text = text?;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
