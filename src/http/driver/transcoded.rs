//! A stream with a client that speaks otherwise than in XML.

use super::{Driver, record_sent};
use crate::stream::Outbound;
use std::borrow::Cow;
use std::time::Instant;

impl Driver {
    /// A frame that means something only to the transcoder.
    #[cold]
    pub(super) fn on_foreign_frame(&mut self, now: Instant, frame: &str) {
        let Some(transcoding) = self.transcoding.clone() else {
            return;
        };
        match transcoding.inbound(&self.connection, frame) {
            Ok(Some(text)) => self.on_xml(now, &text, frame.len()),
            Ok(None) => {
                // It was sent all the same, and has its price.
                self.pace.on_frame(now, frame.len());
                if let Some(bound) = self.pace.after_frame(now, frame.len()) {
                    self.log_excess("slowed", bound);
                }
            }
            Err(fault) => self.on_fault(now, fault),
        }
    }

    /// How something that is no stanza of the mailbox is said to the client; `None`: not at all.
    pub fn in_its_words<'e>(&mut self, now: Instant, element: &'e str) -> Option<Cow<'e, str>> {
        let Some(transcoding) = &self.transcoding else {
            return Some(Cow::Borrowed(element));
        };
        match transcoding.outbound(&self.connection, element) {
            Ok(said) => said,
            Err(fault) => {
                self.on_fault(now, fault); // nothing, if these were the last words
                None
            }
        }
    }

    /// Writes a stanza as it goes to the client, before it is counted. Returns whether it does.
    #[cold]
    pub(super) fn transcode(&mut self, now: Instant, stanza: &mut Outbound) -> bool {
        let (Some(transcoding), Some(session)) = (&self.transcoding, &self.session) else {
            return true;
        };
        let text = self.stream.text_of(stanza);
        match transcoding.stanza(&self.connection, &text) {
            Ok(Some(wire)) => {
                session.set_wire(stanza, wire);
                return true;
            }
            Ok(None) => {
                match self.stream.is_managed() {
                    true => session.record_passed_over(stanza.number),
                    false => record_sent(session, stanza.number, stanza.copies.are_some()),
                }
                self.stream.pass_over(stanza);
            }
            Err(fault) => {
                session.put_back(stanza.clone()); // the first of what the session leaves behind
                self.on_fault(now, fault);
            }
        }
        false
    }
}
