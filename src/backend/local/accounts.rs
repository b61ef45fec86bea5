//! Making, changing and deleting accounts: for the command line, and in-band.

use super::delivery::store_trouble;
pub use super::import::{Imported, import};
use super::{Local, sasl};
use crate::auth::{Credentials, CredentialsError};
use crate::sessions::{EndReason, Session};
use crate::stanza::address::{self, BareJid};
use crate::stanza::{Condition, StanzaError};
use crate::store::{Store, StoreError};
use std::sync::Arc;

/// Why an account was not made, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No `user@domain`, or a name that is kept for guests.
    #[error("{0:?} is no address that an account can have")]
    Address(String),
    /// It is there already.
    #[error("{0} exists")]
    Exists(BareJid),
    /// It is not there.
    #[error("{0} does not exist")]
    NotFound(BareJid),
    /// The password is refused.
    #[error(transparent)]
    Password(#[from] CredentialsError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was to be imported could not be read.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl AccountError {
    /// What a client hears.
    pub(super) fn to_stanza_error(&self) -> StanzaError {
        match self {
            Self::Address(_) | Self::Line { .. } => Condition::NotAcceptable.into(),
            Self::Exists(_) => Condition::Conflict.into(),
            Self::NotFound(_) => Condition::ItemNotFound.into(),
            Self::Password(_) => {
                StanzaError::from(Condition::NotAcceptable).with_text("the password is refused")
            }
            Self::Store(error) => store_trouble(error),
        }
    }
}

/// Reads the address of an account.
///
/// # Errors
///
/// [`AccountError::Address`] for what is no `user@domain` and for the names of guests.
pub fn parse_account(text: &str) -> Result<BareJid, AccountError> {
    let refused = || AccountError::Address(text.to_owned());
    let account = address::parse_bare(text).map_err(|_| refused())?;
    if account.node().is_none() || sasl::is_temporary(&account) {
        return Err(refused());
    }
    Ok(account)
}

/// Makes an account. Its password is derived by the caller: [`Credentials::derive`].
///
/// # Errors
///
/// [`AccountError::Exists`], [`AccountError::Address`], [`AccountError::Store`].
pub async fn create(
    store: &dyn Store,
    account: &BareJid,
    credentials: Credentials,
) -> Result<(), AccountError> {
    parse_account(account.as_str())?;
    if store.create_account(account, credentials).await? {
        Ok(())
    } else {
        Err(AccountError::Exists(account.clone()))
    }
}

/// Replaces the password of an account.
///
/// # Errors
///
/// [`AccountError::NotFound`], [`AccountError::Store`].
pub async fn set_password(
    store: &dyn Store,
    account: &BareJid,
    credentials: Credentials,
) -> Result<(), AccountError> {
    if store.set_credentials(account, credentials).await? {
        Ok(())
    } else {
        Err(AccountError::NotFound(account.clone()))
    }
}

/// Deletes an account with its roster and what is kept for it. For a store that no server uses at
/// the time; a server does [`Local::delete_account`].
///
/// # Errors
///
/// [`AccountError::NotFound`], [`AccountError::Store`].
pub async fn delete(store: &dyn Store, account: &BareJid) -> Result<(), AccountError> {
    if store.delete_account(account).await? {
        Ok(())
    } else {
        Err(AccountError::NotFound(account.clone()))
    }
}

impl Local {
    /// Derives a password with the iterations of the day, on a thread for such work.
    pub(super) async fn derive(&self, password: String) -> Result<Credentials, StanzaError> {
        let derived = self.credentials_of(password).await;
        derived.map_err(|error| error.to_stanza_error())
    }

    /// The same for those who are told more of an error than a client is.
    pub(crate) async fn credentials_of(
        &self,
        password: String,
    ) -> Result<Credentials, AccountError> {
        let iterations = self.options.load().scram_iterations;
        let _turn = self.costly.acquire().await;
        let derived =
            tokio::task::spawn_blocking(move || Credentials::derive(&password, iterations));
        let derived = derived
            .await
            .map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(derived?)
    }

    /// Replaces the password of an account and ends its sessions, but for the one that asked.
    ///
    /// # Errors
    ///
    /// `not-acceptable` for a password that is refused; `item-not-found`; `not-allowed` for a demo
    /// account, whose password must not outlive the demo.
    pub async fn change_password(
        &self,
        account: &BareJid,
        password: String,
        asked_by: Option<&Arc<Session>>,
    ) -> Result<(), StanzaError> {
        if self.options.load().demo.contains(account) {
            return Err(Condition::NotAllowed.into());
        }
        let credentials = self.derive(password).await?;
        let changed = set_password(&*self.store, account, credentials).await;
        changed.map_err(|error| error.to_stanza_error())?;
        for session in self.sessions.of_account(account.as_str()) {
            if asked_by.is_none_or(|asked_by| asked_by.id() != session.id()) {
                self.end_session(&session, EndReason::Revoked);
            }
        }
        tracing::info!(%account, "password changed");
        Ok(())
    }

    /// Deletes an account: its contacts see it go, its sessions end, nothing is kept.
    ///
    /// # Errors
    ///
    /// `item-not-found`
    pub async fn delete_account(&self, account: &BareJid) -> Result<(), StanzaError> {
        let in_use = self.accounts.open(account);
        if !in_use
            .load(&*self.store)
            .await
            .map_err(|error| store_trouble(&error))?
        {
            return Err(Condition::ItemNotFound.into());
        }
        let contacts: Vec<BareJid> =
            in_use.with_roster(|roster| roster.items.keys().cloned().collect());
        for contact in contacts {
            // A client of the account may have removed it first.
            let _ = self.remove_contact(&in_use, &contact).await;
        }
        delete(&*self.store, account)
            .await
            .map_err(|error| error.to_stanza_error())?;
        in_use.forget();
        for session in self.sessions.of_account(account.as_str()) {
            self.end_session(&session, EndReason::Revoked);
        }
        tracing::info!(%account, "account deleted");
        Ok(())
    }
}
