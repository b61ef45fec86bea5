//! What a store keeps, as values.

use super::journal::{SavedSession, SavedStanza};
use crate::stanza::ByteString;
use crate::stanza::address::BareJid;
use std::time::SystemTime;

/// Why the store did not do what it was asked. Never the fault of a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database was written by a later version of this program.
    #[error(
        "the database has schema {found} of {schema}, and this version knows {known}: it was written by a later stanzad"
    )]
    TooNew {
        /// Which part of the database.
        schema: &'static str,
        /// The number that was found.
        found: u32,
        /// The highest number that is known here.
        known: u32,
    },
    /// The file, the disk or the database.
    #[error("database: {0}")]
    Database(String),
    /// What is in the database is not what was put there.
    #[error("the database holds {0} that cannot be")]
    Corrupt(&'static str),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// Who sees whose presence, from the view of the one whose roster it is (RFC 6121 §2.1.2.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// Neither.
    #[default]
    None,
    /// The owner sees the contact.
    To,
    /// The contact sees the owner.
    From,
    /// Both.
    Both,
}

impl Subscription {
    /// The one with these two halves.
    pub fn of(to: bool, from: bool) -> Self {
        match (to, from) {
            (false, false) => Self::None,
            (true, false) => Self::To,
            (false, true) => Self::From,
            (true, true) => Self::Both,
        }
    }

    /// Whether the owner sees the contact.
    pub fn to(self) -> bool {
        matches!(self, Self::To | Self::Both)
    }

    /// Whether the contact sees the owner.
    pub fn from(self) -> bool {
        matches!(self, Self::From | Self::Both)
    }

    /// The value of the `subscription` attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::To => "to",
            Self::From => "from",
            Self::Both => "both",
        }
    }

    /// The one that [`Subscription::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::To, Self::From, Self::Both]
            .into_iter()
            .find(|one| one.as_str() == text)
    }
}

/// One contact in a roster (RFC 6121 §2.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterItem {
    /// The contact.
    pub jid: BareJid,
    /// The name that the owner gave it.
    pub name: Option<String>,
    /// The groups that the owner put it in; no group twice.
    pub groups: Vec<String>,
    /// Who sees whom.
    pub subscription: Subscription,
    /// The owner asked and got no answer (`ask='subscribe'`).
    pub ask: bool,
    /// The owner approved a request that may come (§3.4).
    pub approved: bool,
}

impl RosterItem {
    /// A contact that nobody has a subscription with.
    pub fn new(jid: BareJid) -> Self {
        Self {
            jid,
            name: None,
            groups: Vec::new(),
            subscription: Subscription::None,
            ask: false,
            approved: false,
        }
    }
}

/// A request for a subscription that the owner of the roster has not answered (§3.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRequest {
    /// Who asks.
    pub from: BareJid,
    /// The whole presence of type subscribe, as it is delivered.
    pub stanza: ByteString,
}

/// A roster as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredRoster {
    /// Names this state of the items (§2.6); no two states of one account, nor of two accounts
    /// that had the same name one after the other, share it.
    pub version: String,
    /// In no order.
    pub items: Vec<RosterItem>,
    /// Oldest first.
    pub pending: Vec<PendingRequest>,
}

/// Changes of one roster that are made together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RosterChange {
    /// Items that are new or different.
    pub put: Vec<RosterItem>,
    /// Contacts that go.
    pub remove: Vec<BareJid>,
    /// Requests that came.
    pub ask: Vec<PendingRequest>,
    /// Requests that were answered or taken back.
    pub settle: Vec<BareJid>,
}

impl RosterChange {
    /// Whether the items change, and with them the version.
    pub fn touches_items(&self) -> bool {
        !self.put.is_empty() || !self.remove.is_empty()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        !self.touches_items() && self.ask.is_empty() && self.settle.is_empty()
    }
}

/// A message for somebody who is not there (XEP-0160).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfflineMessage {
    /// The message, as it would have been delivered.
    pub stanza: ByteString,
    /// When it was sent; kept to the microsecond.
    pub at: SystemTime,
}

/// What became of a message that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept. Also said of a message that is kept already: the same text, sent at the same
    /// microsecond, comes from another session of the account that got it, too.
    Kept,
    /// As many as there may be are kept.
    Full,
    /// There is no such account.
    NoAccount,
}

/// A message that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Names it in this store.
    pub id: i64,
    /// The message and when it was sent.
    pub message: OfflineMessage,
}

/// What outlived the last process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SavedSessions {
    /// In no order.
    pub sessions: Vec<SavedSession>,
    /// Stanzas that somebody was promised and that have no place, oldest first.
    pub strays: Vec<SavedStanza>,
    /// Above every number in them.
    pub next_number: u64,
}
