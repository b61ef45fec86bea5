//! Whether two messages are one that was sent twice.

use super::address::account_of;
use super::header::OWN_LIMITS;
use super::{Kind, MessageType, Stanza};
use crate::xml::Scanner;
use hmac::{Hmac, KeyInit, Mac};
use memchr::memchr3_iter;
use sha2::Sha256;
use std::borrow::Cow;

/// Makes fingerprints: equal for the copies of one message, whichever session of the account sent
/// them, and different for any two others.
///
/// A fingerprint may be stored: without the key it tells nothing of the message.
#[derive(Clone)]
pub struct Fingerprints {
    keyed: Hmac<Sha256>,
}

impl Fingerprints {
    /// Those of one key, which are the same in every process.
    pub fn new(key: &[u8]) -> Self {
        let keyed = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        Self { keyed }
    }

    /// That of a message. `None` for what is no message, for an error, and for a message without
    /// an id: nobody can say that its copies are one.
    ///
    /// It covers the account of the sender, addressee, type, id and payload. Where there is an
    /// origin-id (XEP-0359), which is part of the payload, the id does not matter. `<delay/>` is
    /// left out: a client that sends again adds it (XEP-0198 §5).
    pub fn of(&self, message: &Stanza) -> Option<u64> {
        let kind = match message.kind {
            Kind::Message(MessageType::Error) | Kind::Presence(_) | Kind::Iq(_) => return None,
            Kind::Message(kind) => kind,
        };
        let account = account_of(&message.from);
        let to = message.to.as_ref().map_or(account, |to| to.as_str());
        let id = match message.id.as_deref() {
            _ if message.marks.origin_id => "",
            None | Some("") => return None,
            Some(id) => id,
        };
        let kind = [type_byte(kind)];
        let payload = payload(message);
        let mut hash = self.keyed.clone();
        for part in [account, to, id] {
            hash.update(part.as_bytes());
            hash.update(&[0]); // NUL is in none of them, so no two inputs read alike
        }
        hash.update(&kind);
        hash.update(payload.as_bytes());
        let hash = hash.finalize().into_bytes();
        hash.first_chunk().copied().map(u64::from_be_bytes)
    }
}

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprints(..)")
    }
}

fn type_byte(kind: MessageType) -> u8 {
    match kind {
        MessageType::Chat => b'c',
        MessageType::Error => b'e',
        MessageType::Groupchat => b'g',
        MessageType::Headline => b'h',
        MessageType::Normal => b'n',
    }
}

/// What follows the start tag, without the stamps of delays.
fn payload(message: &Stanza) -> Cow<'_, str> {
    if message.marks.delay
        && let Some(without_delay) = without_delay(&message.text)
    {
        return Cow::Owned(without_delay);
    }
    Cow::Borrowed(after_start_tag(&message.text))
}

fn without_delay(text: &str) -> Option<String> {
    let mut scanner = Scanner::new(OWN_LIMITS);
    let frame = scanner.scan(text).ok()?;
    let mut out = String::with_capacity(text.len());
    let mut from = text.len() - after_start_tag(text).len();
    for child in frame.children() {
        if child.is("delay", "urn:xmpp:delay") {
            let delay = child.span();
            out.push_str(&text[from..delay.start as usize]);
            from = delay.end as usize;
        }
    }
    out.push_str(&text[from..]);
    Some(out)
}

/// The text of an element without its start tag; values of attributes may hold `>`.
fn after_start_tag(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut quote = None;
    for at in memchr3_iter(b'>', b'"', b'\'', bytes) {
        let byte = bytes[at];
        match quote {
            None if byte == b'>' => return &text[at + 1..],
            None => quote = Some(byte),
            Some(open) if byte == open => quote = None,
            Some(_) => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stanza::address::FullJid;
    use crate::xml::Limits;

    fn sent(from: &str, xml: &str) -> Option<u64> {
        let xml = xml.replacen("<message", "<message xmlns='jabber:client'", 1);
        let mut scanner = Scanner::new(Limits::default());
        let frame = scanner.scan(&xml).unwrap();
        let from = FullJid::new(from).unwrap();
        let stanza = Stanza::of_client(&frame, &from).unwrap().unwrap();
        Fingerprints::new(b"key").of(&stanza)
    }

    fn fingerprint(xml: &str) -> Option<u64> {
        sent("romeo@example.org/orchard", xml)
    }

    const ONE: &str =
        "<message to='juliet@example.org' id='1' type='chat'><body>a</body></message>";

    #[test]
    fn copies_from_two_sessions_of_an_account_are_one_message() {
        let copy = ONE.replace("to=", "from='romeo@example.org/else' to=");
        assert!(fingerprint(ONE).is_some());
        assert_eq!(fingerprint(ONE), sent("romeo@example.org/balcony", &copy));
    }

    #[test]
    fn another_account_addressee_type_id_or_payload_is_another_message() {
        let others = [
            ONE.replace("juliet", "nurse"),
            ONE.replace("example.org", "example.org/balcony"),
            ONE.replace("chat", "normal"),
            ONE.replace("'1'", "'2'"),
            ONE.replace("<body>a", "<body>b"),
            ONE.replace("</body>", "</body><delay xmlns='urn:other'/>"),
        ];
        let mut all: Vec<_> = others.iter().map(|xml| fingerprint(xml)).collect();
        all.push(fingerprint(ONE));
        all.push(sent("nurse@example.org/orchard", ONE));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    /// XEP-0198 §5: a client that sends again stamps the time of the first try.
    #[test]
    fn a_delay_stamp_makes_no_other_message() {
        let stamp = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>";
        let last = ONE.replace("</message>", &format!("{stamp}</message>"));
        let first = ONE.replace("<body>", &format!("{stamp}<body>"));
        assert_eq!(fingerprint(ONE), fingerprint(&last));
        assert_eq!(fingerprint(ONE), fingerprint(&first));
    }

    #[test]
    fn a_delay_stamp_inside_something_else_is_payload() {
        let with = |stamp: &str| {
            let inner =
                format!("<x xmlns='urn:x'><delay xmlns='urn:xmpp:delay' stamp='{stamp}'/></x>");
            ONE.replace("</message>", &format!("{inner}</message>"))
        };
        assert_ne!(fingerprint(&with("1")), fingerprint(&with("2")));
    }

    /// XEP-0359 §3.2
    #[test]
    fn an_origin_id_goes_before_the_id() {
        let origin = |id: &str, origin: &str| {
            format!(
                "<message to='juliet@example.org' id='{id}'><body>a</body>\
                 <origin-id xmlns='urn:xmpp:sid:0' id='{origin}'/></message>"
            )
        };
        assert_eq!(
            fingerprint(&origin("1", "o")),
            fingerprint(&origin("2", "o"))
        );
        assert_ne!(
            fingerprint(&origin("1", "o")),
            fingerprint(&origin("1", "p"))
        );
        // An empty one says nothing.
        assert_ne!(fingerprint(&origin("1", "")), fingerprint(&origin("2", "")));
        assert_eq!(fingerprint(&origin("", "")), None);
    }

    #[test]
    fn what_has_no_id_is_never_the_same() {
        assert_eq!(
            fingerprint("<message to='a@b'><body>a</body></message>"),
            None
        );
        assert_eq!(
            fingerprint("<message to='a@b' id=''><body>a</body></message>"),
            None
        );
        assert_eq!(fingerprint("<message to='a@b' id='1' type='error'/>"), None);
    }

    #[test]
    fn no_addressee_is_the_own_account() {
        let own = "<message id='1'><body>a</body></message>";
        let bare = own.replace("id=", "to='romeo@example.org' id=");
        assert_eq!(fingerprint(own), fingerprint(&bare));
    }

    #[test]
    fn a_bracket_in_an_attribute_ends_no_start_tag() {
        assert_eq!(after_start_tag("<a b='>\">' c=\"'>\">x</a>"), "x</a>");
        assert_eq!(after_start_tag("<a"), "");
    }

    #[test]
    fn another_key_makes_other_fingerprints() {
        let xml = ONE.replacen("<message", "<message xmlns='jabber:client' from='a@b/c'", 1);
        let stanza = Stanza::of_server(xml.into()).unwrap();
        let of = |key: &[u8]| Fingerprints::new(key).of(&stanza);
        assert_ne!(of(b"one"), of(b"other"));
        assert_eq!(of(b"one"), of(b"one"));
    }
}
