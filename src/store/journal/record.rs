//! What the journal says of sessions, and what a store gives back of it.

use crate::auth::Admission;
use crate::stanza::ByteString;
use crate::stanza::address::{BareJid, FullJid};
use std::time::SystemTime;

/// One thing that happened to a session. Each can be carried out twice and has happened once.
///
/// `session` is the number of a session: the bits of its id.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A resource was bound.
    Bound {
        /// Which session.
        session: u128,
        /// Its full address.
        jid: FullJid,
    },
    /// Stream management is on, or stands here.
    Managed {
        /// Which session.
        session: u128,
        /// Where it stands.
        sm: SavedSm,
    },
    /// A stanza is in its mailbox.
    Queued {
        /// Which session.
        session: u128,
        /// The stanza.
        stanza: SavedStanza,
    },
    /// Its client has all stanzas up to this one.
    Arrived {
        /// Which session.
        session: u128,
        /// The number of the last one.
        through: u64,
        /// How many that makes in the count of stream management, modulo 2^32.
        acked: u32,
        /// Whether one of them may have copies elsewhere.
        has_copies: bool,
    },
    /// So many stanzas of its client are handled, modulo 2^32.
    Handled {
        /// Which session.
        session: u128,
        /// How many.
        h: u32,
    },
    /// What else it owns is this.
    State {
        /// Which session.
        session: u128,
        /// The whole of it.
        state: Box<SavedState>,
    },
    /// Its client's last messages have these fingerprints, oldest first.
    Recent {
        /// Which session.
        session: u128,
        /// Of messages that are not taken a second time.
        fingerprints: Vec<u64>,
    },
    /// It is over; what it held is being placed elsewhere.
    Ended {
        /// Which session.
        session: u128,
    },
    /// A stanza of a session that is over, or a stray, has found its place.
    Placed {
        /// Which session.
        session: u128,
        /// Which stanza.
        number: u64,
    },
    /// Nothing of it is needed any more.
    Gone {
        /// Which session.
        session: u128,
    },
    /// Messages that were stored for an account are in a mailbox.
    HandedOver {
        /// Whose.
        account: BareJid,
        /// [`crate::store::StoredMessage::id`] of each.
        ids: Vec<i64>,
    },
}

impl Record {
    /// About how much memory it takes.
    pub(super) fn size_bytes(&self) -> usize {
        let text = match self {
            Self::Queued { stanza, .. } => stanza.text.len(),
            Self::State { state, .. } => {
                state.presence.as_ref().map_or(0, |(_, text, _)| text.len())
            }
            _ => 0,
        };
        size_of::<Self>() + text
    }
}

/// A session that outlived the process.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedSession {
    /// The bits of its id.
    pub id: u128,
    /// Its full address.
    pub jid: FullJid,
    /// `None`: without stream management, so that nobody comes back for it.
    pub sm: Option<SavedSm>,
    /// It was over, and what it held was being placed elsewhere.
    pub ended: bool,
    /// What else it owns.
    pub state: SavedState,
    /// Fingerprints of its client's last messages, oldest first.
    pub recent: Vec<u64>,
    /// What its client has not acknowledged, oldest first.
    pub stanzas: Vec<SavedStanza>,
}

impl SavedSession {
    /// How long it waits for its client to come back; `None`: it cannot be resumed.
    pub fn resume_seconds(&self) -> Option<u64> {
        let sm = self.sm.filter(|_| !self.ended);
        sm.and_then(|sm| sm.resume_seconds)
    }
}

/// Where stream management stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SavedSm {
    /// Stanzas of the client that are handled, modulo 2^32.
    pub handled: u32,
    /// Stanzas that the client has acknowledged, modulo 2^32.
    pub acked: u32,
    /// How long the session may hibernate, in seconds; `None`: it cannot be resumed.
    pub resume_seconds: Option<u64>,
}

/// A stanza on its way to a client.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedStanza {
    /// Its number in the session; later ones have higher numbers.
    pub number: u64,
    /// The element.
    pub text: ByteString,
    /// When this server got or made it.
    pub at: SystemTime,
    /// What it knows of its copies, if it has some.
    pub copies: Option<SavedCopies>,
}

impl Default for SavedStanza {
    fn default() -> Self {
        Self {
            number: 0,
            text: ByteString::new(),
            at: SystemTime::UNIX_EPOCH,
            copies: None,
        }
    }
}

/// What a stanza knows of its copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedCopies {
    /// The same for all copies of one message.
    pub number: u64,
    /// The message, where this copy is only its wrapping.
    pub original: Option<ByteString>,
    /// Whether one of them has arrived.
    pub arrived: bool,
}

/// What a session owns beside its stanzas.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SavedState {
    /// Priority, stanza and time of its presence, if it is available.
    pub presence: Option<(i8, ByteString, SystemTime)>,
    /// Whether it gets carbons (XEP-0280).
    pub carbons: bool,
    /// Whether it asked for the roster.
    pub interested: bool,
    /// Whether its user looks elsewhere (XEP-0352).
    pub inactive: bool,
    /// What the backend wants to know of it again.
    pub notes: String,
    /// What was decided about its client; its end to the second.
    pub admission: Option<Admission>,
}
