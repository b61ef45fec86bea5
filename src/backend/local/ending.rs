//! What a session leaves behind (rule 2 of the promise).

use super::Local;
use crate::backend::BoxFuture;
use crate::sessions::{Delivered, Ending, Session};
use crate::stanza::{Condition, IqType, Kind, MessageType, Stanza};
use crate::store::OfflineMessage;
use crate::stream::{Copies, Outbound};
use std::sync::Arc;

impl Local {
    /// Tells the contacts, finds a place for each stanza, and lets the session go.
    pub(super) fn deal_with_ending(&self, ending: Ending) -> BoxFuture<()> {
        let Some(local) = self.arc() else {
            return Box::pin(async {});
        };
        let work = local.unfinished.begin();
        Box::pin(async move {
            let _work = work;
            let Ending {
                session, leftovers, ..
            } = ending;
            local.leave(&session);
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

    /// To the other sessions of the account, unless one of them has its own copy; else to the store.
    async fn redeliver_message(&self, session: &Arc<Session>, leftover: Outbound) {
        let Outbound {
            text,
            kind,
            at,
            copies,
        } = leftover;
        let owner = session.account();
        let account = self.accounts.open(owner);
        let _gate = account.gate.lock().await;
        let Some(text) = copies.give_up(&text) else {
            return; // another session has it, or will give it up in its turn
        };
        let Some(stanza) = Stanza::of_server(text.clone()) else {
            return;
        };
        if stanza.marks.carbon && stanza.from.as_str() == owner.as_str() {
            return; // of what this account said itself
        }
        let mut others = self.reachable(owner.as_str());
        others.retain(|other| other.id() != session.id());
        let late = self.with_stamp(
            &OfflineMessage {
                stanza: text.clone(),
                at,
            },
            owner,
        );
        let copies = Copies::of(&late, others.len());
        let mut lost = others.is_empty();
        for other in others {
            let mut outbound = Outbound::new(late.clone(), kind, at);
            outbound.copies = copies.clone();
            if let Delivered::Full(outbound) | Delivered::Gone(outbound) = other.deliver(outbound) {
                lost |= outbound.copies.give_up(&outbound.text).is_some();
            }
        }
        if lost {
            self.keep_leftover(owner, &Outbound::new(text, kind, at))
                .await;
        }
    }
}
