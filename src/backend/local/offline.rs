//! Messages for those who are not there (RFC 6121 §8.5.2.2, XEP-0160).

use super::Local;
use super::account::Draining;
use super::delivery::Deliveries;
use super::place::Place;
use crate::backend::Routed;
use crate::budget::{Ledger, Level, stanza_bytes};
use crate::sessions::{Delivered, Session};
use crate::stanza::address::{BareJid, Jid};
use crate::stanza::{
    ByteString, Condition, Kind, Marks, MessageType, Stanza, error_reply, stamped,
};
use crate::store::journal::Record;
use crate::store::{Kept, OfflineMessage, StoreError, StoredMessage};
use crate::stream::{Copies, Outbound};
use std::sync::Arc;
use std::time::SystemTime;

/// How many stored messages are read at a time.
const BATCH: usize = 100;

/// The gate of an account, held.
pub(super) type Gate = tokio::sync::OwnedMutexGuard<()>;

/// How a hand-over goes on.
enum HandOver {
    /// There may be more, and somebody takes it.
    GoesOn,
    /// There is more, and none of these sessions has room.
    Waits(Vec<Arc<Session>>),
    /// Nothing is stored, or nobody is there.
    Over,
}

/// What is done with a message that finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    Store,
    Refuse,
    /// News of a moment, such as "is typing": late it would be wrong, and no error is wanted.
    Vanish,
}

/// XEP-0160 §3, and the hints of XEP-0334.
fn on_absence(kind: MessageType, marks: &Marks) -> Absence {
    let says_something = marks.body || marks.store || marks.receipt;
    match kind {
        MessageType::Headline | MessageType::Error => Absence::Vanish,
        MessageType::Groupchat => Absence::Refuse,
        MessageType::Chat if !says_something => Absence::Vanish,
        MessageType::Chat | MessageType::Normal if marks.no_store => Absence::Refuse,
        MessageType::Chat | MessageType::Normal => Absence::Store,
    }
}

impl Local {
    /// A message to an account that nobody is at.
    pub(super) fn message_to_nobody(&self, session: &Arc<Session>, stanza: Stanza) -> Routed {
        let Kind::Message(kind) = stanza.kind else {
            return Routed::Done;
        };
        match on_absence(kind, &stanza.marks) {
            Absence::Vanish => Routed::Done,
            Absence::Refuse => self.refuse(session, &stanza, Condition::ServiceUnavailable),
            Absence::Store => self.message_behind_stored_ones(session, stanza),
        }
    }

    /// A message to an account that is getting its stored ones. News of a moment and what may not
    /// be stored go past those.
    pub(super) fn message_while_draining(
        &self,
        session: &Arc<Session>,
        stanza: Stanza,
        recipients: &[Arc<Session>],
    ) -> Routed {
        match stanza.kind {
            Kind::Message(kind) if on_absence(kind, &stanza.marks) == Absence::Store => {
                self.message_behind_stored_ones(session, stanza)
            }
            _ => self.message_to_sessions(session, &stanza, recipients),
        }
    }

    /// A message that must not overtake those that are stored: while they are being handed over it
    /// is stored behind them, however slowly its recipient reads.
    fn message_behind_stored_ones(&self, session: &Arc<Session>, stanza: Stanza) -> Routed {
        let Some(to) = stanza.to.as_ref().map(Jid::to_bare) else {
            return Routed::Done;
        };
        let session = session.clone();
        self.later(async move |local| {
            let account = local.accounts.open(&to);
            let gate = account.gate.lock().await;
            let at = crate::clock::time_of_day();
            let recipients = local.reachable(to.as_str());
            let mut deliveries = Deliveries::default();
            if recipients.is_empty() || account.is_draining() {
                local.keep(&session, &stanza, &to, at).await;
                if super::carbons::is_eligible(&stanza) {
                    // What is stored arrives later, whatever becomes of its carbons: also at
                    // sessions that have yet to become available.
                    let mut watchers = local.carbon_watchers(&session, &stanza, &recipients);
                    watchers.received.retain(|one| one.priority().is_some());
                    let copies = Copies::default();
                    local.send_carbons(&watchers, &stanza, at, &copies, &mut deliveries);
                }
            } else {
                local.deliver_message(&session, &stanza, &recipients, at, &mut deliveries);
            }
            // What is stranded goes through the gate again.
            drop(gate);
            local.settled(deliveries).await
        })
    }

    /// Hands a message to the store. Its sender waits only while the queue of the store is full;
    /// a refusal comes later, as an error like others.
    async fn keep(&self, session: &Arc<Session>, stanza: &Stanza, to: &BareJid, at: SystemTime) {
        let message = OfflineMessage {
            stanza: stanza.text.clone(),
            at,
        };
        let limit = self.options.load().offline_messages;
        let along = session.receipt();
        let budget = self.sessions.budget();
        let charge = Ledger::new(budget).charge(stanza_bytes(stanza.text.len()));
        let kept = match self.store.keep_offline(to, message, limit, along).await {
            Ok(kept) => kept,
            Err(error) => return self.refuse_for_store(session, stanza, &error),
        };
        if session.journal().is_some() || budget.level() != Level::Free {
            // With a journal it may count as handled when it is on disk, and not before. And where
            // much is held in memory, nobody fills it faster than the disk empties it.
            return self.on_kept(session, stanza, kept.await);
        }
        let Some(local) = self.arc() else { return };
        let (session, stanza) = (session.clone(), stanza.clone());
        tokio::spawn(async move {
            local.on_kept(&session, &stanza, kept.await);
            drop(charge);
        });
    }

    fn on_kept(&self, session: &Arc<Session>, stanza: &Stanza, kept: Result<Kept, StoreError>) {
        match kept {
            Ok(Kept::Kept) => {}
            // One answer for both: who asks learns nothing of the account.
            Ok(Kept::Full | Kept::NoAccount) => {
                self.refuse(session, stanza, Condition::ServiceUnavailable);
            }
            Err(error) => self.refuse_for_store(session, stanza, &error),
        }
    }

    /// Stores what a session left behind, under the gate of its account. An error goes to its
    /// sender, wherever that is now.
    pub(super) async fn keep_leftover(
        &self,
        owner: &BareJid,
        leftover: &Outbound,
        place: Option<Place>,
    ) {
        let Some(stanza) = Stanza::of_server(leftover.text.clone()) else {
            return;
        };
        let Kind::Message(kind) = stanza.kind else {
            return;
        };
        match on_absence(kind, &stanza.marks) {
            Absence::Vanish => return self.placed(place),
            Absence::Refuse => return self.bounce_leftover(&stanza, place),
            Absence::Store => {}
        }
        let message = OfflineMessage {
            stanza: leftover.text.clone(),
            at: leftover.at,
        };
        let limit = self.options.load().offline_messages;
        let along = place.map(Place::leave).into_iter().collect();
        let kept = match self.store.keep_offline(owner, message, limit, along).await {
            Ok(kept) => kept.await,
            Err(error) => Err(error),
        };
        match kept {
            Ok(Kept::Kept) => {}
            Ok(Kept::Full | Kept::NoAccount) => self.bounce_leftover(&stanza, place),
            Err(error) => {
                tracing::error!(%error, account = %owner, "a message could not be kept");
                self.bounce_leftover(&stanza, place);
            }
        }
    }

    fn bounce_leftover(&self, stanza: &Stanza, place: Option<Place>) {
        let _unit = self.unit();
        self.bounce(stanza, Condition::RecipientUnavailable);
        self.placed(place);
    }

    /// Tells the session that sent a stanza that it did not arrive, if that is still here.
    pub(super) fn bounce(&self, stanza: &Stanza, condition: Condition) {
        self.forget_bounced(stanza);
        let Some(sender) = self.sessions.at(&stanza.from) else {
            return;
        };
        if let Some(text) = error_reply(stanza, &condition.into()) {
            self.answer(&sender, text, crate::stanza::error_kind(stanza.kind));
        }
    }

    /// Hands over what is stored for an account, with a stamp of when it was sent, in the order of
    /// that, in a task of its own. It ends when nothing is stored or nobody is there to get it. A
    /// stop does not wait for it while it waits for room: what is stored stays stored.
    pub(super) fn drain(&self, draining: Draining, gate: Gate) {
        let Some(local) = self.arc() else { return };
        let mut work = self.unfinished.begin();
        tokio::spawn(async move {
            let account = &draining.0;
            let mut gate = gate;
            loop {
                match local.hand_over_batch(&account.jid).await {
                    Ok(HandOver::GoesOn) => drop(gate),
                    Ok(HandOver::Waits(sessions)) => {
                        drop((gate, work));
                        account.room(&sessions).await;
                        work = local.unfinished.begin();
                    }
                    Ok(HandOver::Over) => break,
                    Err(error) => {
                        tracing::error!(%error, account = %account.jid, "stored messages stay stored");
                        break;
                    }
                }
                gate = account.gate.clone().lock_owned().await;
            }
            drop(draining);
            drop((gate, work));
        });
    }

    /// As much as [`BATCH`] and the mailboxes allow, to everybody who has room. The caller holds
    /// the gate.
    async fn hand_over_batch(&self, owner: &BareJid) -> Result<HandOver, StoreError> {
        let sessions = self.reachable(owner.as_str());
        if sessions.is_empty() {
            return Ok(HandOver::Over);
        }
        if !sessions.iter().any(|session| session.has_room()) {
            return Ok(HandOver::Waits(sessions));
        }
        let batch = self.store.offline(owner, BATCH).await?;
        let handed_over = self.hand_over_fitting(&sessions, &batch, owner);
        let all = handed_over.len() == batch.len();
        // Only what stands in a mailbox is forgotten here.
        self.store.forget_offline(owner, handed_over).await?;
        Ok(match all {
            false => HandOver::Waits(sessions),
            true if batch.len() == BATCH => HandOver::GoesOn,
            true => HandOver::Over,
        })
    }

    /// As many as there is room for. Returns their ids.
    fn hand_over_fitting(
        &self,
        sessions: &[Arc<Session>],
        batch: &[StoredMessage],
        owner: &BareJid,
    ) -> Vec<i64> {
        let _unit = self.unit();
        let fitting = batch
            .iter()
            .take_while(|stored| self.hand_over(sessions, &stored.message, owner));
        let ids: Vec<i64> = fitting.map(|stored| stored.id).collect();
        if let Some(journal) = self.sessions.journal() {
            journal.append(Record::HandedOver {
                account: owner.clone(),
                ids: ids.clone(),
            });
        }
        ids
    }

    /// Puts a stored message into the mailboxes that have room. Returns whether there was one.
    fn hand_over(
        &self,
        sessions: &[Arc<Session>],
        message: &OfflineMessage,
        owner: &BareJid,
    ) -> bool {
        let with_room = sessions.iter().filter(|session| session.has_room());
        let recipients: Vec<_> = with_room.collect();
        let text = self.with_stamp(message, owner);
        let kind = kind_of(&message.stanza);
        let copies = Copies::of(&text, recipients.len());
        let mut lost = recipients.is_empty();
        for recipient in recipients {
            let mut outbound = Outbound::new(text.clone(), kind, message.at);
            outbound.copies = copies.clone();
            if let Delivered::Full(outbound) | Delivered::Gone(outbound) =
                recipient.deliver(outbound)
            {
                lost |= outbound.copies.give_up(&outbound.text).is_some();
            }
        }
        !lost
    }

    /// Stamped unless it was stamped when it came late for the first time.
    pub(super) fn with_stamp(&self, message: &OfflineMessage, owner: &BareJid) -> ByteString {
        let domain = owner.domain().as_str();
        let ours = format!("<delay xmlns='urn:xmpp:delay' from='{domain}' ");
        if message.stanza.contains(&ours) {
            return message.stanza.clone();
        }
        stamped(&message.stanza, domain, message.at)
    }
}

/// The kind of a message that was stored; it was a message then.
fn kind_of(text: &ByteString) -> Kind {
    Stanza::of_server(text.clone()).map_or(Kind::Message(MessageType::Normal), |stanza| stanza.kind)
}
