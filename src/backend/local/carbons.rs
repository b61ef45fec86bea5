//! Carbons (XEP-0280): the other clients of a user see the conversation, too.

use super::Local;
use super::delivery::Deliveries;
use crate::sessions::Session;
use crate::stanza::address::account_of;
use crate::stanza::{ByteString, Kind, MessageType, Stanza};
use crate::stream::{Copies, Outbound};
use crate::xml::escape_attribute;
use std::sync::Arc;
use std::time::SystemTime;

/// The namespace of carbons.
pub(super) const NS: &str = "urn:xmpp:carbons:2";

#[derive(Debug, Clone, Copy)]
enum Direction {
    Sent,
    Received,
}

/// Whether a message is copied (XEP-0280 §6.1).
pub(super) fn is_eligible(stanza: &Stanza) -> bool {
    let Kind::Message(kind) = stanza.kind else {
        return false;
    };
    let marks = &stanza.marks;
    if marks.private || marks.no_copy || marks.muc_user || marks.carbon {
        return false;
    }
    match kind {
        MessageType::Chat => true,
        // Errors cannot be told by what they answer; those that carry the original can.
        MessageType::Normal | MessageType::Error => marks.body || marks.receipt,
        MessageType::Groupchat | MessageType::Headline => false,
    }
}

/// Who gets a carbon of one message.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    sent: Vec<Arc<Session>>,
    /// A carbon to one of these may be the only copy that its account gets to see.
    pub(super) received: Vec<Arc<Session>>,
}

impl Local {
    /// The carbons-enabled clients of both sides that do not get the message itself.
    pub(super) fn carbon_watchers(
        &self,
        sender: &Arc<Session>,
        stanza: &Stanza,
        recipients: &[Arc<Session>],
    ) -> Watchers {
        if !is_eligible(stanza) {
            return Watchers::default();
        }
        let has_it = |session: &Session| {
            session.id() == sender.id() || recipients.iter().any(|other| other.id() == session.id())
        };
        let watching = |account: &str| {
            let wants_it = |session: &Session| session.carbons() && !has_it(session);
            self.sessions.of_account_where(account, wants_it)
        };
        let own = sender.account().as_str();
        let other = stanza
            .to
            .as_ref()
            .map(account_of)
            .filter(|account| *account != own);
        Watchers {
            sent: watching(own),
            received: other.map(watching).unwrap_or_default(),
        }
    }

    /// `copies`: what the received ones have in common with the message itself. A sent one is of
    /// what its account knows already.
    pub(super) fn send_carbons(
        &self,
        watchers: &Watchers,
        stanza: &Stanza,
        at: SystemTime,
        copies: &Copies,
        deliveries: &mut Deliveries,
    ) {
        for session in &watchers.sent {
            let text = carbon(session, stanza, Direction::Sent);
            self.push(session, Outbound::new(text, stanza.kind, at), deliveries);
        }
        for session in &watchers.received {
            let text = carbon(session, stanza, Direction::Received);
            let mut outbound = Outbound::new(text, stanza.kind, at);
            outbound.copies = copies.clone();
            self.push(session, outbound, deliveries);
        }
    }
}

/// From the bare address of the user itself: that is how a client knows it from a forged one
/// (XEP-0280 §11).
fn carbon(session: &Session, stanza: &Stanza, direction: Direction) -> ByteString {
    let kind = match stanza.kind {
        Kind::Message(MessageType::Chat) => "chat",
        Kind::Message(MessageType::Error) => "error",
        _ => "normal",
    };
    let direction = match direction {
        Direction::Sent => "sent",
        Direction::Received => "received",
    };
    let from = escape_attribute(session.account().as_str());
    let to = escape_attribute(session.jid().as_str());
    let text = &stanza.text;
    format!(
        "<message xmlns=\"jabber:client\" from=\"{from}\" to=\"{to}\" type=\"{kind}\">\
         <{direction} xmlns=\"{NS}\"><forwarded xmlns=\"urn:xmpp:forward:0\">{text}</forwarded>\
         </{direction}></message>"
    )
    .into()
}
