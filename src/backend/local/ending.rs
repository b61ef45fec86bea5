//! What a session leaves behind (rule 2 of the promise).

use super::Local;
use super::place::Place;
use crate::backend::BoxFuture;
use crate::sessions::{Delivered, Ending, Session};
use crate::stanza::address::BareJid;
use crate::stanza::{ByteString, Condition, IqType, Kind, MessageType, Stanza};
use crate::store::OfflineMessage;
use crate::stream::{Copies, Outbound};

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
            {
                let _unit = local.unit();
                local.leave(&session);
            }
            for leftover in leftovers {
                let place = local.place_in(&session, &leftover);
                let (owner, except) = (session.account(), Some(&*session));
                local.redeliver(owner, except, leftover, place).await;
            }
            local.sessions.remove(&session);
        })
    }

    /// A stanza of `owner` that a session, `except`, did not get, because it is over or takes no
    /// more. `place`: where the journal has it.
    pub(super) async fn redeliver(
        &self,
        owner: &BareJid,
        except: Option<&Session>,
        leftover: Outbound,
        place: Option<Place>,
    ) {
        match leftover.kind {
            Kind::Message(MessageType::Chat | MessageType::Normal) => {
                self.redeliver_message(owner, except, leftover, place).await;
            }
            Kind::Iq(IqType::Get | IqType::Set) => {
                // RFC 6121 §8.5.3.2.3: who asks gets an answer.
                let _unit = self.unit();
                if let Some(request) = Stanza::of_server(leftover.text) {
                    self.bounce(&request, Condition::ServiceUnavailable);
                }
                self.placed(place);
            }
            // Presence is told anew at the next login; nobody waits for a headline, an answer to
            // somebody who is gone, or an error; a room would take a bounce for a departure.
            Kind::Message(_) | Kind::Presence(_) | Kind::Iq(_) => self.placed(place),
        }
    }

    /// To the other sessions of the account, unless one of them has its own copy; else to the store.
    async fn redeliver_message(
        &self,
        owner: &BareJid,
        except: Option<&Session>,
        leftover: Outbound,
        place: Option<Place>,
    ) {
        let account = self.accounts.open(owner);
        let _gate = account.gate.lock().await;
        if let Some(lost) = self.redeliver_to_others(owner, except, leftover, place) {
            self.keep_leftover(owner, &lost, place).await;
        }
    }

    /// Returns the message if nobody has it nor will have it.
    fn redeliver_to_others(
        &self,
        owner: &BareJid,
        except: Option<&Session>,
        leftover: Outbound,
        place: Option<Place>,
    ) -> Option<Outbound> {
        let _unit = self.unit();
        let Outbound {
            text,
            kind,
            at,
            charge,
            ..
        } = leftover;
        let Some(text) = leftover.copies.give_up(&text) else {
            self.placed(place); // another session has it, or will give it up in its turn
            return None;
        };
        let is_own =
            |stanza: &Stanza| stanza.marks.carbon && stanza.from.as_str() == owner.as_str();
        // Of what this account said itself, or nothing that could be read.
        if Stanza::of_server(text.clone()).is_none_or(|stanza| is_own(&stanza)) {
            self.placed(place);
            return None;
        }
        if self.deliver_late(owner, except, &text, kind, at) {
            self.placed(place);
            return None;
        }
        let mut lost = Outbound::new(text, kind, at);
        lost.charge = charge; // it is in memory until it is on disk
        Some(lost)
    }

    /// To each other session of the account. Returns whether one took it.
    fn deliver_late(
        &self,
        owner: &BareJid,
        except: Option<&Session>,
        text: &ByteString,
        kind: Kind,
        at: std::time::SystemTime,
    ) -> bool {
        let mut others = self.reachable(owner.as_str());
        others.retain(|other| except.is_none_or(|session| other.id() != session.id()));
        let message = OfflineMessage {
            stanza: text.clone(),
            at,
        };
        let late = self.with_stamp(&message, owner);
        let copies = Copies::of(&late, others.len());
        let mut lost = others.is_empty();
        for other in others {
            let mut outbound = Outbound::new(late.clone(), kind, at);
            outbound.copies = copies.clone();
            if let Delivered::Full(outbound) | Delivered::Gone(outbound) = other.deliver(outbound) {
                lost |= outbound.copies.give_up(&outbound.text).is_some();
            }
        }
        !lost
    }
}
