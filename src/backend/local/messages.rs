//! Messages (RFC 6121 §8.5).

use super::Local;
use super::delivery::Deliveries;
use super::routing::Place;
use super::state::State;
use crate::backend::Routed;
use crate::sessions::Session;
use crate::stanza::address::{Jid, account_of};
use crate::stanza::{Condition, MessageType, Stanza};
use crate::stream::{Copies, Outbound};
use std::sync::Arc;
use std::time::SystemTime;

impl Local {
    pub(super) fn route_message(
        &self,
        session: &Arc<Session>,
        stanza: Stanza,
        kind: MessageType,
    ) -> Routed {
        match self.place(session, stanza.to.as_ref()) {
            Place::Own => {
                // RFC 6120 §10.3.1: as if it were addressed to the bare address of the sender.
                let own = Jid::from(session.account().clone());
                self.message_to_account(session, stanza.addressed_to(&own), kind)
            }
            Place::Account => self.message_to_account(session, stanza, kind),
            Place::Resource(to) => match self.sessions.at(to) {
                Some(recipient) => self.message_to_sessions(session, &stanza, &[recipient]),
                None => self.message_to_no_resource(session, stanza, kind),
            },
            Place::Elsewhere => self.refuse(session, &stanza, Condition::RemoteServerNotFound),
            Place::Domain | Place::DomainResource | Place::Service(_) => match kind {
                MessageType::Headline | MessageType::Error => Routed::Done,
                _ => self.refuse(session, &stanza, Condition::ServiceUnavailable),
            },
        }
    }

    /// RFC 6121 §8.5.2: the bare address of an account.
    fn message_to_account(
        &self,
        session: &Arc<Session>,
        stanza: Stanza,
        kind: MessageType,
    ) -> Routed {
        match kind {
            MessageType::Error => return Routed::Done,
            MessageType::Groupchat => {
                return self.refuse(session, &stanza, Condition::ServiceUnavailable);
            }
            MessageType::Chat | MessageType::Normal | MessageType::Headline => {}
        }
        let Some(to) = &stanza.to else {
            return Routed::Done;
        };
        let recipients = self.reachable(account_of(to));
        if recipients.iter().any(|recipient| is_draining(recipient)) {
            return self.message_while_draining(session, stanza, &recipients);
        }
        if !recipients.is_empty() {
            return self.message_to_sessions(session, &stanza, &recipients);
        }
        if kind == MessageType::Headline {
            return Routed::Done; // §8.5.2.2.1
        }
        self.message_to_nobody(session, stanza)
    }

    /// RFC 6121 §8.5.3.2.1: a full address that no resource has.
    fn message_to_no_resource(
        &self,
        session: &Arc<Session>,
        stanza: Stanza,
        kind: MessageType,
    ) -> Routed {
        match kind {
            MessageType::Chat => self.message_to_account(session, stanza, kind),
            MessageType::Normal | MessageType::Groupchat => {
                self.refuse(session, &stanza, Condition::ServiceUnavailable)
            }
            MessageType::Headline | MessageType::Error => Routed::Done,
        }
    }

    /// The same bytes to each of these sessions of one account, and carbons to others.
    pub(super) fn message_to_sessions(
        &self,
        session: &Arc<Session>,
        stanza: &Stanza,
        recipients: &[Arc<Session>],
    ) -> Routed {
        let mut deliveries = Deliveries::default();
        let at = crate::clock::time_of_day();
        self.deliver_message(session, stanza, recipients, at, &mut deliveries);
        self.routed(deliveries)
    }

    pub(super) fn deliver_message(
        &self,
        session: &Arc<Session>,
        stanza: &Stanza,
        recipients: &[Arc<Session>],
        at: SystemTime,
        deliveries: &mut Deliveries,
    ) {
        let watchers = self.carbon_watchers(session, stanza, recipients);
        let copies = Copies::of(&stanza.text, recipients.len() + watchers.received.len());
        for recipient in recipients {
            let mut outbound = Outbound::new(stanza.text.clone(), stanza.kind, at);
            outbound.copies = copies.clone();
            self.push(recipient, outbound, deliveries);
        }
        self.send_carbons(&watchers, stanza, at, &copies, deliveries);
    }

    /// The sessions that messages to the bare address go to: all that are available with a
    /// priority that is not negative (RFC 6121 §8.5.2.1.1 allows all or the best; with all, a
    /// user who sits at two clients without carbons sees the message at both).
    pub(super) fn reachable(&self, account: &str) -> Vec<Arc<Session>> {
        let is_reachable =
            |session: &Session| session.priority().is_some_and(|priority| priority >= 0);
        self.sessions.of_account_where(account, is_reachable)
    }
}

fn is_draining(session: &Session) -> bool {
    State::of(session).is_some_and(|state| state.account.is_draining())
}
