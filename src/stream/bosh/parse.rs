//! Reading a `<body/>`.

use std::borrow::Cow;

use super::body::{Body, Version, number};
use super::condition::Condition;
use super::wire::{NS_CLIENT, NS_HTTPBIND, NS_XBOSH};
use crate::xml::{FaultKind, Frame, Limits, Scanner, XmlFault};

/// Why a request is not a `<body/>` that can be served. Always the peer's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Not XML, or not as XMPP allows it.
    #[error(transparent)]
    Xml(#[from] XmlFault),
    /// The element is not `<body/>` in the namespace of BOSH (XEP-0124 §6).
    #[error("the element is not <body/> in {NS_HTTPBIND}")]
    NotABody,
    /// There is no `rid` (XEP-0124 §6).
    #[error("<body/> has no rid")]
    NoRid,
    /// An attribute that is a number holds something else.
    #[error("attribute {attribute} of <body/> is not a number")]
    NotANumber {
        /// The name of the attribute.
        attribute: &'static str,
    },
    /// There is text beside the elements (XEP-0124 §6).
    #[error("<body/> contains text")]
    Text,
    /// The elements use so many namespaces of `<body/>` that, as documents of their own, they would
    /// take more than [`MAX_GROWTH`] times the space.
    #[error("the elements of <body/> would grow to more than {MAX_GROWTH} times its size")]
    Growth,
}

/// How many times larger than the body its payload may become, when each element declares for itself
/// what it inherits. The smallest stanza takes 7; without a bound, one long declaration and many small
/// elements would fill the memory.
pub const MAX_GROWTH: usize = 16;

impl BodyFault {
    /// What the client hears, in a [`refusal`](super::refusal) (XEP-0124 §17.2).
    pub fn condition(self) -> Condition {
        match self {
            // A limit of ours, as over WebSocket.
            Self::Xml(fault) if fault.kind() == FaultKind::PolicyViolation => {
                Condition::PolicyViolation
            }
            Self::Xml(_) | Self::NotABody | Self::NoRid | Self::NotANumber { .. } | Self::Text => {
                Condition::BadRequest
            }
            Self::Growth => Condition::PolicyViolation,
        }
    }
}

/// What a `<body/>` itself may declare: its own namespace and `xmpp` (XEP-0206 §2).
const BODY_NAMESPACES: u16 = 2;

/// The limits for a scanner of bodies whose elements may each use `limits`: one level more, and
/// what `<body/>` declares.
pub fn body_limits(mut limits: Limits) -> Limits {
    limits.depth = limits.depth.saturating_add(1);
    limits.namespaces = limits.namespaces.saturating_add(BODY_NAMESPACES);
    limits
}

impl Body {
    /// Reads the body of a POST. One pass; its size is for the caller to bound.
    ///
    /// White space before the element is skipped, as XML 1.0 allows and RFC 7395 does not.
    ///
    /// # Errors
    ///
    /// [`BodyFault::condition`] is what the client hears of each [`BodyFault`].
    pub fn parse(scanner: &mut Scanner, text: &str) -> Result<Self, BodyFault> {
        let text = text.trim_start_matches([' ', '\t', '\r', '\n']);
        let frame = scanner.scan(text)?;
        if !frame.is("body", NS_HTTPBIND) {
            return Err(BodyFault::NotABody);
        }
        if has_text_beside_elements(&frame) {
            return Err(BodyFault::Text);
        }
        read(&frame)
    }
}

fn read(frame: &Frame<'_, '_>) -> Result<Body, BodyFault> {
    let text = |name| frame.attribute(name).map(Cow::into_owned);
    let is_terminate = frame
        .attribute("type")
        .is_some_and(|value| value == "terminate");
    let restart = xbosh_attribute(frame, "restart");
    Ok(Body {
        rid: optional_number(frame, "rid")?.ok_or(BodyFault::NoRid)?,
        sid: text("sid"),
        to: text("to"),
        from: text("from"),
        lang: frame.xml_lang().map(Cow::into_owned),
        wait: optional_number(frame, "wait")?,
        hold: optional_number(frame, "hold")?,
        ver: frame.attribute("ver").as_deref().and_then(Version::parse),
        content: text("content"),
        ack: optional_number(frame, "ack")?,
        pause: optional_number(frame, "pause")?,
        key: text("key"),
        newkey: text("newkey"),
        terminate: is_terminate,
        condition: text("condition"),
        restart: restart.is_some_and(|value| matches!(value.as_ref(), "true" | "1")),
        version: xbosh_attribute(frame, "version").map(Cow::into_owned),
        payload: payload(frame)?,
    })
}

/// The elements, each as a document of its own, out of the namespace of `<body/>` (XEP-0206 §2).
fn payload(frame: &Frame<'_, '_>) -> Result<Vec<String>, BodyFault> {
    let rename = Some((NS_HTTPBIND, NS_CLIENT));
    let mut room_bytes = frame.text().len().saturating_mul(MAX_GROWTH);
    let documents = (0..frame.children().len()).map(|i| {
        let document = frame.child_document(i, rename).into_owned();
        room_bytes = room_bytes
            .checked_sub(document.len())
            .ok_or(BodyFault::Growth)?;
        Ok(document)
    });
    documents.collect()
}

fn optional_number(
    frame: &Frame<'_, '_>,
    attribute: &'static str,
) -> Result<Option<u64>, BodyFault> {
    let Some(value) = frame.attribute(attribute) else {
        return Ok(None);
    };
    number(value.trim())
        .map(Some)
        .ok_or(BodyFault::NotANumber { attribute })
}

/// An attribute in `urn:xmpp:xbosh`, under whatever prefix the body declares for it.
fn xbosh_attribute<'t>(frame: &Frame<'_, 't>, name: &str) -> Option<Cow<'t, str>> {
    let is_prefix = |prefix: &str| {
        let mut declarations = frame.attributes();
        declarations.any(|it| it.declared_prefix() == Some(prefix) && it.value() == NS_XBOSH)
    };
    let mut attributes = frame.attributes();
    let found = attributes
        .find(|it| it.local() == name && !it.prefix().is_empty() && is_prefix(it.prefix()))?;
    Some(found.value())
}

/// XEP-0124 §6: no character data in `<body/>` itself; white space between elements is let pass.
fn has_text_beside_elements(frame: &Frame<'_, '_>) -> bool {
    let content = frame.content();
    let start = content.as_ptr() as usize - frame.text().as_ptr() as usize;
    let ends = start + content.len();
    let spans = frame
        .children()
        .map(|child| (child.span().start as usize, child.span().end as usize));
    let mut from = start;
    for (child_start, child_end) in spans.chain([(ends, ends)]) {
        let between = frame.text().get(from..child_start).unwrap_or_default();
        if !between.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
            return true;
        }
        from = child_end;
    }
    false
}
