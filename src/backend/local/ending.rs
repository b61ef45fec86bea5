//! What a session leaves behind (rule 2 of the promise).

use super::state::State;
use super::{Local, carbons};
use crate::backend::BoxFuture;
use crate::sessions::{Ending, Session};
use crate::stanza::{Condition, IqType, Kind, MessageType, Stanza};
use crate::store::OfflineMessage;
use crate::stream::Outbound;
use std::sync::Arc;

impl Local {
    /// Tells the contacts, finds a place for each stanza, and lets the session go.
    pub(super) fn deal_with_ending(&self, ending: Ending) -> BoxFuture<()> {
        let Some(local) = self.arc() else {
            return Box::pin(async {});
        };
        Box::pin(async move {
            let Ending {
                session, leftovers, ..
            } = ending;
            local.leave(&session);
            local.accounts.open(session.account()).forget_rehomed();
            for leftover in leftovers {
                local.redeliver(&session, leftover).await;
            }
            local.sessions.remove(&session);
        })
    }

    /// A stanza that a session did not get, because it is over or takes no more.
    pub(super) async fn redeliver(&self, session: &Arc<Session>, leftover: Outbound) {
        match leftover.kind {
            Kind::Message(MessageType::Chat | MessageType::Normal) => {
                self.redeliver_message(session, leftover).await;
            }
            Kind::Iq(IqType::Get | IqType::Set) => {
                // RFC 6121 §8.5.3.2.3: who asks gets an answer.
                if let Some(request) = Stanza::of_server(leftover.text) {
                    self.bounce(&request, Condition::ServiceUnavailable);
                }
            }
            // Presence is told anew at the next login; nobody waits for a headline, an answer to
            // somebody who is gone, or an error; a room would take a bounce for a departure.
            Kind::Message(_) | Kind::Presence(_) | Kind::Iq(_) => {}
        }
    }

    /// To the other sessions of the account if none of them has it already, else to the store.
    async fn redeliver_message(&self, session: &Arc<Session>, leftover: Outbound) {
        let Some(stanza) = Stanza::of_server(leftover.text.clone()) else {
            return;
        };
        let owner = session.account();
        if stanza.marks.carbon && stanza.from.as_str() == owner.as_str() {
            return; // a copy of what went elsewhere
        }
        let account = self.accounts.open(owner);
        let _gate = account.gate.lock().await;
        let mut others = self.reachable(owner.as_str());
        others.retain(|other| other.id() != session.id());
        let somebody_has_it = others.iter().any(|other| has_it(other, &stanza, &leftover));
        if somebody_has_it || !account.rehome(&leftover) {
            return;
        }
        let message = OfflineMessage {
            stanza: leftover.text.clone(),
            at: leftover.at,
        };
        let text = self.with_stamp(&message, owner);
        let mut taken = false;
        for other in others {
            let late = Outbound {
                text: text.clone(),
                ..leftover.clone()
            };
            taken |= !matches!(
                other.deliver(late),
                crate::sessions::Delivered::Full(_) | crate::sessions::Delivered::Gone(_)
            );
        }
        if !taken {
            self.keep_leftover(owner, &leftover).await;
        }
    }
}

/// Whether a session got the message when it came: as one of those at the bare address, or as a
/// carbon.
fn has_it(session: &Session, stanza: &Stanza, leftover: &Outbound) -> bool {
    let Some(state) = State::of(session) else {
        return false;
    };
    let to_all = stanza.to.as_ref().is_some_and(|to| to.resource().is_none());
    (to_all && state.was_reachable(leftover.at))
        || (carbons::is_eligible(stanza) && state.had_carbons(leftover.at))
}
