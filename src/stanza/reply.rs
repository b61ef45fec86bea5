//! Answers that this server writes.

use super::header::Refused;
use super::{ByteString, CLIENT_NS, IqType, Kind, MessageType, PresenceType, Stanza, StanzaError};
use crate::xml::escape_attribute;

/// The error that answers a stanza: same kind and id, addresses swapped (RFC 6120 §8.3).
///
/// `None` if nothing may answer it: an error is never answered by an error.
pub fn error_reply(stanza: &Stanza, error: &StanzaError) -> Option<ByteString> {
    if !stanza.kind.may_be_answered_by_an_error() {
        return None;
    }
    let bare;
    let from = match &stanza.to {
        Some(to) => to.as_str(),
        None => {
            bare = stanza.from.to_bare();
            bare.as_str()
        }
    };
    let id = stanza.id.as_deref();
    Some(write(
        stanza.kind.element(),
        Some("error"),
        id,
        from,
        stanza.from.as_str(),
        &error.to_xml(),
    ))
}

/// The kind of an error that answers a stanza of this kind.
pub fn error_kind(kind: Kind) -> Kind {
    match kind {
        Kind::Message(_) => Kind::Message(MessageType::Error),
        Kind::Presence(_) => Kind::Presence(PresenceType::Error),
        Kind::Iq(_) => Kind::Iq(IqType::Error),
    }
}

impl Refused {
    /// The error that answers it, from its addressee or, if it had none, from `server`.
    pub fn reply(&self, to: &str, server: &str) -> Option<ByteString> {
        if !self.answerable {
            return None;
        }
        let from = self.to.as_ref().map_or(server, |to| to.as_str());
        Some(write(
            self.element,
            Some("error"),
            self.id.as_deref(),
            from,
            to,
            &self.error.to_xml(),
        ))
    }
}

/// What answers a stanza, as a stanza of this kind.
pub(super) fn answer(stanza: &Stanza, kind: Kind, content: &str) -> ByteString {
    let bare;
    let from = match &stanza.to {
        Some(to) => to.as_str(),
        None => {
            bare = stanza.from.to_bare();
            bare.as_str()
        }
    };
    let (id, to) = (stanza.id.as_deref(), stanza.from.as_str());
    write(kind.element(), kind.type_attribute(), id, from, to, content)
}

/// The result that answers an iq request (RFC 6120 §8.2.3). `content` is XML, or empty.
pub fn iq_result(request: &Stanza, content: &str) -> ByteString {
    debug_assert!(matches!(request.kind, Kind::Iq(IqType::Get | IqType::Set)));
    answer(request, Kind::Iq(IqType::Result), content)
}

fn write(
    element: &str,
    kind: Option<&str>,
    id: Option<&str>,
    from: &str,
    to: &str,
    content: &str,
) -> ByteString {
    let mut text = String::with_capacity(content.len() + from.len() + to.len() + 96);
    text.push('<');
    text.push_str(element);
    for (name, value) in [
        ("xmlns", Some(CLIENT_NS)),
        ("type", kind),
        ("id", id),
        ("from", Some(from)),
        ("to", Some(to)),
    ] {
        if let Some(value) = value {
            text.push(' ');
            text.push_str(name);
            text.push_str("=\"");
            text.push_str(&escape_attribute(value));
            text.push('"');
        }
    }
    if content.is_empty() {
        text.push_str("/>");
    } else {
        text.push('>');
        text.push_str(content);
        text.push_str("</");
        text.push_str(element);
        text.push('>');
    }
    text.into()
}
