//! Presence (RFC 6121 §4).

use super::Local;
use super::delivery::Deliveries;
use super::messages::account_of;
use super::routing::Place;
use super::state::State;
use crate::backend::Routed;
use crate::sessions::{Presence, Session};
use crate::stanza::address::{BareJid, Jid};
use crate::stanza::{ByteString, CLIENT_NS, Condition, Kind, PresenceType, Stanza, stamped};
use crate::stream::Outbound;
use crate::xml::{Limits, Scanner, escape_attribute};
use std::sync::Arc;
use std::time::SystemTime;

impl Local {
    pub(super) fn route_presence(
        &self,
        session: &Arc<Session>,
        stanza: Stanza,
        kind: PresenceType,
    ) -> Routed {
        match (kind, &stanza.to) {
            (PresenceType::Available, None) => self.become_available(session, stanza),
            (PresenceType::Unavailable, None) => self.become_unavailable(session, &stanza.text),
            (PresenceType::Available | PresenceType::Unavailable, Some(_)) => {
                self.direct(session, stanza, kind)
            }
            (PresenceType::Probe, Some(to)) => self.answer_probe(session, to),
            (PresenceType::Probe | PresenceType::Error, None) => Routed::Done,
            (PresenceType::Error, Some(to)) => match self.sessions.at(to) {
                Some(recipient) => self.answer(&recipient, stanza.text.clone(), stanza.kind),
                None => Routed::Done,
            },
            _ => self.route_subscription(session, stanza, kind),
        }
    }

    /// Initial presence (§4.2) or an update (§4.4).
    fn become_available(&self, session: &Arc<Session>, stanza: Stanza) -> Routed {
        let priority = priority(&stanza.text);
        let former = session.priority();
        if priority < 0 || former.is_some_and(|former| former >= 0) {
            return self.routed(self.set_available(session, stanza.text, priority));
        }
        // From now on messages to the bare address reach it; first come those that are stored.
        let session = session.clone();
        self.later(async move |local| {
            let Some(state) = State::of(&session) else {
                return None;
            };
            let gate = local.begin_draining(state).await;
            let deliveries = local.set_available(&session, stanza.text, priority);
            if let Some(gate) = gate {
                local.drain(session.clone(), state.account.clone(), gate);
            }
            local.settled(deliveries).await
        })
    }

    fn set_available(&self, session: &Arc<Session>, text: ByteString, priority: i8) -> Deliveries {
        let mut told = Deliveries::default();
        let Some(state) = State::of(session) else {
            return told;
        };
        state.set_reachable(priority >= 0);
        let presence = Presence {
            priority,
            text: text.clone(),
            at: SystemTime::now(),
        };
        let former = session.set_presence(Some(presence));
        if !session.is_open() {
            // It ended meanwhile, and its contacts have been told.
            session.set_presence(None);
            return told;
        }
        self.broadcast(session, state, &text, PresenceType::Available, &mut told);
        if former.is_none() {
            self.tell_who_is_here(session, state, &mut told);
            self.tell_who_asks(session, state, &mut told);
        }
        told
    }

    /// To the contacts that may see it and to all resources of the user, itself included (§4.2.2).
    fn broadcast(
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
            Outbound {
                text: text.clone(),
                kind,
                at: SystemTime::now(),
            },
            told,
        );
    }

    /// What probes would bring (§4.3): the presence of the contacts that let themselves be seen,
    /// and of the other resources of the user.
    fn tell_who_is_here(&self, session: &Arc<Session>, state: &State, told: &mut Deliveries) {
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
    fn tell_presence_of(&self, session: &Arc<Session>, contact: &str, told: &mut Deliveries) {
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

    fn answer_probe(&self, session: &Arc<Session>, to: &Jid) -> Routed {
        let account = account_of(to);
        let mut told = Deliveries::default();
        if account != session.account().as_str() {
            self.tell_presence_of(session, account, &mut told);
        }
        self.routed(told)
    }

    /// Requests that the user has not answered come again at each login (§3.1.3).
    fn tell_who_asks(&self, session: &Arc<Session>, state: &State, told: &mut Deliveries) {
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

    /// The client says that it is going (§4.5); `text` may hold a last word.
    fn become_unavailable(&self, session: &Arc<Session>, text: &ByteString) -> Routed {
        let was_available = session.priority().is_some();
        let mut told = self.set_unavailable(session, text);
        if was_available {
            // §4.5.2: the resource that goes hears of it, too.
            let text = with_to(text, session.account().as_str());
            self.tell(session, &text, PresenceType::Unavailable, &mut told);
        }
        self.routed(told)
    }

    /// The session is over: whoever saw it come sees it go.
    pub(super) fn leave(&self, session: &Arc<Session>) {
        self.set_unavailable(session, &unavailable(session));
    }

    /// Tells everybody who knows that the session was available, once.
    fn set_unavailable(&self, session: &Arc<Session>, text: &ByteString) -> Deliveries {
        let mut told = Deliveries::default();
        let Some(state) = State::of(session) else {
            return told;
        };
        state.set_reachable(false);
        let broadcast_before = session.set_presence(None).is_some();
        if broadcast_before {
            self.broadcast(session, state, text, PresenceType::Unavailable, &mut told);
        }
        for to in state.take_directed() {
            // §4.6.3: not twice to those who got the broadcast.
            let knows = broadcast_before && self.gets_broadcasts(session, state, &to);
            if !knows {
                self.tell_directed(session, &to, text, &mut told);
            }
        }
        told
    }

    fn gets_broadcasts(&self, session: &Session, state: &State, to: &Jid) -> bool {
        let bare = to.to_bare();
        bare == *session.account() || state.is_visible_to(&bare)
    }

    /// The end of directed presence to somebody, in a text that has no `to` yet.
    fn tell_directed(
        &self,
        session: &Arc<Session>,
        to: &Jid,
        text: &ByteString,
        told: &mut Deliveries,
    ) {
        let text = with_to(text, to.as_str());
        if let Place::Service(service) = self.place(session, Some(to)) {
            if let Some(stanza) = Stanza::of_server(text) {
                self.hand_to_service(service, session, stanza);
            }
            return;
        }
        self.pass_on(to, &text, PresenceType::Unavailable, told);
    }

    /// Directed presence (§4.6).
    fn direct(&self, session: &Arc<Session>, stanza: Stanza, kind: PresenceType) -> Routed {
        let (Some(state), Some(to)) = (State::of(session), &stanza.to) else {
            return Routed::Done;
        };
        if let Place::Elsewhere = self.place(session, Some(to)) {
            return match kind {
                PresenceType::Unavailable => Routed::Done,
                _ => self.refuse(session, &stanza, Condition::RemoteServerNotFound),
            };
        }
        if !self.note_directed(state, to, kind) {
            return self.refuse(session, &stanza, Condition::ResourceConstraint);
        }
        let mut told = Deliveries::default();
        self.pass_on(to, &stanza.text, kind, &mut told);
        self.routed(told)
    }

    /// Remembers whom directed presence went to. Returns `false` if there is no room.
    pub(super) fn note_directed(&self, state: &State, to: &Jid, kind: PresenceType) -> bool {
        match kind {
            PresenceType::Available => return state.remember_directed(to),
            PresenceType::Unavailable => state.forget_directed(to),
            _ => {}
        }
        true
    }

    /// To the resource, or to all available ones of an account; to nobody if there are none
    /// (§8.5.2.1.2, §8.5.3).
    fn pass_on(&self, to: &Jid, text: &ByteString, kind: PresenceType, told: &mut Deliveries) {
        if to.resource().is_some() {
            if let Some(recipient) = self.sessions.at(to) {
                self.tell(&recipient, text, kind, told);
            }
            return;
        }
        for recipient in self.sessions.of_account(to.as_str()) {
            if recipient.priority().is_some() {
                self.tell(&recipient, text, kind, told);
            }
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

/// `<priority/>`; 0 if there is none or it is no number (§4.7.2.3). What is beyond the range is
/// taken for its end.
fn priority(text: &str) -> i8 {
    let mut scanner = Scanner::new(Limits::default());
    let Ok(frame) = scanner.scan(text) else {
        return 0;
    };
    let Some(priority) = frame.child("priority", CLIENT_NS) else {
        return 0;
    };
    let Ok(priority) = priority.content().trim().parse::<i64>() else {
        return 0;
    };
    priority.clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

/// What a session would say that has no last word.
fn unavailable(session: &Session) -> ByteString {
    let from = escape_attribute(session.jid().as_str());
    format!("<presence xmlns=\"{CLIENT_NS}\" from=\"{from}\" type=\"unavailable\"/>").into()
}

/// The presence with its addressee. Every text here begins as this server writes stanzas, and has
/// no `to` yet.
fn with_to(text: &ByteString, to: &str) -> ByteString {
    const NAME: &str = "<presence";
    let rest = text.strip_prefix(NAME).unwrap_or(text);
    let to = escape_attribute(to);
    let mut addressed = String::with_capacity(text.len() + to.len() + 6);
    for part in [NAME, " to=\"", &to, "\"", rest] {
        addressed.push_str(part);
    }
    addressed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_out_of_range_is_taken_for_the_end_of_it() {
        let with = |priority: &str| {
            super::priority(&format!(
                "<presence xmlns=\"jabber:client\"><priority>{priority}</priority></presence>"
            ))
        };
        assert_eq!(with("5"), 5);
        assert_eq!(with(" -1 "), -1);
        assert_eq!(with("128"), 127);
        assert_eq!(with("-99999"), -128);
        assert_eq!(with("high"), 0);
        assert_eq!(with(""), 0);
        assert_eq!(super::priority("<presence xmlns=\"jabber:client\"/>"), 0);
    }
}
