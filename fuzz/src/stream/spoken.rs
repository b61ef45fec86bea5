//! What a frame is to a bound stream, read without asking the stream.

use stanzad::xml::{Frame, Scanner};

const CLIENT_NS: &str = "jabber:client";
const SM_NS: &str = "urn:xmpp:sm:3";

#[derive(Debug)]
pub enum Spoken {
    /// A stanza, which counts.
    Stanza,
    /// `<a/>`, and its count if it has one.
    Answer(Option<u32>),
    AckRequest,
    Enable {
        resume: bool,
    },
    Resume {
        h: Option<u32>,
    },
    /// Nothing that counts.
    Other,
}

impl Spoken {
    pub fn read(text: &str, limit_bytes: usize) -> Self {
        let mut scanner = Scanner::default();
        match scanner.scan(text) {
            Ok(frame) if text.len() <= limit_bytes => Self::of(&frame),
            _ => Self::Other,
        }
    }

    fn of(frame: &Frame<'_, '_>) -> Self {
        let count = || {
            let h = frame.attribute("h")?;
            let is_number = h.bytes().all(|byte| byte.is_ascii_digit());
            h.parse().ok().filter(|_| is_number)
        };
        match (&*frame.namespace(), frame.name()) {
            (CLIENT_NS, "message" | "presence" | "iq") if frame.prefix().is_empty() => Self::Stanza,
            (SM_NS, "a") => Self::Answer(count()),
            (SM_NS, "r") => Self::AckRequest,
            (SM_NS, "enable") => Self::Enable {
                resume: matches!(frame.attribute("resume").as_deref(), Some("true" | "1")),
            },
            (SM_NS, "resume") => Self::Resume { h: count() },
            _ => Self::Other,
        }
    }
}
