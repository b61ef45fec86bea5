//! Making, changing and deleting accounts: for the command line, and in-band.

use super::delivery::store_trouble;
use super::{Local, sasl};
use crate::auth::{Credentials, CredentialsError};
use crate::sessions::{EndReason, Session};
use crate::stanza::address::{self, BareJid};
use crate::stanza::{Condition, StanzaError};
use crate::store::{Store, StoreError};
use std::io::BufRead;
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

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Accounts that are new.
    pub new: usize,
    /// Accounts that were there and have another password now.
    pub changed: usize,
}

/// Accounts in one transaction of an import.
const IMPORT_BATCH: usize = 512;

/// Imports `jid password` lines: an address, white space, and the password, which is the rest of
/// the line. Empty lines and lines that begin with `#` are passed over. Accounts that exist get
/// the password.
///
/// Passwords are derived on all cores; what was committed before a line that is refused stays.
/// Blocks the thread that it runs on for the derivation: it is for the command line.
///
/// # Errors
///
/// [`AccountError::Line`] names the line and what is wrong with it; never the password.
pub async fn import(
    store: &dyn Store,
    lines: impl BufRead,
    iterations: u32,
) -> Result<Imported, AccountError> {
    let mut imported = Imported::default();
    let mut batch = Vec::with_capacity(IMPORT_BATCH);
    for (index, line) in lines.lines().enumerate() {
        let number = index + 1;
        let line = line.map_err(|error| at_line(number, &error))?;
        if let Some((account, password)) = parse_line(number, &line)? {
            batch.push(Row {
                number,
                account,
                password,
            });
        }
        if batch.len() == IMPORT_BATCH {
            commit(store, &batch, iterations, &mut imported).await?;
            batch.clear();
        }
    }
    commit(store, &batch, iterations, &mut imported).await?;
    Ok(imported)
}

struct Row {
    number: usize,
    account: BareJid,
    password: String,
}

fn at_line(line: usize, reason: &dyn std::fmt::Display) -> AccountError {
    AccountError::Line {
        line,
        reason: reason.to_string(),
    }
}

fn parse_line(number: usize, line: &str) -> Result<Option<(BareJid, String)>, AccountError> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (account, password) = line
        .split_once([' ', '\t'])
        .ok_or_else(|| at_line(number, &"an address and a password are wanted"))?;
    let account = parse_account(account).map_err(|error| at_line(number, &error))?;
    Ok(Some((
        account,
        password.trim_start_matches([' ', '\t']).to_owned(),
    )))
}

async fn commit(
    store: &dyn Store,
    rows: &[Row],
    iterations: u32,
    imported: &mut Imported,
) -> Result<(), AccountError> {
    if rows.is_empty() {
        return Ok(());
    }
    let accounts = derive_all(rows, iterations)?;
    let new = store.import_accounts(accounts).await?;
    imported.new += new;
    imported.changed += rows.len() - new;
    Ok(())
}

/// On all cores: a row costs milliseconds, whatever core it is on.
fn derive_all(rows: &[Row], iterations: u32) -> Result<Vec<(BareJid, Credentials)>, AccountError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = rows.len().div_ceil(cores).max(1);
    let derive = |rows: &[Row]| -> Result<Vec<_>, AccountError> {
        rows.iter().map(|row| derive_row(row, iterations)).collect()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = rows
            .chunks(share)
            .map(|rows| scope.spawn(move || derive(rows)))
            .collect();
        let mut all = Vec::with_capacity(rows.len());
        for part in parts {
            let part = part.join().map_err(|_| StoreError::Corrupt("a thread"))?;
            all.extend(part?);
        }
        Ok(all)
    })
}

fn derive_row(row: &Row, iterations: u32) -> Result<(BareJid, Credentials), AccountError> {
    let credentials = Credentials::derive(&row.password, iterations);
    let credentials = credentials.map_err(|error| at_line(row.number, &error))?;
    Ok((row.account.clone(), credentials))
}

impl Local {
    /// Derives a password with the iterations of the day, on a thread for such work.
    pub(super) async fn derive(&self, password: String) -> Result<Credentials, StanzaError> {
        let iterations = self.options.load().scram_iterations;
        let _turn = self.costly.acquire().await;
        let derived =
            tokio::task::spawn_blocking(move || Credentials::derive(&password, iterations));
        let derived = derived
            .await
            .map_err(|_| StanzaError::from(Condition::InternalServerError))?;
        derived.map_err(|error| AccountError::from(error).to_stanza_error())
    }

    /// Replaces the password of an account and ends its sessions, but for the one that asked.
    ///
    /// # Errors
    ///
    /// `not-acceptable` for a password that is refused; `item-not-found`.
    pub async fn change_password(
        &self,
        account: &BareJid,
        password: String,
        asked_by: Option<&Arc<Session>>,
    ) -> Result<(), StanzaError> {
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
