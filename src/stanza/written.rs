//! Stanzas that an application writes.

use super::header::OWN_LIMITS;
use super::{CLIENT_NS, IqType, Kind, Stanza, address, reply};
use crate::xml::{Element, Scanner, XmlFault, escape_text};

/// Why a text is no stanza.
#[derive(Debug, thiserror::Error)]
pub enum WrittenError {
    /// It is not XML, or not of the part that XMPP allows.
    #[error("not a stanza: {0}")]
    Xml(XmlFault),
    /// Another element, or one in another namespace.
    #[error("not a stanza: a <message/>, <presence/> or <iq/> in {CLIENT_NS:?} is wanted")]
    Element,
    /// An address that is none, a type that there is not, an iq that is none.
    #[error("not a stanza: {0}")]
    Header(&'static str),
}

impl Stanza {
    /// A stanza that the application wrote, sent by `from`, whatever the text says of that.
    ///
    /// `text`: one `<message/>`, `<presence/>` or `<iq/>`, in `jabber:client` or without any
    /// namespace. An iq of type get or set has one child and an id.
    ///
    /// # Errors
    ///
    /// [`WrittenError`]
    pub fn written(text: &str, from: &address::Jid) -> Result<Self, WrittenError> {
        let mut scanner = Scanner::new(OWN_LIMITS);
        let frame = scanner.scan(text).map_err(WrittenError::Xml)?;
        let namespace = frame.namespace();
        let is_stanza = matches!(frame.name(), "message" | "presence" | "iq");
        let is_ours = namespace.is_empty() || namespace == CLIENT_NS;
        if !is_stanza || !is_ours || !frame.prefix().is_empty() {
            return Err(WrittenError::Element);
        }
        let sent = Self::read(&frame, from);
        let Some(sent) = sent else {
            return Err(WrittenError::Element);
        };
        // Read again: in its new start tag its children have the namespace that they are meant in.
        let sent =
            sent.map_err(|refused| WrittenError::Header(refused.error.condition.as_str()))?;
        Self::of_server(sent.text).ok_or(WrittenError::Element)
    }

    /// What is between its start tag and its end tag, as XML; empty if there is nothing.
    pub fn content(&self) -> String {
        let mut scanner = Scanner::new(OWN_LIMITS);
        match scanner.scan(&self.text) {
            Ok(frame) => frame.content().to_owned(),
            Err(_) => String::new(), // it has been read before, so that this does not happen
        }
    }

    /// The answer to it: from where it went to, to where it came from, with its id. To an iq it is
    /// the result, to anything else a stanza of the same type. `content`: XML, or empty.
    #[must_use]
    pub fn answered(&self, content: &str) -> Self {
        let kind = match self.kind {
            Kind::Iq(_) => Kind::Iq(IqType::Result),
            kind => kind,
        };
        let text = reply::answer(self, kind, content);
        let from = self
            .to
            .clone()
            .unwrap_or_else(|| self.from.to_bare().into());
        Self {
            kind,
            to: Some(self.from.clone()),
            from,
            payload: None,
            text,
            ..self.clone()
        }
    }

    /// The text of its `<body/>`, if it has one: the first, in whatever language.
    pub fn body(&self) -> Option<String> {
        if !self.marks.body {
            return None;
        }
        let element = Element::parse_within(&self.text, OWN_LIMITS).ok()?;
        element.child("body", CLIENT_NS).map(Element::text)
    }

    /// [`answered`](Self::answered) with a `<body/>` of this text.
    #[must_use]
    pub fn answered_with_body(&self, text: &str) -> Self {
        self.answered(&format!("<body>{}</body>", escape_text(text)))
    }

    /// The same stanza, sent by somebody else.
    #[must_use]
    pub fn sent_by(&self, from: &address::Jid) -> Self {
        let mut scanner = Scanner::new(OWN_LIMITS);
        let read = scanner.scan(&self.text).ok();
        let read = read.and_then(|frame| Self::read(&frame, from)?.ok());
        read.unwrap_or_else(|| self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stanza::{Kind, MessageType};

    fn written(text: &str) -> Result<Stanza, WrittenError> {
        Stanza::written(text, &address::parse("example.org").unwrap())
    }

    #[test]
    fn a_message_without_namespace_and_sender_gets_both() {
        let stanza =
            written("<message type='headline' id='7'><body>a &amp; b</body></message>").unwrap();
        assert_eq!(stanza.kind, Kind::Message(MessageType::Headline));
        assert_eq!(stanza.from.as_str(), "example.org");
        assert!(stanza.marks.body);
        assert_eq!(
            stanza.text,
            "<message xmlns=\"jabber:client\" from=\"example.org\" type='headline' id='7'>\
             <body>a &amp; b</body></message>"
        );
    }

    #[test]
    fn an_answer_goes_back_with_the_id_and_what_a_person_wrote_is_escaped() {
        let stanza = Stanza::of_server(
            "<message xmlns='jabber:client' from='a@b/c' to='echo.b' id='7' type='chat'>\
             <body>1 &lt; 2</body></message>"
                .into(),
        )
        .unwrap();
        assert_eq!(stanza.body().as_deref(), Some("1 < 2"));
        assert_eq!(stanza.content(), "<body>1 &lt; 2</body>");
        let answer = stanza.answered_with_body("3 > <b/>");
        assert_eq!(
            answer.text,
            "<message xmlns=\"jabber:client\" type=\"chat\" id=\"7\" from=\"echo.b\" to=\"a@b/c\">\
             <body>3 &gt; &lt;b/&gt;</body></message>"
        );
        assert_eq!(answer.body().as_deref(), Some("3 > <b/>"));
    }

    #[test]
    fn nobody_speaks_for_somebody_else() {
        let stanza = written("<message xmlns='jabber:client' from='alice@example.org'/>").unwrap();
        assert_eq!(stanza.from.as_str(), "example.org");
    }

    #[test]
    fn what_is_no_stanza_is_refused() {
        for text in [
            "",
            "<message>",
            "<body/>",
            "<message xmlns='urn:other'/>",
            "<a:message xmlns:a='jabber:client'/>",
            "<iq type='get' id='1'/>",
            "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
            "<iq id='1'/>",
            "<message to='@'/>",
            "<message/><message/>",
            "<!DOCTYPE a><message/>",
        ] {
            assert!(written(text).is_err(), "{text}");
        }
    }
}
