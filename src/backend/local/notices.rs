//! Who hears of whom: broadcasts, and what probes would bring (RFC 6121 §4.2 to §4.4).

use super::Local;
use super::delivery::Deliveries;
use super::state::State;
use crate::sessions::Session;
use crate::stanza::address::BareJid;
use crate::stanza::{ByteString, CLIENT_NS, Kind, PresenceType, stamped};
use crate::stream::Outbound;
use crate::xml::escape_attribute;
use std::sync::Arc;

impl Local {
    /// To the contacts that may see it and to all resources of the user, itself included (§4.2.2).
    pub(super) fn broadcast(
        &self,
        session: &Session,
        state: &State,
        text: &ByteString,
        kind: PresenceType,
        told: &mut Deliveries,
    ) {
        let subscribers = state.account.with_roster(|roster| {
            let items = roster.items.values();
            items
                .filter(|item| item.subscription.from())
                .map(|item| item.jid.clone())
                .collect()
        });
        let subscribers: Vec<BareJid> = subscribers;
        for account in subscribers.iter().chain([session.account()]) {
            self.tell_account(account, text, kind, told);
        }
    }

    /// To all available resources of an account.
    fn tell_account(
        &self,
        account: &BareJid,
        text: &ByteString,
        kind: PresenceType,
        told: &mut Deliveries,
    ) {
        let sessions = self.sessions.of_account(account.as_str());
        let mut addressed = None;
        for session in sessions
            .iter()
            .filter(|session| session.priority().is_some())
        {
            let text = addressed.get_or_insert_with(|| with_to(text, account.as_str()));
            self.tell(session, text, kind, told);
        }
    }

    pub(super) fn tell(
        &self,
        session: &Arc<Session>,
        text: &ByteString,
        kind: PresenceType,
        told: &mut Deliveries,
    ) {
        let kind = Kind::Presence(kind);
        self.push(
            session,
            Outbound::new(text.clone(), kind, crate::clock::time_of_day()),
            told,
        );
    }

    /// What probes would bring (§4.3): the presence of the contacts that let themselves be seen,
    /// and of the other resources of the user.
    pub(super) fn tell_who_is_here(
        &self,
        session: &Arc<Session>,
        state: &State,
        told: &mut Deliveries,
    ) {
        let contacts: Vec<BareJid> = state.account.with_roster(|roster| {
            let items = roster.items.values();
            items
                .filter(|item| item.subscription.to())
                .map(|item| item.jid.clone())
                .collect()
        });
        for contact in contacts {
            self.tell_presence_of(session, contact.as_str(), told);
        }
        for other in self.sessions.of_account(session.account().as_str()) {
            if other.id() != session.id() {
                self.tell_presence(session, &other, told);
            }
        }
    }

    /// The presence of an account, as far as its roster lets the user see it (§4.3.2). Of
    /// strangers, the absent and the non-existing, nothing at all: they look alike.
    pub(super) fn tell_presence_of(
        &self,
        session: &Arc<Session>,
        contact: &str,
        told: &mut Deliveries,
    ) {
        for other in self.sessions.of_account(contact) {
            let visible =
                State::of(&other).is_some_and(|state| state.is_visible_to(session.account()));
            if visible {
                self.tell_presence(session, &other, told);
            }
        }
    }

    fn tell_presence(&self, session: &Arc<Session>, of: &Session, told: &mut Deliveries) {
        if let Some(presence) = of.presence() {
            let text = with_to(&presence.text, session.jid().as_str());
            let text = stamped(&text, of.jid().domain().as_str(), presence.at);
            self.tell(session, &text, PresenceType::Available, told);
        }
    }

    /// Requests that the user has not answered come again at each login (§3.1.3).
    pub(super) fn tell_who_asks(
        &self,
        session: &Arc<Session>,
        state: &State,
        told: &mut Deliveries,
    ) {
        let requests: Vec<ByteString> = state.account.with_roster(|roster| {
            roster
                .pending
                .iter()
                .map(|request| request.stanza.clone())
                .collect()
        });
        for request in requests {
            self.tell(session, &request, PresenceType::Subscribe, told);
        }
    }

    /// The presence of all available resources of `account`, to all available ones of `to`, after
    /// a subscription was granted (§3.1.5).
    pub(super) fn reveal(&self, account: &BareJid, to: &BareJid, told: &mut Deliveries) {
        for session in self.sessions.of_account(account.as_str()) {
            if let Some(presence) = session.presence() {
                self.tell_account(to, &presence.text, PresenceType::Available, told);
            }
        }
    }

    /// The end of what [`Local::reveal`] began, after a subscription was taken back (§3.2.2).
    pub(super) fn conceal(&self, account: &BareJid, from: &BareJid, told: &mut Deliveries) {
        for session in self.sessions.of_account(account.as_str()) {
            if session.priority().is_some() {
                let text = unavailable(&session);
                self.tell_account(from, &text, PresenceType::Unavailable, told);
            }
        }
    }
}

/// What a session would say that has no last word.
pub(super) fn unavailable(session: &Session) -> ByteString {
    let from = escape_attribute(session.jid().as_str());
    format!("<presence xmlns=\"{CLIENT_NS}\" from=\"{from}\" type=\"unavailable\"/>").into()
}

/// The presence with its addressee. Every text here begins as this server writes stanzas, and has
/// no `to` yet.
pub(super) fn with_to(text: &ByteString, to: &str) -> ByteString {
    const NAME: &str = "<presence";
    let rest = text.strip_prefix(NAME).unwrap_or(text);
    let to = escape_attribute(to);
    let mut addressed = String::with_capacity(text.len() + to.len() + 6);
    for part in [NAME, " to=\"", &to, "\"", rest] {
        addressed.push_str(part);
    }
    addressed.into()
}
