//! The header of one stanza and the text that goes on.

use super::address::{self, FullJid, Jid};
use super::{ByteString, CLIENT_NS, Condition, StanzaError};
use crate::xml::{Frame, escape_attribute};

/// `type` of a message (RFC 6121 §5.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// One-to-one, in a conversation.
    Chat,
    /// Answers a message that could not be delivered.
    Error,
    /// Of a room.
    Groupchat,
    /// An alert that nobody answers and nobody stores.
    Headline,
    /// Everything else; also what no or an unknown type means.
    Normal,
}

/// `type` of a presence (RFC 6121 §4.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PresenceType {
    /// No type: here I am.
    Available,
    /// Here I am no longer.
    Unavailable,
    /// Asks for a subscription.
    Subscribe,
    /// Grants one.
    Subscribed,
    /// Gives one up.
    Unsubscribe,
    /// Takes one back.
    Unsubscribed,
    /// Asks for presence; from servers.
    Probe,
    /// Answers a presence that could not be delivered.
    Error,
}

/// `type` of an iq (RFC 6120 §8.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IqType {
    /// Asks.
    Get,
    /// Changes.
    Set,
    /// Answers.
    Result,
    /// Refuses.
    Error,
}

/// Which stanza it is, with its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `<message/>`
    Message(MessageType),
    /// `<presence/>`
    Presence(PresenceType),
    /// `<iq/>`
    Iq(IqType),
}

impl Kind {
    /// The name of the element.
    pub fn element(self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Presence(_) => "presence",
            Self::Iq(_) => "iq",
        }
    }

    /// The attribute `type`; `None` for the kind that has none.
    pub fn type_attribute(self) -> Option<&'static str> {
        Some(match self {
            Self::Message(MessageType::Normal) | Self::Presence(PresenceType::Available) => {
                return None;
            }
            Self::Message(MessageType::Chat) => "chat",
            Self::Message(MessageType::Groupchat) => "groupchat",
            Self::Message(MessageType::Headline) => "headline",
            Self::Presence(PresenceType::Unavailable) => "unavailable",
            Self::Presence(PresenceType::Subscribe) => "subscribe",
            Self::Presence(PresenceType::Subscribed) => "subscribed",
            Self::Presence(PresenceType::Unsubscribe) => "unsubscribe",
            Self::Presence(PresenceType::Unsubscribed) => "unsubscribed",
            Self::Presence(PresenceType::Probe) => "probe",
            Self::Iq(IqType::Get) => "get",
            Self::Iq(IqType::Set) => "set",
            Self::Iq(IqType::Result) => "result",
            Self::Message(MessageType::Error)
            | Self::Presence(PresenceType::Error)
            | Self::Iq(IqType::Error) => "error",
        })
    }

    /// Whether an error may answer it: never an error, nor an iq result (RFC 6120 §8.3.1, §8.2.3).
    pub fn may_be_answered_by_an_error(self) -> bool {
        !matches!(
            self,
            Self::Message(MessageType::Error)
                | Self::Presence(PresenceType::Error)
                | Self::Iq(IqType::Result | IqType::Error)
        )
    }
}

/// The child of an iq request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Local name.
    pub name: Box<str>,
    /// Namespace.
    pub namespace: Box<str>,
}

impl Payload {
    /// Whether the payload is this element.
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        &*self.name == name && &*self.namespace == namespace
    }
}

/// What routing wants to know of a message without opening it again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// A `<body/>`.
    pub body: bool,
    /// `<private xmlns='urn:xmpp:carbons:2'/>` (XEP-0280 §7).
    pub private: bool,
    /// `<no-copy xmlns='urn:xmpp:hints'/>` (XEP-0334 §4.1).
    pub no_copy: bool,
    /// `<no-store/>` or `<no-permanent-store/>` (XEP-0334 §4.2).
    pub no_store: bool,
    /// `<store xmlns='urn:xmpp:hints'/>` (XEP-0334 §4.4).
    pub store: bool,
    /// `<received/>` or `<sent/>` of carbons: a copy, or what pretends to be one.
    pub carbon: bool,
    /// `<x xmlns='http://jabber.org/protocol/muc#user'/>`: an invitation or a private message of a room.
    pub muc_user: bool,
    /// A delivery receipt (XEP-0184) or a chat marker (XEP-0333).
    pub receipt: bool,
    /// `<delay xmlns='urn:xmpp:delay'/>` (XEP-0203), whoever put it there.
    pub delay: bool,
    /// `<origin-id xmlns='urn:xmpp:sid:0' id='…'/>` (XEP-0359 §3.2), with an id that is not empty.
    pub origin_id: bool,
}

/// One stanza: its header, and its text as it goes on.
///
/// The text is a complete element in `jabber:client` that stands alone (RFC 7395 §3.3.3). Clones
/// share it.
#[derive(Debug, Clone)]
pub struct Stanza {
    /// Message, presence or iq, with its type.
    pub kind: Kind,
    /// Whom it is for; none: the own account (RFC 6120 §10.3).
    pub to: Option<Jid>,
    /// Who sent it. For a stanza of a client always the full address of its session.
    pub from: Jid,
    /// The id that the sender chose.
    pub id: Option<Box<str>>,
    /// What is in a message.
    pub marks: Marks,
    /// What is in an iq of type get or set.
    pub payload: Option<Payload>,
    /// The element.
    pub text: ByteString,
}

/// For what this server wrote or let in under the limits of that day.
pub(super) const OWN_LIMITS: crate::xml::Limits = crate::xml::Limits {
    depth: u16::MAX,
    attributes: 256,
    namespaces: 64,
    elements: u32::MAX,
};

/// A stanza that is refused before it is routed, with what an error reply needs.
#[derive(Debug)]
pub struct Refused {
    /// The element it was.
    pub element: &'static str,
    /// Its id.
    pub id: Option<Box<str>>,
    /// Its addressee, unless that was the mistake.
    pub to: Option<Jid>,
    /// Whether an answer is allowed (RFC 6120 §8.3.1).
    pub answerable: bool,
    /// What is wrong.
    pub error: StanzaError,
}

impl Stanza {
    /// Reads a stanza that a client sent and stamps its sender.
    ///
    /// Whatever `from` says, the text goes on with the full address of the session: a client that
    /// resumed after a page reload stamps the resource it would have bound, and RFC 6120
    /// §8.1.2.1 allows to overwrite it. Returns `None` if the element is no stanza.
    ///
    /// # Errors
    ///
    /// `Refused`, with the stanza error that the sender gets.
    #[allow(clippy::result_large_err)] // the error is answered at once and never travels
    pub fn of_client(frame: &Frame<'_, '_>, from: &FullJid) -> Option<Result<Self, Refused>> {
        Self::read(frame, from)
    }

    #[allow(clippy::result_large_err)]
    pub(super) fn read(frame: &Frame<'_, '_>, from: &Jid) -> Option<Result<Self, Refused>> {
        let element = match frame.name() {
            "message" => "message",
            "presence" => "presence",
            "iq" => "iq",
            _ => return None,
        };
        Some(Reading::new(frame, element).read(from))
    }

    /// Reads a stanza that this server wrote or stored. Returns `None` for what is none.
    pub fn of_server(text: ByteString) -> Option<Self> {
        let mut scanner = crate::xml::Scanner::new(OWN_LIMITS);
        let frame = scanner.scan(&text).ok()?;
        let from = address::parse(&frame.attribute("from")?).ok()?;
        let element = match frame.name() {
            "message" => "message",
            "presence" => "presence",
            "iq" => "iq",
            _ => return None,
        };
        let reading = Reading::new(&frame, element);
        let (kind, to) = (reading.kind().ok()?, reading.to().ok()?);
        let (marks, payload) = (reading.marks(kind), reading.payload(kind));
        let id = reading.id.clone();
        Some(Self {
            kind,
            to,
            from,
            id,
            marks,
            payload,
            text: text.clone(),
        })
    }

    /// The same stanza for a full address: `to` rewritten, nothing else.
    ///
    /// Cost: one copy of the text.
    #[must_use]
    pub fn addressed_to(&self, to: &Jid) -> Self {
        let mut scanner = crate::xml::Scanner::new(OWN_LIMITS);
        let text = match scanner.scan(&self.text) {
            Ok(frame) => restamp(
                &frame,
                self.kind.element(),
                self.from.as_str(),
                Some(to.as_str()),
            ),
            Err(_) => self.text.clone(),
        };
        Self {
            to: Some(to.clone()),
            text,
            ..self.clone()
        }
    }
}

/// One frame on its way to a [`Stanza`].
struct Reading<'f, 's, 't> {
    frame: &'f Frame<'s, 't>,
    element: &'static str,
    id: Option<Box<str>>,
}

impl<'f, 's, 't> Reading<'f, 's, 't> {
    fn new(frame: &'f Frame<'s, 't>, element: &'static str) -> Self {
        let id = frame
            .attribute("id")
            .map(|id| id.into_owned().into_boxed_str());
        Self { frame, element, id }
    }

    #[allow(clippy::result_large_err)]
    fn read(self, from: &Jid) -> Result<Stanza, Refused> {
        let to = self.to().map_err(|error| self.refuse(error, None))?;
        let kind = self
            .kind()
            .map_err(|error| self.refuse(error, to.clone()))?;
        if let Err(error) = self.check_iq(kind) {
            return Err(self.refuse(error, to));
        }
        Ok(Stanza {
            kind,
            to,
            from: from.clone(),
            marks: self.marks(kind),
            payload: self.payload(kind),
            text: restamp(self.frame, self.element, from.as_str(), None),
            id: self.id,
        })
    }

    fn refuse(&self, error: StanzaError, to: Option<Jid>) -> Refused {
        let answerable = match self.frame.attribute("type").as_deref() {
            Some("error") => false,
            Some("result") => self.element != "iq",
            _ => true,
        };
        Refused {
            element: self.element,
            id: self.id.clone(),
            to,
            answerable,
            error,
        }
    }

    fn to(&self) -> Result<Option<Jid>, StanzaError> {
        let Some(to) = self.frame.attribute("to") else {
            return Ok(None);
        };
        match address::parse_again(&to) {
            Ok(to) => Ok(Some(to)),
            Err(_) => Err(Condition::JidMalformed.into()), // RFC 6120 §8.3.3.8
        }
    }

    fn kind(&self) -> Result<Kind, StanzaError> {
        let kind = self.frame.attribute("type");
        let kind = kind.as_deref();
        match self.element {
            "message" => Ok(Kind::Message(message_type(kind))),
            "presence" => presence_type(kind).map(Kind::Presence),
            _ => iq_type(kind).map(Kind::Iq),
        }
    }

    /// RFC 6120 §8.1.3 (an id), §8.2.3 (one child in a request, at most one in a result).
    fn check_iq(&self, kind: Kind) -> Result<(), StanzaError> {
        let Kind::Iq(kind) = kind else { return Ok(()) };
        if self.id.as_deref().is_none_or(str::is_empty) {
            return Err(bad_request("an iq needs an id"));
        }
        let children = self.frame.children().len();
        match kind {
            IqType::Get | IqType::Set if children != 1 => {
                Err(bad_request("a request holds exactly one element"))
            }
            IqType::Result if children > 1 => {
                Err(bad_request("a result holds one element at most"))
            }
            _ => Ok(()),
        }
    }

    fn payload(&self, kind: Kind) -> Option<Payload> {
        let Kind::Iq(IqType::Get | IqType::Set) = kind else {
            return None;
        };
        let child = self.frame.children().next()?;
        Some(Payload {
            name: child.name().into(),
            namespace: child.namespace().into(),
        })
    }

    fn marks(&self, kind: Kind) -> Marks {
        let mut marks = Marks::default();
        if let Kind::Message(_) = kind {
            for child in self.frame.children() {
                mark(&mut marks, child.name(), &child.namespace());
                marks.origin_id |= child.is("origin-id", "urn:xmpp:sid:0")
                    && child.attribute("id").is_some_and(|id| !id.is_empty());
            }
        }
        marks
    }
}

fn mark(marks: &mut Marks, name: &str, namespace: &str) {
    match (name, namespace) {
        ("body", CLIENT_NS) => marks.body = true,
        ("private", "urn:xmpp:carbons:2") => marks.private = true,
        ("received" | "sent", "urn:xmpp:carbons:2") => marks.carbon = true,
        ("no-copy", "urn:xmpp:hints") => marks.no_copy = true,
        ("no-store" | "no-permanent-store", "urn:xmpp:hints") => marks.no_store = true,
        ("store", "urn:xmpp:hints") => marks.store = true,
        ("x", "http://jabber.org/protocol/muc#user") => marks.muc_user = true,
        (_, "urn:xmpp:receipts" | "urn:xmpp:chat-markers:0") => marks.receipt = true,
        ("delay", "urn:xmpp:delay") => marks.delay = true,
        _ => {}
    }
}

fn message_type(kind: Option<&str>) -> MessageType {
    match kind {
        Some("chat") => MessageType::Chat,
        Some("error") => MessageType::Error,
        Some("groupchat") => MessageType::Groupchat,
        Some("headline") => MessageType::Headline,
        _ => MessageType::Normal, // RFC 6121 §5.2.2
    }
}

fn presence_type(kind: Option<&str>) -> Result<PresenceType, StanzaError> {
    Ok(match kind {
        None => PresenceType::Available,
        Some("unavailable") => PresenceType::Unavailable,
        Some("subscribe") => PresenceType::Subscribe,
        Some("subscribed") => PresenceType::Subscribed,
        Some("unsubscribe") => PresenceType::Unsubscribe,
        Some("unsubscribed") => PresenceType::Unsubscribed,
        Some("probe") => PresenceType::Probe,
        Some("error") => PresenceType::Error,
        Some(_) => return Err(bad_request("no such type of presence")), // RFC 6121 §4.7.1
    })
}

fn iq_type(kind: Option<&str>) -> Result<IqType, StanzaError> {
    match kind {
        Some("get") => Ok(IqType::Get),
        Some("set") => Ok(IqType::Set),
        Some("result") => Ok(IqType::Result),
        Some("error") => Ok(IqType::Error),
        _ => Err(bad_request("an iq is a get, a set, a result or an error")), // RFC 6120 §8.2.3
    }
}

fn bad_request(text: &'static str) -> StanzaError {
    StanzaError::from(Condition::BadRequest).with_text(text)
}

/// The element with its sender stamped: the start tag is rewritten, the rest copied once.
///
/// It takes no more memory than it is long: it may wait in a queue.
fn restamp(frame: &Frame<'_, '_>, element: &str, from: &str, to: Option<&str>) -> ByteString {
    let is_kept = |name: &str| match name {
        "xmlns" | "from" => false,
        "to" => to.is_none(),
        _ => true,
    };
    let (from, to) = (escape_attribute(from), to.map(escape_attribute));
    let to = to.as_ref().map(|to| [" to=\"", to, "\""]);
    let head = [
        "<",
        element,
        " xmlns=\"jabber:client\" from=\"",
        &from,
        "\"",
    ];
    let head = head.into_iter().chain(to.into_iter().flatten());
    let kept = frame
        .attributes()
        .filter(|attribute| is_kept(attribute.name()))
        .map(|attribute| attribute.span().of(frame.text()));
    let rest = match frame.is_empty_element() {
        true => "/>",
        false => &frame.element()[frame.start_tag_end() - 1..],
    };
    let attributes_bytes: usize = kept.clone().map(|attribute| attribute.len() + 1).sum();
    let head_bytes: usize = head.clone().map(str::len).sum();
    let mut text = String::with_capacity(head_bytes + attributes_bytes + rest.len());
    text.extend(head);
    for attribute in kept {
        text.push(' ');
        text.push_str(attribute);
    }
    text.push_str(rest);
    text.into()
}
