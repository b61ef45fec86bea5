//! Sessions and stanzas of the last process.

use super::Local;
use super::place::Place;
use super::sasl;
use super::state::State;
use crate::backend::BoxFuture;
use crate::sessions::{EndReason, Session};
use crate::stanza::Stanza;
use crate::stanza::address::Jid;
use crate::store::journal::STRAYS;
use crate::stream::Outbound;
use std::sync::Arc;

impl Local {
    /// The account with its roster, and whom the session sent directed presence. Contacts were not
    /// told that the session was away, and are not told that it is back.
    pub(super) fn restore_session(&self, session: Arc<Session>) -> BoxFuture<()> {
        let Some(local) = self.arc() else {
            return Box::pin(async {});
        };
        Box::pin(async move {
            let account = local.accounts.open(session.account());
            let known = if sasl::is_temporary(session.account()) {
                account.load_nothing();
                Ok(true)
            } else {
                account.load(&*local.store).await
            };
            session.set_data(Arc::new(State::restored(account, &session.notes())));
            match known {
                Ok(true) => local.hand_over_later(&session).await,
                // Deleted while no server ran.
                Ok(false) => local.end_session(&session, EndReason::Revoked),
                Err(error) => {
                    tracing::error!(%error, jid = %session.jid(), "a session comes back without its roster");
                }
            }
        })
    }

    /// Messages that were stored while the session had no room come when it has some: the hand-over
    /// of the last process ended with that.
    async fn hand_over_later(&self, session: &Session) {
        let Some(state) = State::of(session) else {
            return;
        };
        let is_reachable = session.priority().is_some_and(|priority| priority >= 0);
        if !is_reachable || sasl::is_temporary(session.account()) {
            return;
        }
        let gate = state.account.gate.clone().lock_owned().await;
        match self.store.offline(session.account(), 1).await {
            Ok(stored) if stored.is_empty() => {}
            Ok(_) => {
                if let Some(draining) = state.account.begin_draining() {
                    self.drain(draining, gate);
                }
            }
            Err(error) => {
                tracing::error!(%error, jid = %session.jid(), "stored messages stay stored");
            }
        }
    }

    /// As if the session that it was for had ended now.
    pub(super) fn place_restored_stray(&self, stray: Outbound) -> BoxFuture<()> {
        let Some(local) = self.arc() else {
            return Box::pin(async {});
        };
        Box::pin(async move {
            let place = Place {
                session: STRAYS,
                number: stray.number,
            };
            let stanza = Stanza::of_server(stray.text.clone());
            match stanza.and_then(|stanza| stanza.to) {
                Some(to) => {
                    local
                        .redeliver(&Jid::to_bare(&to), None, stray, Some(place))
                        .await
                }
                None => local.placed(Some(place)),
            }
        })
    }
}
