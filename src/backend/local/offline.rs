//! Messages for those who are not there (RFC 6121 §8.5.2.2, XEP-0160).

use super::Local;
use super::account::Draining;
use super::delivery::Deliveries;
use crate::backend::Routed;
use crate::sessions::{Delivered, Session};
use crate::stanza::address::{BareJid, Jid};
use crate::stanza::{
    ByteString, Condition, Kind, Marks, MessageType, Stanza, error_reply, stamped,
};
use crate::store::{Kept, OfflineMessage, StoreError};
use crate::stream::{Copies, Outbound};
use std::sync::Arc;
use std::time::SystemTime;

/// How many stored messages are read at a time.
const BATCH: usize = 100;

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

    /// A message that must not overtake those that are stored or being handed over: it waits for
    /// the gate of the account and then goes where it belongs.
    pub(super) fn message_behind_stored_ones(
        &self,
        session: &Arc<Session>,
        stanza: Stanza,
    ) -> Routed {
        let Some(to) = stanza.to.as_ref().map(Jid::to_bare) else {
            return Routed::Done;
        };
        let session = session.clone();
        self.later(async move |local| {
            let account = local.accounts.open(&to);
            let gate = account.gate.lock().await;
            let at = SystemTime::now();
            let recipients = local.reachable(to.as_str());
            let mut deliveries = Deliveries::default();
            if recipients.is_empty() {
                local.keep(&session, &stanza, &to, at).await;
                if super::carbons::is_eligible(&stanza) {
                    // What is stored arrives later, whatever becomes of its carbons.
                    let watchers = local.carbon_watchers(&session, &stanza, &[]);
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
        let kept = match self.store.keep_offline(to, message, limit).await {
            Ok(kept) => kept,
            Err(error) => return self.refuse_for_store(session, stanza, &error),
        };
        let Some(local) = self.arc() else { return };
        let (session, stanza) = (session.clone(), stanza.clone());
        tokio::spawn(async move {
            match kept.await {
                Ok(Kept::Kept) => {}
                // One answer for both: who asks learns nothing of the account.
                Ok(Kept::Full | Kept::NoAccount) => {
                    local.refuse(&session, &stanza, Condition::ServiceUnavailable);
                }
                Err(error) => local.refuse_for_store(&session, &stanza, &error),
            }
        });
    }

    /// Stores what a session left behind, under the gate of its account. An error goes to its
    /// sender, wherever that is now.
    pub(super) async fn keep_leftover(&self, owner: &BareJid, leftover: &Outbound) {
        let Some(stanza) = Stanza::of_server(leftover.text.clone()) else {
            return;
        };
        let Kind::Message(kind) = stanza.kind else {
            return;
        };
        match on_absence(kind, &stanza.marks) {
            Absence::Vanish => return,
            Absence::Refuse => return self.bounce(&stanza, Condition::RecipientUnavailable),
            Absence::Store => {}
        }
        let message = OfflineMessage {
            stanza: leftover.text.clone(),
            at: leftover.at,
        };
        let limit = self.options.load().offline_messages;
        let kept = match self.store.keep_offline(owner, message, limit).await {
            Ok(kept) => kept.await,
            Err(error) => Err(error),
        };
        match kept {
            Ok(Kept::Kept) => {}
            Ok(Kept::Full | Kept::NoAccount) => {
                self.bounce(&stanza, Condition::RecipientUnavailable);
            }
            Err(error) => {
                tracing::error!(%error, account = %owner, "a message could not be kept");
                self.bounce(&stanza, Condition::RecipientUnavailable);
            }
        }
    }

    /// Tells the session that sent a stanza that it did not arrive, if that is still here.
    pub(super) fn bounce(&self, stanza: &Stanza, condition: Condition) {
        let Some(sender) = self.sessions.at(&stanza.from) else {
            return;
        };
        if let Some(text) = error_reply(stanza, &condition.into()) {
            self.answer(&sender, text, super::delivery::error_kind(stanza.kind));
        }
    }

    /// Hands over what is stored for an account, with a stamp of when it was sent, in the order of
    /// that, in a task of its own. `session` is the one that began it.
    pub(super) fn drain(&self, session: Arc<Session>, mut draining: Draining) {
        let Some(local) = self.arc() else { return };
        tokio::spawn(async move {
            let account = draining.account.clone();
            if let Err(error) = local.hand_over_stored(session, &mut draining).await {
                tracing::error!(%error, account = %account.jid, "stored messages stay stored");
            }
        });
    }

    /// To one session until it goes, then to the one that came after it.
    async fn hand_over_stored(
        &self,
        session: Arc<Session>,
        draining: &mut Draining,
    ) -> Result<(), StoreError> {
        let account = draining.account.clone();
        let mut recipient = Some(session);
        while let Some(session) = recipient {
            while self.hand_over_batch(&session, &account.jid).await? {}
            recipient = draining.successor();
        }
        Ok(())
    }

    /// Returns whether there may be more, and the session takes it.
    async fn hand_over_batch(
        &self,
        session: &Arc<Session>,
        owner: &BareJid,
    ) -> Result<bool, StoreError> {
        let batch = self.store.offline(owner, BATCH).await?;
        let mut handed_over = Vec::with_capacity(batch.len());
        for stored in &batch {
            let text = self.with_stamp(&stored.message, owner);
            let kind = kind_of(&stored.message.stanza);
            match session.deliver(Outbound::new(text, kind, stored.message.at)) {
                Delivered::Queued => {}
                Delivered::Pressed => relieved(session).await,
                Delivered::Full(_) | Delivered::Gone(_) => break,
            }
            handed_over.push(stored.id);
        }
        let goes_on = !batch.is_empty() && handed_over.len() == batch.len();
        // Only what stands in a mailbox is forgotten here.
        self.store.forget_offline(owner, handed_over).await?;
        Ok(goes_on)
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

/// Waits until a mailbox has room again, or is closed.
async fn relieved(session: &Session) {
    std::future::poll_fn(|cx| session.poll_relieved(cx)).await;
}

/// The kind of a message that was stored; it was a message then.
fn kind_of(text: &ByteString) -> Kind {
    Stanza::of_server(text.clone()).map_or(Kind::Message(MessageType::Normal), |stanza| stanza.kind)
}
