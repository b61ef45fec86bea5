//! Accounts and the secret of the server; and the trait, whose calls all begin here.

use super::{Sqlite, offline, roster, sessions};
use crate::auth::{Credentials, ScramHash, ScramKeys, Secret};
use crate::stanza::address::BareJid;
use crate::store::journal::{Journal, Record};
use crate::store::{
    Call, Kept, OfflineMessage, RosterChange, SavedSessions, Store, StoreError, StoredMessage,
    StoredRoster,
};
use rusqlite::{Connection, OptionalExtension};
use std::sync::Arc;

impl Store for Sqlite {
    fn secret(&self) -> Call<Secret> {
        self.write(secret)
    }

    fn credentials(&self, account: &BareJid) -> Call<Option<Credentials>> {
        let account = account.clone();
        self.read(move |connection| credentials(connection, &account))
    }

    fn account_exists(&self, account: &BareJid) -> Call<bool> {
        let account = account.clone();
        self.read(move |connection| Ok(account_id(connection, &account)?.is_some()))
    }

    fn accounts(&self, after: Option<&BareJid>, limit: usize) -> Call<Vec<BareJid>> {
        let after = after.map_or_else(String::new, ToString::to_string);
        self.read(move |connection| accounts(connection, &after, limit))
    }

    fn create_account(&self, account: &BareJid, credentials: Credentials) -> Call<bool> {
        let account = account.clone();
        self.write(move |connection| {
            if account_id(connection, &account)?.is_some() {
                return Ok(false);
            }
            insert(connection, &account, &credentials)?;
            Ok(true)
        })
    }

    fn set_credentials(&self, account: &BareJid, credentials: Credentials) -> Call<bool> {
        let account = account.clone();
        self.write(move |connection| match account_id(connection, &account)? {
            Some(id) => replace_keys(connection, id, &credentials).map(|()| true),
            None => Ok(false),
        })
    }

    fn import_accounts(&self, accounts: Vec<(BareJid, Credentials)>) -> Call<usize> {
        self.write(move |connection| import(connection, &accounts))
    }

    fn delete_account(&self, account: &BareJid) -> Call<bool> {
        let account = account.clone();
        self.write(move |connection| {
            roster::forget_everywhere(connection, &account)?;
            let sql = "DELETE FROM account WHERE jid = ?1";
            Ok(connection
                .prepare_cached(sql)?
                .execute([account.as_str()])?
                > 0)
        })
    }

    fn roster(&self, account: &BareJid) -> Call<Option<StoredRoster>> {
        let account = account.clone();
        self.read(move |connection| roster::load(connection, &account))
    }

    fn change_roster(&self, account: &BareJid, change: RosterChange) -> Call<String> {
        let account = account.clone();
        self.write(move |connection| roster::change(connection, &account, &change))
    }

    fn keep_offline(
        &self,
        account: &BareJid,
        message: OfflineMessage,
        limit: usize,
        along: Vec<Record>,
    ) -> Call<Call<Kept>> {
        let account = account.clone();
        self.hand_over(move |connection| {
            let kept = offline::keep(connection, &account, &message, limit)?;
            if kept == Kept::Kept {
                sessions::apply(connection, &along)?;
            }
            Ok(kept)
        })
    }

    fn offline(&self, account: &BareJid, limit: usize) -> Call<Vec<StoredMessage>> {
        let account = account.clone();
        self.write(move |connection| offline::oldest(connection, &account, limit))
    }

    fn forget_offline(&self, account: &BareJid, ids: Vec<i64>) -> Call<()> {
        let account = account.clone();
        self.write(move |connection| offline::forget(connection, &account, &ids))
    }

    fn sessions(&self) -> Call<SavedSessions> {
        self.write(sessions::load)
    }

    fn record(&self, records: Vec<Record>) -> Call<()> {
        self.write(move |connection| sessions::apply(connection, &records))
    }

    fn journal(&self) -> Option<Arc<Journal>> {
        self.journal.clone()
    }

    fn close(&self) -> Call<()> {
        self.stop()
    }
}

/// The row of an account.
pub(super) fn account_id(
    connection: &Connection,
    account: &BareJid,
) -> Result<Option<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM account WHERE jid = ?1")?;
    Ok(statement
        .query_row([account.as_str()], |row| row.get(0))
        .optional()?)
}

fn secret(connection: &Connection) -> Result<Secret, StoreError> {
    let sql = "SELECT value FROM server WHERE name = 'secret'";
    let stored: Option<Vec<u8>> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    if let Some(bytes) = stored {
        let bytes = bytes
            .try_into()
            .map_err(|_| StoreError::Corrupt("a secret of a length"))?;
        return Ok(Secret::from_bytes(bytes));
    }
    let secret = Secret::generate().map_err(|error| StoreError::Database(error.to_string()))?;
    let sql = "INSERT INTO server (name, value) VALUES ('secret', ?1)";
    connection.execute(sql, [&secret.as_bytes()[..]])?;
    Ok(secret)
}

fn credentials(
    connection: &Connection,
    account: &BareJid,
) -> Result<Option<Credentials>, StoreError> {
    let Some(id) = account_id(connection, account)? else {
        return Ok(None);
    };
    let sql =
        "SELECT hash, iterations, salt, stored_key, server_key FROM scram_key WHERE account = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([id], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
        ))
    })?;
    rows.map(|row| scram_keys(row?))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn scram_keys(
    (hash, iterations, salt, stored_key, server_key): (String, u32, Vec<u8>, Vec<u8>, Vec<u8>),
) -> Result<ScramKeys, StoreError> {
    let hash = ScramHash::from_name(&hash).ok_or(StoreError::Corrupt("keys for a hash"))?;
    ScramKeys::from_parts(hash, iterations, salt, stored_key, server_key)
        .map_err(|_| StoreError::Corrupt("SCRAM keys"))
}

fn accounts(
    connection: &Connection,
    after: &str,
    limit: usize,
) -> Result<Vec<BareJid>, StoreError> {
    let sql = "SELECT jid FROM account WHERE jid > ?1 ORDER BY jid LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((after, limit), |row| row.get::<_, String>(0))?;
    rows.map(|row| address(&row?)).collect()
}

/// An address that was put into the database in its canonical form.
pub(super) fn address(text: &str) -> Result<BareJid, StoreError> {
    BareJid::new(text).map_err(|_| StoreError::Corrupt("an address"))
}

fn insert(
    connection: &Connection,
    account: &BareJid,
    credentials: &Credentials,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("INSERT INTO account (jid) VALUES (?1)")?;
    let id = statement.insert([account.as_str()])?;
    put_keys(connection, id, credentials)
}

fn replace_keys(
    connection: &Connection,
    id: i64,
    credentials: &Credentials,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM scram_key WHERE account = ?1")?
        .execute([id])?;
    put_keys(connection, id, credentials)
}

fn put_keys(connection: &Connection, id: i64, credentials: &Credentials) -> Result<(), StoreError> {
    let sql = "INSERT INTO scram_key (account, hash, iterations, salt, stored_key, server_key)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = connection.prepare_cached(sql)?;
    for keys in credentials.iter() {
        let (hash, iterations) = (keys.hash().name(), keys.iterations());
        statement.execute((
            id,
            hash,
            iterations,
            keys.salt(),
            keys.stored_key(),
            keys.server_key(),
        ))?;
    }
    Ok(())
}

fn import(
    connection: &Connection,
    accounts: &[(BareJid, Credentials)],
) -> Result<usize, StoreError> {
    let mut new = 0;
    for (account, credentials) in accounts {
        match account_id(connection, account)? {
            Some(id) => replace_keys(connection, id, credentials)?,
            None => {
                insert(connection, account, credentials)?;
                new += 1;
            }
        }
    }
    Ok(new)
}
