//! Presence (RFC 6121 §4).

use super::Local;
use super::delivery::Deliveries;
use super::notices::{unavailable, with_to};
use super::routing::Place;
use super::sasl;
use super::state::State;
use crate::backend::Routed;
use crate::sessions::{Presence, Session};
use crate::stanza::address::{Jid, account_of};
use crate::stanza::{ByteString, CLIENT_NS, Condition, PresenceType, Stanza};
use crate::xml::{Limits, Scanner};
use std::sync::Arc;

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
        let keeps_nothing = sasl::is_temporary(session.account());
        if priority < 0 || former.is_some_and(|former| former >= 0) || keeps_nothing {
            return self.routed(self.set_available(session, stanza.text, priority));
        }
        // From now on messages to the bare address reach it; first come those that are stored.
        let session = session.clone();
        self.later(async move |local| {
            let state = State::of(&session)?;
            let gate = state.account.gate.clone().lock_owned().await;
            let draining = state.account.begin_draining();
            let deliveries = local.set_available(&session, stanza.text, priority);
            match draining {
                Some(draining) => local.drain(draining, gate),
                None => drop(gate),
            }
            local.settled(deliveries).await
        })
    }

    fn set_available(&self, session: &Arc<Session>, text: ByteString, priority: i8) -> Deliveries {
        let mut told = Deliveries::default();
        let Some(state) = State::of(session) else {
            return told;
        };
        let presence = Presence {
            priority,
            text: text.clone(),
            at: crate::clock::time_of_day(),
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

    fn answer_probe(&self, session: &Arc<Session>, to: &Jid) -> Routed {
        let account = account_of(to);
        let mut told = Deliveries::default();
        if account != session.account().as_str() {
            self.tell_presence_of(session, account, &mut told);
        }
        self.routed(told)
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
        let broadcast_before = session.set_presence(None).is_some();
        if broadcast_before {
            self.broadcast(session, state, text, PresenceType::Unavailable, &mut told);
        }
        for to in state.take_directed(session) {
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
        if !note_directed(session, state, to, kind) {
            return self.refuse(session, &stanza, Condition::ResourceConstraint);
        }
        let mut told = Deliveries::default();
        self.pass_on(to, &stanza.text, kind, &mut told);
        self.routed(told)
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
}

/// Remembers whom directed presence went to. Returns `false` if there is no room.
pub(super) fn note_directed(
    session: &Session,
    state: &State,
    to: &Jid,
    kind: PresenceType,
) -> bool {
    match kind {
        PresenceType::Available => return state.remember_directed(session, to),
        PresenceType::Unavailable => state.forget_directed(session, to),
        _ => {}
    }
    true
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

#[cfg(test)]
mod tests {
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
