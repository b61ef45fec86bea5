//! The states of a subscription and how they change (RFC 6121 §3 and appendix A).
//!
//! Nothing but the rules: who carries them out is [`super::subscribing`].

use crate::stanza::PresenceType;
use crate::store::{RosterItem, Subscription};

/// How the owner of a roster and a contact stand, seen from the owner.
///
/// The nine states of appendix A.1 and, beside them, pre-approval (§3.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The owner sees the contact.
    pub(super) to: bool,
    /// The contact sees the owner.
    pub(super) from: bool,
    /// The owner asked and waits for an answer.
    pub(super) pending_out: bool,
    /// The contact asked and waits for an answer.
    pub(super) pending_in: bool,
    /// A request of the contact will be granted without asking the owner.
    pub(super) approved: bool,
}

/// The four stanzas that change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
}

/// What a stanza brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) standing: Standing,
    /// Outbound: it goes on to the contact. Inbound: the owner gets to see it.
    pub(super) passes: bool,
    /// The server answers for the owner.
    pub(super) grants: bool,
}

impl Standing {
    pub(super) fn of(item: Option<&RosterItem>, pending_in: bool) -> Self {
        let subscription = item.map(|item| item.subscription).unwrap_or_default();
        Self {
            to: subscription.to(),
            from: subscription.from(),
            pending_out: item.is_some_and(|item| item.ask),
            pending_in,
            approved: item.is_some_and(|item| item.approved),
        }
    }

    /// Writes it into an item; the request of the contact is kept elsewhere.
    pub(super) fn put_into(self, item: &mut RosterItem) {
        item.subscription = Subscription::of(self.to, self.from);
        item.ask = self.pending_out;
        item.approved = self.approved;
    }

    /// Whether it can stand without an item in the roster.
    pub(super) fn needs_no_item(self) -> bool {
        !(self.to || self.from || self.pending_out || self.approved)
    }

    /// The owner sends a stanza to the contact (appendix A.2).
    pub(super) fn outbound(self, sent: Move) -> Outcome {
        let before = self;
        let mut standing = self;
        let passes = match sent {
            Move::Subscribe => {
                standing.pending_out |= !before.to;
                true
            }
            Move::Unsubscribe => {
                (standing.to, standing.pending_out) = (false, false);
                true
            }
            Move::Subscribed => {
                standing.from |= before.pending_in;
                standing.pending_in = false;
                // §3.4.2: nobody has asked yet.
                standing.approved |= !before.pending_in && !before.from;
                before.pending_in
            }
            Move::Unsubscribed => {
                (standing.from, standing.pending_in, standing.approved) = (false, false, false);
                before.from || before.pending_in
            }
        };
        Outcome {
            standing,
            passes,
            grants: false,
        }
    }

    /// The contact sends a stanza to the owner (appendix A.3).
    pub(super) fn inbound(self, got: Move) -> Outcome {
        let before = self;
        let mut standing = self;
        let mut grants = false;
        let passes = match got {
            Move::Subscribe => {
                // §3.1.3, §3.4.2: granted before, or beforehand.
                grants = before.from || before.approved;
                standing.from |= before.approved;
                standing.pending_in = !grants;
                !grants && !before.pending_in
            }
            Move::Unsubscribe => {
                (standing.from, standing.pending_in) = (false, false);
                before.from || before.pending_in
            }
            Move::Subscribed => {
                standing.to |= before.pending_out;
                standing.pending_out = false;
                before.pending_out
            }
            Move::Unsubscribed => {
                (standing.to, standing.pending_out) = (false, false);
                before.to || before.pending_out
            }
        };
        Outcome {
            standing,
            passes,
            grants,
        }
    }
}

impl Move {
    pub(super) fn of(kind: PresenceType) -> Option<Self> {
        match kind {
            PresenceType::Subscribe => Some(Self::Subscribe),
            PresenceType::Subscribed => Some(Self::Subscribed),
            PresenceType::Unsubscribe => Some(Self::Unsubscribe),
            PresenceType::Unsubscribed => Some(Self::Unsubscribed),
            _ => None,
        }
    }

    pub(super) fn kind(self) -> PresenceType {
        match self {
            Self::Subscribe => PresenceType::Subscribe,
            Self::Subscribed => PresenceType::Subscribed,
            Self::Unsubscribe => PresenceType::Unsubscribe,
            Self::Unsubscribed => PresenceType::Unsubscribed,
        }
    }

    /// The value of the `type` attribute.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}
