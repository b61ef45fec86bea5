//! Carbons (XEP-0280): the other clients of a user see the conversation, too.

use super::Local;
use super::delivery::Deliveries;
use super::messages::account_of;
use crate::sessions::Session;
use crate::stanza::{ByteString, Kind, MessageType, Stanza};
use crate::stream::Outbound;
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

impl Local {
    /// Copies for the carbons-enabled clients of both sides that did not get the message itself.
    pub(super) fn send_carbons(
        &self,
        sender: &Arc<Session>,
        stanza: &Stanza,
        recipients: &[Arc<Session>],
        at: SystemTime,
        deliveries: &mut Deliveries,
    ) {
        let has_it = |session: &Session| {
            session.id() == sender.id() || recipients.iter().any(|other| other.id() == session.id())
        };
        let own = sender.account().as_str();
        let mut copy = |account: &str, direction: Direction| {
            for session in self.sessions.of_account(account) {
                if session.carbons() && !has_it(&session) {
                    let text = carbon(&session, stanza, direction);
                    self.push(
                        &session,
                        Outbound {
                            text,
                            kind: stanza.kind,
                            at,
                        },
                        deliveries,
                    );
                }
            }
        };
        copy(own, Direction::Sent);
        if let Some(account) = stanza.to.as_ref().map(account_of)
            && account != own
        {
            copy(account, Direction::Received);
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
