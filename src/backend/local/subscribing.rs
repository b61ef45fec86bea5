//! Carrying subscriptions out: on both sides, since both accounts live here (RFC 6121 §3).

use super::Local;
use super::account::Account;
use super::delivery::{Deliveries, store_trouble};
use super::roster::item_element;
use super::routing::Place;
use super::sasl;
use super::state::State;
use super::subscriptions::{Move, Outcome, Standing};
use crate::backend::{BoxFuture, Routed};
use crate::sessions::Session;
use crate::stanza::address::{BareJid, Jid};
use crate::stanza::{ByteString, CLIENT_NS, Condition, PresenceType, Stanza, StanzaError};
use crate::store::{PendingRequest, RosterChange, RosterItem, StoreError};
use crate::xml::escape_attribute;
use std::sync::Arc;

/// What became of one side.
struct Change {
    before: Standing,
    outcome: Outcome,
    /// The item that changed, and the version of the roster with it.
    pushed: Option<(RosterItem, String)>,
}

impl Local {
    pub(super) fn route_subscription(
        &self,
        session: &Arc<Session>,
        mut stanza: Stanza,
        kind: PresenceType,
    ) -> Routed {
        let (Some(to), Some(sent)) = (stanza.to.as_ref().map(Jid::to_bare), Move::of(kind)) else {
            return self.refuse(session, &stanza, Condition::BadRequest);
        };
        if to == *session.account() {
            return Routed::Done;
        }
        if sasl::is_temporary(session.account()) {
            return self.refuse(session, &stanza, Condition::NotAllowed);
        }
        let elsewhere = matches!(
            self.place(session, Some(&to.clone().into())),
            Place::Elsewhere
        );
        if elsewhere && sent == Move::Subscribe {
            return self.refuse(session, &stanza, Condition::RemoteServerNotFound);
        }
        let session = session.clone();
        self.later(async move |local| {
            let state = State::of(&session)?;
            let account = state.account.clone();
            // §3.1.2: from the bare address, to the bare address.
            let original = stanza.clone();
            stanza.from = account.jid.clone().into();
            let text = stanza.addressed_to(&to.clone().into()).text;
            if let Err(error) = local
                .send_subscription(&account, &to, sent, text, !elsewhere)
                .await
            {
                local.refuse(&session, &original, error);
            }
            None
        })
    }

    /// The owner of an account moves; the contact, if it lives here, sees it.
    pub(super) async fn send_subscription(
        &self,
        account: &Arc<Account>,
        contact: &BareJid,
        sent: Move,
        text: ByteString,
        reaches: bool,
    ) -> Result<(), StanzaError> {
        let turn = account.turn.lock().await;
        let Some(change) = self
            .change_standing(account, contact, |standing| standing.outbound(sent), None)
            .await?
        else {
            return Err(StanzaError::from(Condition::NotAllowed).with_text("the roster is full"));
        };
        self.push_change(account, &change);
        drop(turn);
        if change.outcome.passes && reaches {
            self.receive_subscription(contact.clone(), account.jid.clone(), sent, text)
                .await;
        }
        self.show_difference(&account.jid, contact, &change);
        Ok(())
    }

    /// A contact moves; the owner of the account, if there is one, may see it. Nothing is told of
    /// accounts that do not exist (§8.5.1).
    pub(super) fn receive_subscription(
        &self,
        owner: BareJid,
        contact: BareJid,
        got: Move,
        text: ByteString,
    ) -> BoxFuture<()> {
        let Some(local) = self.arc() else {
            return Box::pin(async {});
        };
        Box::pin(async move {
            if owner.node().is_none() || sasl::is_temporary(&owner) {
                return;
            }
            if let Err(error) = local.try_receive(&owner, &contact, got, text).await {
                tracing::error!(%error, account = %owner, "a subscription stays half made");
            }
        })
    }

    async fn try_receive(
        &self,
        owner: &BareJid,
        contact: &BareJid,
        got: Move,
        text: ByteString,
    ) -> Result<(), StoreError> {
        let account = self.accounts.open(owner);
        if !account.load(&*self.store).await? {
            return Ok(());
        }
        let turn = account.turn.lock().await;
        let request = PendingRequest {
            from: contact.clone(),
            stanza: text.clone(),
        };
        let moved = self.try_change(
            &account,
            contact,
            |standing| standing.inbound(got),
            Some(request),
        );
        let Some(change) = moved.await? else {
            return Ok(());
        };
        if change.outcome.passes {
            self.show_subscription(&account, got, &text);
        }
        self.push_change(&account, &change); // §3.1.6: after what it reflects
        drop(turn);
        if change.outcome.grants {
            let granted = subscription(owner, contact, Move::Subscribed);
            self.receive_subscription(contact.clone(), owner.clone(), Move::Subscribed, granted)
                .await;
        }
        self.show_difference(owner, contact, &change);
        Ok(())
    }

    /// Requests go to the available resources, answers to those that know the roster (§3.1.3,
    /// §3.1.6).
    fn show_subscription(&self, account: &Account, got: Move, text: &ByteString) {
        for session in self.sessions.of_account(account.jid.as_str()) {
            let wanted = match got {
                Move::Subscribe => session.priority().is_some(),
                _ => session.is_interested(),
            };
            if wanted {
                self.tell(&session, text, got.kind(), &mut Deliveries::default());
            }
        }
    }

    /// Presence follows what the contact may see.
    fn show_difference(&self, owner: &BareJid, contact: &BareJid, change: &Change) {
        let mut told = Deliveries::default();
        match (change.before.from, change.outcome.standing.from) {
            (false, true) => self.reveal(owner, contact, &mut told),
            (true, false) => self.conceal(owner, contact, &mut told),
            // Asked again by a contact that lost sight of the owner.
            (true, true) if change.outcome.grants => self.reveal(owner, contact, &mut told),
            _ => {}
        }
    }

    async fn change_standing(
        &self,
        account: &Account,
        contact: &BareJid,
        rule: impl FnOnce(Standing) -> Outcome,
        request: Option<PendingRequest>,
    ) -> Result<Option<Change>, StanzaError> {
        self.try_change(account, contact, rule, request)
            .await
            .map_err(|error| store_trouble(&error))
    }

    /// Moves one side, in the store and in memory. The caller holds
    /// the turn of the account. `None`: there is no room for one more contact or request.
    async fn try_change(
        &self,
        account: &Account,
        contact: &BareJid,
        rule: impl FnOnce(Standing) -> Outcome,
        request: Option<PendingRequest>,
    ) -> Result<Option<Change>, StoreError> {
        let limit = self.options.load().roster_items;
        let (item, before, full) = account.with_roster(|roster| {
            let item = roster.items.get(contact).cloned();
            let before = Standing::of(item.as_ref(), roster.request_of(contact).is_some());
            let full = roster.items.len() >= limit || roster.pending.len() >= limit;
            (item, before, full)
        });
        let outcome = rule(before);
        let after = outcome.standing;
        let is_new =
            (item.is_none() && !after.needs_no_item()) || (after.pending_in && !before.pending_in);
        if is_new && full {
            return Ok(None);
        }
        let change = difference(contact, item, before, after, request);
        let put = change.put.first().cloned();
        let mut pushed = None;
        if !change.is_empty() {
            let version = account.change(&*self.store, change).await?;
            pushed = put.map(|item| (item, version));
        }
        Ok(Some(Change {
            before,
            outcome,
            pushed,
        }))
    }

    fn push_change(&self, account: &Account, change: &Change) {
        if let Some((item, version)) = &change.pushed {
            self.push_roster(&account.jid, &item_element(item), version);
        }
    }
}

/// What changes in the store.
fn difference(
    contact: &BareJid,
    item: Option<RosterItem>,
    before: Standing,
    after: Standing,
    request: Option<PendingRequest>,
) -> RosterChange {
    let mut change = RosterChange::default();
    let item_stays_out = item.is_none() && after.needs_no_item();
    let seen = |standing: Standing| Standing {
        pending_in: false,
        ..standing
    };
    if seen(before) != seen(after) && !item_stays_out {
        let mut item = item.unwrap_or_else(|| RosterItem::new(contact.clone()));
        after.put_into(&mut item);
        change.put.push(item);
    }
    match (before.pending_in, after.pending_in) {
        (false, true) => change.ask.extend(request),
        (true, false) => change.settle.push(contact.clone()),
        _ => {}
    }
    change
}

/// A stanza that the server sends for an account.
pub(super) fn subscription(from: &BareJid, to: &BareJid, sent: Move) -> ByteString {
    format!(
        "<presence xmlns=\"{CLIENT_NS}\" from=\"{}\" to=\"{}\" type=\"{}\"/>",
        escape_attribute(from.as_str()),
        escape_attribute(to.as_str()),
        sent.as_str()
    )
    .into()
}
