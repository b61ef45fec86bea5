//! Passwords that somebody else knows.

use super::Local;
use crate::auth::{Credentials, SaslFailure};
use crate::backend::BoxFuture;
use crate::stanza::address::BareJid;
use std::sync::Arc;

/// Checks passwords in the place of the store. PLAIN is then the only mechanism with a password
/// that is offered, on private links: of SCRAM it would need keys.
pub trait Passwords: Send + Sync + 'static {
    /// Whether this is the password of the account.
    fn check(&self, account: BareJid, password: String) -> BoxFuture<Result<(), SaslFailure>>;
}

impl Local {
    /// Has passwords checked by somebody else. Once, before the first client comes; returns whether
    /// it was.
    pub fn set_passwords(&self, passwords: Arc<dyn Passwords>) -> bool {
        self.passwords.set(passwords).is_ok()
    }

    /// Makes the account of somebody whose password was right, if it is not there: for its roster
    /// and what else is kept for it.
    pub(super) async fn welcome(&self, account: &BareJid) -> Result<(), SaslFailure> {
        let nobody_knows_a_password = Credentials::from_iter([]);
        let trouble = |error: crate::store::StoreError| SaslFailure::TemporaryAuthFailure {
            reason: error.to_string(),
        };
        let is_there = self.store.account_exists(account).await.map_err(trouble)?;
        if !is_there {
            let made = self.store.create_account(account, nobody_knows_a_password);
            made.await.map_err(trouble)?;
            tracing::info!(%account, "account made for a first login");
        }
        Ok(())
    }
}
