//! Messages for those who are not there (RFC 6121 §8.5.2.2, XEP-0160).

use super::Local;
use super::account::Account;
use super::delivery::Deliveries;
use super::state::State;
use crate::backend::Routed;
use crate::sessions::{Delivered, Session};
use crate::stanza::address::{BareJid, Jid};
use crate::stanza::{
    ByteString, Condition, Kind, Marks, MessageType, Stanza, error_reply, stamped,
};
use crate::store::{Kept, OfflineMessage, StoreError};
use crate::stream::Outbound;
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
                    local.send_carbons(&session, &stanza, &[], at, &mut deliveries);
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
    /// that, in a task of its own. `session` has become available; `gate` is that of `account`.
    pub(super) fn drain(
        &self,
        session: Arc<Session>,
        account: Arc<Account>,
        gate: tokio::sync::OwnedMutexGuard<()>,
    ) {
        let Some(local) = self.arc() else { return };
        tokio::spawn(async move {
            if let Err(error) = local.hand_over_stored(session, &account).await {
                tracing::error!(%error, account = %account.jid, "stored messages stay stored");
            }
            account.set_draining(false);
            drop(gate);
        });
    }

    async fn hand_over_stored(
        &self,
        session: Arc<Session>,
        account: &Account,
    ) -> Result<(), StoreError> {
        let mut recipient = Some(session);
        while let Some(session) = recipient {
            let batch = self.store.offline(&account.jid, BATCH).await?;
            if batch.is_empty() {
                return Ok(());
            }
            let mut handed_over = Vec::with_capacity(batch.len());
            for stored in batch.iter() {
                let text = self.with_stamp(&stored.message, &account.jid);
                let outbound = Outbound {
                    text,
                    kind: kind_of(&stored.message.stanza),
                    at: stored.message.at,
                };
                match session.deliver(outbound) {
                    Delivered::Queued => {}
                    Delivered::Pressed => relieved(&session).await,
                    Delivered::Full(_) | Delivered::Gone(_) => break,
                }
                handed_over.push(stored.id);
            }
            let complete = handed_over.len() == batch.len();
            // Only what stands in a mailbox is forgotten here.
            self.store.forget_offline(&account.jid, handed_over).await?;
            recipient = if complete {
                Some(session)
            } else {
                self.other_reachable(&session)
            };
        }
        Ok(())
    }

    /// Another session of the account that may take over what one could not.
    fn other_reachable(&self, session: &Session) -> Option<Arc<Session>> {
        let others = self.reachable(session.account().as_str());
        others.into_iter().find(|other| other.id() != session.id())
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

    /// The gate of an account that is not draining already, and the mark that it is from now on.
    pub(super) async fn begin_draining(
        &self,
        state: &State,
    ) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        let account = &state.account;
        if account.is_draining() {
            return None;
        }
        let gate = account.gate.clone().lock_owned().await;
        account.set_draining(true);
        Some(gate)
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
