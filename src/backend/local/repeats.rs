//! Messages that a client sends again after its session was lost.

use super::Local;
use crate::sessions::Session;
use crate::stanza::Stanza;

impl Local {
    /// Whether a message was handled before and is not to be delivered again. Takes note of it.
    pub(super) fn is_repeat(&self, session: &Session, message: &Stanza) -> bool {
        if !self.sessions.remembers_messages() {
            return false;
        }
        let Some(fingerprint) = self.fingerprints.of(message) else {
            return false;
        };
        let is_repeat = self.sessions.note_message(session, fingerprint);
        if is_repeat {
            tracing::debug!(
                session = %session.id().short(), jid = %session.jid(),
                "a message of a lost session comes again and is not delivered twice"
            );
        }
        is_repeat
    }

    /// A message that was refused has not been handled: its client may try again.
    pub(super) fn forget_refused(&self, session: &Session, message: &Stanza) {
        if let Some(fingerprint) = self.fingerprints.of(message) {
            session.forget_message(fingerprint);
        }
    }

    /// The same for one that was taken and then found no place.
    pub(super) fn forget_bounced(&self, message: &Stanza) {
        if let Some(fingerprint) = self.fingerprints.of(message) {
            let account = message.from.to_bare();
            self.sessions.forget_message(&account, fingerprint);
        }
    }
}
