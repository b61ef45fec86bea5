//! Resource binding (RFC 6120 §7).

use super::account::Account;
use super::delivery::store_trouble;
use super::state::State;
use super::{ConflictPolicy, Local, sasl};
use crate::backend::BoxFuture;
use crate::sessions::{Bind, EndReason, Session};
use crate::stanza::address::{self, BareJid, FullJid};
use crate::stanza::{Condition, StanzaError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use std::time::Duration;

/// Random bytes in a resource of our making: 11 characters that nobody guesses.
const RESOURCE_BYTES: usize = 8;

/// How often a client may lose the race for a resource before it is told so.
const ATTEMPTS: usize = 8;

/// How long an old session may take to let go of its resource.
const LET_GO_TIMEOUT: Duration = Duration::from_secs(10);

impl Local {
    pub(super) fn bind_resource(
        &self,
        account: BareJid,
        resource: Option<String>,
    ) -> BoxFuture<Result<Arc<Session>, StanzaError>> {
        let Some(local) = self.arc() else {
            return Box::pin(async { Err(Condition::InternalServerError.into()) });
        };
        Box::pin(async move {
            let account = local.open_account(&account).await?;
            for _ in 0..ATTEMPTS {
                let jid = full_address(&account.jid, resource.as_deref())?;
                match local.sessions.bind(jid) {
                    Bind::Bound(session) => {
                        session.set_data(Arc::new(State::new(account)));
                        return Ok(session);
                    }
                    Bind::Occupied(holder) => local.take_over(&holder).await?,
                    Bind::TooMany(Some(oldest)) => {
                        local
                            .make_room(&oldest, EndReason::TooManyHibernating)
                            .await?;
                    }
                    Bind::TooMany(None) => return Err(Condition::ResourceConstraint.into()),
                }
            }
            Err(Condition::Conflict.into())
        })
    }

    /// The account with its roster: from here on nothing about presence has to wait.
    async fn open_account(&self, jid: &BareJid) -> Result<Arc<Account>, StanzaError> {
        let account = self.accounts.open(jid);
        if sasl::is_temporary(jid) {
            account.load_nothing();
            return Ok(account);
        }
        match account.load(&*self.store).await {
            Ok(true) => Ok(account),
            // Deleted since it logged in.
            Ok(false) => Err(StanzaError::from(Condition::NotAllowed).with_text("no such account")),
            Err(error) => Err(store_trouble(&error)),
        }
    }

    /// RFC 6120 §7.7.2.2: one of the two has to go.
    async fn take_over(&self, holder: &Arc<Session>) -> Result<(), StanzaError> {
        let refuse = self.options.load().conflict == ConflictPolicy::Refuse;
        if refuse && holder.is_attached() {
            return Err(Condition::Conflict.into());
        }
        self.make_room(holder, EndReason::Conflict).await
    }

    async fn make_room(&self, old: &Arc<Session>, reason: EndReason) -> Result<(), StanzaError> {
        self.end_session(old, reason);
        let gone = tokio::time::timeout(LET_GO_TIMEOUT, self.sessions.gone(old)).await;
        gone.map_err(|_| Condition::Conflict.into())
    }
}

fn full_address(account: &BareJid, resource: Option<&str>) -> Result<FullJid, StanzaError> {
    let made;
    let resource = match resource {
        Some(resource) => resource,
        None => {
            made = random_name::<RESOURCE_BYTES>()?;
            &made
        }
    };
    address::with_resource(account, resource).map_err(|_| Condition::BadRequest.into())
}

/// A name of so many random bytes, in letters, digits, `-` and `_`.
pub(super) fn random_name<const BYTES: usize>() -> Result<String, StanzaError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|_| StanzaError::from(Condition::InternalServerError))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
